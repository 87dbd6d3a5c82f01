"""A backup that is taken while a host acknowledges hundreds of writes a second."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from roomhost.bindings import connect
from roomhost.runtime import DurableObjectError
from roomhost.runtime.testing import host_for

from ..helpers.host_process import COMMAND, HostProcess
from ..helpers.ledger_app import app

OBJECTS = 12
BEFORE = 600  # writes acknowledged before the backup begins
AFTER = 150  # and after it has ended
ENVIRONMENT = {"ROOMHOST_API_KEYS": "key"}


@pytest.fixture(scope="module")
def anyio_backend() -> Any:
    """The host is a process of its own."""
    return ("asyncio", {"use_uvloop": True})


class Writers:
    """`acknowledged`: how many lines of each object; `asked`: of the last that may be there."""

    def __init__(self) -> None:
        self.acknowledged: Counter[str] = Counter()
        self.asked: Counter[str] = Counter()
        self._more = anyio.Event()

    async def write(self, env: Any, name: str) -> None:
        """Append to one object until its host is gone."""
        stub = env.LEDGER.get_by_name(name)
        while True:
            self.asked[name] += 1
            try:
                await stub.append()
            except DurableObjectError:
                return

            self.acknowledged[name] += 1
            self._more.set()

    async def reach(self, total: int) -> None:
        """Return when so many were acknowledged."""
        while self.acknowledged.total() < total:
            self._more = anyio.Event()
            await self._more.wait()


@asynccontextmanager
async def writing(url: str) -> AsyncGenerator[Writers]:
    """Writers to a host."""
    writers = Writers()
    async with connect(url, api_key="key") as env, anyio.create_task_group() as group:
        for number in range(OBJECTS):
            group.start_soon(writers.write, env, f"ledger-{number}")
        yield writers


def run(*arguments: str) -> str:
    """A command that succeeds; what it says."""
    done = subprocess.run([str(COMMAND), *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


async def test_a_backup_under_load_has_every_write_acknowledged_before_it(tmp_path: Path) -> None:
    """Each object is as it was after one of its writes; the host is killed right after the backup, and
    loses nothing itself."""
    state, target, restored = (str(tmp_path / name) for name in ("state", "backup", "restored"))
    with HostProcess("tests.helpers.ledger_app:app", Path(state), ENVIRONMENT) as host:
        async with writing(host.url) as writers:
            await writers.reach(BEFORE)
            before = writers.acknowledged.copy()
            said = await anyio.to_thread.run_sync(
                partial(run, "backup", target, "--data-dir", state)
            )
            after = writers.acknowledged.copy()
            await writers.reach(after.total() + AFTER)
            host.kill()
        last, asked = writers.acknowledged, writers.asked
    assert f"roomhost: {OBJECTS} objects, " in said
    assert "verified" in said

    run("restore", target, "--data-dir", restored)
    held = await lines_in(restored)
    for name, count in held.items():
        assert before[name] <= count <= asked[name]
    assert held.total() < last.total()
    kept = await lines_in(state)
    for name, count in kept.items():
        assert last[name] <= count <= asked[name]


async def lines_in(directory: str) -> Counter[str]:
    """How many lines each object has, which are the first so many, in the count's own words too."""
    found: Counter[str] = Counter()
    async with host_for(app, data_dir=directory) as host:
        for number in range(OBJECTS):
            name = f"ledger-{number}"
            count, keys = await host.env.LEDGER.get_by_name(name).read()
            assert keys == [f"line:{line:08}" for line in range(count)]
            found[name] = count
    return found
