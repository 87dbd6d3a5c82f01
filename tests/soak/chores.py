"""What an operator does meanwhile: backups, deploys; each through the local socket of the host."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from roomhost.admin.client import AdminClient

from .plan import Lines, Places, Plan, write_application
from .served_host import APPLICATION

BACKUP, DEPLOY = "backup", "deploy"


@dataclass(frozen=True, slots=True)
class Chore:
    """`at_seconds`: after the traffic began. `version`: of the application that is deployed."""

    at_seconds: float
    kind: str
    version: int = 0


def schedule(plan: Plan) -> list[Chore]:
    """Backups as often as the plan says, and its deploys evenly between begin and end: the first is
    of the application that runs, the others are of changed ones."""
    return sorted(_chores(plan), key=lambda chore: chore.at_seconds)


def _chores(plan: Plan) -> Iterator[Chore]:
    number = 1
    while (at := number * plan.backup_seconds) < plan.seconds:
        yield Chore(at, BACKUP)
        number += 1
    for deploy in range(1, plan.deploys + 1):
        yield Chore(plan.seconds * deploy / (plan.deploys + 1), DEPLOY, deploy)


class Chores:
    """Does them, and notes when each began, when it was over, and what the host said."""

    def __init__(self, places: Places, plan: Plan, events: Lines) -> None:
        self._places = places
        self._plan = plan
        self._events = events

    def do(self, chore: Chore) -> None:
        """One of them; what it fails with is noted."""
        begun = time.time()
        note: dict[str, Any] = {"kind": chore.kind, "began": begun, "version": chore.version}
        try:
            note["result"] = self._backup() if chore.kind == BACKUP else self._deploy(chore.version)
        except Exception as error:
            note["error"] = repr(error)
        self._events.write({"at": time.time(), "chore": note})

    def _backup(self) -> dict[str, Any]:
        shutil.rmtree(self._places.backup, ignore_errors=True)
        result = self._ask(BACKUP, path=str(self._places.backup.absolute()))
        shutil.rmtree(self._places.backup)
        return result

    def _deploy(self, version: int) -> dict[str, Any]:
        write_application(self._places, self._plan, version)
        return self._ask(DEPLOY, application=APPLICATION)

    def _ask(self, operation: str, **given: Any) -> dict[str, Any]:
        lines = list(AdminClient.local(self._places.state.absolute()).stream(operation, **given))
        result: dict[str, Any] = lines[-1]["result"]
        return result
