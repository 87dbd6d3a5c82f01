"""What `roomhost check` says of the stored objects: which class each set of them gets."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..runtime.plan import Action
from ..storage import DataDirectory, DataDirectoryError, Partition, StorageError
from ..storage.data_directory import FORMAT_VERSION, read_format
from . import limits
from .finding import error, ok, warning

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..runtime.application import Application
    from ..runtime.plan import Plan
    from .finding import Finding

TOPIC = "migrations"
LOUD = (Action.DELETED, Action.PARKED)


def check_migrations(app: Application, data_dir: str, *, held: bool) -> list[Finding]:
    """What becomes of the objects in a data directory that nobody holds. It is opened as a host opens
    it, so what a crash has left in the commit log is brought in; nothing else is changed."""
    path = Path(data_dir).absolute()
    if held:
        return [ok(TOPIC, "`roomhost deploy --dry-run` asks the host that runs")]

    if read_format(path) != FORMAT_VERSION:
        return [ok(TOPIC, "planned when the host has opened the directory for the first time")]

    try:
        plan = _plan(app, path)
    except (DataDirectoryError, StorageError) as refused:
        return [error("data_dir", str(refused))]

    found = [(warning if step.action in LOUD else ok)(TOPIC, step.text) for step in plan.steps]
    if plan.refusal is not None:
        return [*found, error(TOPIC, plan.refusal)]

    return found or [ok(TOPIC, "none: every stored object has its class")]


def _plan(app: Application, path: Path) -> Plan:
    directory = DataDirectory.open(path)
    try:
        partition = Partition.open(directory.partition, deliver=_call)
        try:
            count = partial(partition.count_objects, limit=limits.MAX_COUNTED_OBJECTS + 1)
            return app.plan(partition.catalogue.read(), count, int(time.time() * 1000))
        finally:
            partition.close()
    finally:
        directory.close()


def _call(function: Callable[[], None]) -> None:
    function()  # nothing is written: there is no other thread's news
