"""The process that copies beside a host: what it says, and how it ends."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from roomhost.storage import Batch, DataDirectory, Partition
from roomhost.storage.backup_process import Teller
from roomhost.storage.copy_step import Step
from roomhost.storage.restore import check_backup, restore

from .states import SECRETS, make_state, open_partition, put, read_state

PUTS = 60


@contextmanager
def served(state: Path) -> Generator[Partition]:
    """A partition that a host has open, with much in its log that LMDB does not have."""
    directory = DataDirectory.open(state)
    partition = open_partition(directory, apply_delay_seconds=None)
    try:
        for number in range(PUTS):
            put(partition, Batch(1, None, False, {b"%04d" % number: bytes(9_000)}, number))
        yield partition
    finally:
        partition.abandon()
        directory.close()


def start(state: Path, target: Path) -> subprocess.Popen[str]:
    """The process."""
    command = [sys.executable, "-P", "-m", "roomhost.storage.backup_process"]
    told = [str(state), str(target), "1.2.3", "2026-11-27T12:00:00+00:00", SECRETS]
    return subprocess.Popen(
        [*command, *told], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_what_was_in_the_log_alone_is_in_a_backup_once_lmdb_was_brought_up_to_it(
    tmp_path: Path,
) -> None:
    """The steps are told as lines of JSON, the last line is the manifest. Writes go on meanwhile."""
    state = make_state(tmp_path / "state", [1])
    with served(state) as partition:
        partition.apply_now()
        with start(state, tmp_path / "backup") as child:
            put(partition, Batch(1, None, False, {b"later": b""}, None))
            partition.apply_now()
            said, complained = child.communicate()
    lines: list[dict[str, Any]] = [json.loads(line) for line in said.splitlines()]
    assert complained == ""
    assert child.returncode == 0
    assert [next(iter(line)) for line in lines] == ["progress"] * (len(lines) - 1) + ["result"]
    assert lines[-1]["result"]["roomhost"] == "1.2.3"

    restore(tmp_path / "backup", tmp_path / "new", when="now")
    entries, due = read_state(tmp_path / "new", [1])[1]
    assert {b"%04d" % number for number in range(PUTS)} <= entries.keys()
    assert due == (None if b"later" in entries else PUTS - 1)


def test_an_error_is_the_last_line(tmp_path: Path) -> None:
    """Nothing else is said."""
    with start(tmp_path / "nothing", tmp_path / "backup") as child:
        said, complained = child.communicate()
    assert list(json.loads(said)) == ["error"]
    assert "name a data directory" in json.loads(said)["error"]
    assert (complained, child.returncode) == ("", 1)


@pytest.mark.parametrize("how", ["nobody reads", "SIGTERM", "SIGKILL"])
def test_one_that_is_ended_leaves_no_backup(tmp_path: Path, how: str) -> None:
    """Unless it was whole already; one that is killed leaves a partial, which the next one clears."""
    state = make_state(tmp_path / "state", [1])
    with served(state) as partition:
        partition.apply_now()
        with start(state, tmp_path / "backup") as child:
            assert child.stdout is not None
            assert child.stderr is not None
            if how == "nobody reads":
                child.stdout.close()
            else:
                assert child.stdout.readline()
                child.send_signal(getattr(signal, how))
            complained = child.stderr.read()
        assert complained == ""
        if (tmp_path / "backup").exists():
            check_backup(tmp_path / "backup")
            assert how != "nobody reads"
            return

        assert (tmp_path / "backup.partial").exists() <= (how == "SIGKILL")
        partition.forget_readers()
        if how == "SIGKILL":
            with start(state, tmp_path / "backup") as child:
                child.communicate()
            check_backup(tmp_path / "backup")
            assert not (tmp_path / "backup.partial").exists()


def test_progress_is_told_a_few_times_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step at once, and its end."""
    said: list[Any] = []
    now = 0.0
    monkeypatch.setattr("roomhost.storage.backup_process.say", said.append)
    monkeypatch.setattr("time.monotonic", lambda: now)
    teller = Teller()
    for done in range(1, 101):
        now += 0.01
        teller.report(Step.COPYING, done, 100)
    teller.report(Step.VERIFYING, 0, 1)
    steps = [(line["progress"]["step"], line["progress"]["done"]) for line in said]
    assert steps[0] == ("copying", 1)
    assert steps[-2:] == [("copying", 100), ("verifying", 0)]
    assert 8 <= len(steps) <= 14
