"""The operation `backup` of a host that goes on."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from roomhost.admin import backup as operation
from roomhost.admin.backup import BackupInput, back_up
from roomhost.admin.errors import OperationError
from roomhost.runtime import Host
from roomhost.runtime.testing import host_for
from roomhost.storage import Partition
from roomhost.storage.restore import restore

from ..helpers.ledger_app import app

WRITES = 40


@pytest.fixture
async def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Host]:
    """A host with a few lines, which are in its log alone until somebody asks for more."""
    monkeypatch.setattr(Partition, "open", partial(Partition.open, apply_delay_seconds=None))
    async with host_for(app, data_dir=tmp_path / "state") as running:
        for _ in range(WRITES):
            await running.env.LEDGER.get_by_name("a").append()
        yield running


async def test_a_backup_has_all_that_was_acknowledged_before(host: Host, tmp_path: Path) -> None:
    """Calls are served while it is made; it restores, tokens too."""
    begun = anyio.Event()
    lines: list[dict[str, Any]] = []

    async def write() -> None:
        await begun.wait()
        for _ in range(WRITES):
            await host.env.LEDGER.get_by_name("a").append()

    async with anyio.create_task_group() as group:
        group.start_soon(write)
        async for line in back_up(host, BackupInput(path=str(tmp_path / "backup"))):
            begun.set()
            lines.append(line)
    assert [next(iter(line)) for line in lines] == ["progress"] * (len(lines) - 1) + ["result"]
    result = lines[-1]["result"]
    assert result["objects"] == 1
    assert result["entries"] >= WRITES + 1
    assert result["verified"]
    assert list(dict.fromkeys(line["progress"]["step"] for line in lines[:-1])) == [
        "applying",
        "copying",
        "verifying",
        "finishing",
    ]

    restore(tmp_path / "backup", tmp_path / "new", when="now")
    async with host_for(app, data_dir=tmp_path / "new") as restored:
        count, keys = await restored.env.LEDGER.get_by_name("a").read()
        assert count == len(keys) >= WRITES
        assert restored.token_secrets == host.token_secrets


async def test_what_cannot_be_is_refused_with_a_code(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path of nobody knows where; one that is taken; a process that says nothing."""

    async def refusal(path: str) -> OperationError:
        with pytest.raises(OperationError) as refused:
            async for _ in back_up(host, BackupInput(path=path)):
                pass
        return refused.value

    assert (await refusal("backup")).field == "path"
    taken = await refusal(str(tmp_path / "state" / "lock"))
    assert taken.code == "backup_failed"
    assert "is there already" in str(taken)
    monkeypatch.setattr(operation, "PROCESS", "roomhost.storage.limits")
    silent = await refusal(str(tmp_path / "backup"))
    assert "ended with status 0" in str(silent)


async def test_a_backup_that_is_given_up_leaves_nothing(host: Host, tmp_path: Path) -> None:
    """Its process ends, and the host can make another one."""
    path = str(tmp_path / "backup")
    async with aclosing(back_up(host, BackupInput(path=path))) as lines:
        async for line in lines:
            if line["progress"]["step"] == "copying":
                break
    names = {name for name in os.listdir(tmp_path) if name.startswith("backup")}
    assert names <= {"backup"}
    async for line in back_up(host, BackupInput(path=f"{path}-2")):
        last = line
    assert last["result"]["objects"] == 1
