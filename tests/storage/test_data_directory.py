"""Who may use a data directory."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from roomhost.storage import DataDirectory, DataDirectoryError

HOLDER = """
import sys
from roomhost.storage import DataDirectory
held = DataDirectory.open(sys.argv[1])
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_host_is_told_who_holds_it(tmp_path: Path) -> None:
    """In another process: one line, with the pid, the machine and since when."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "state")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(DataDirectoryError) as refused:
            DataDirectory.open(tmp_path / "state")
        holder.kill()

    message = str(refused.value)
    assert f"process {holder.pid} on {os.uname().nodename} since 20" in message
    assert "stop that host first" in message
    assert "\n" not in message
    DataDirectory.open(tmp_path / "state").close()  # a killed holder holds nothing


def test_the_same_process_holds_it_once(tmp_path: Path) -> None:
    """Two hosts in one process would be two writers as well."""
    held = DataDirectory.open(tmp_path / "state")
    with pytest.raises(DataDirectoryError, match=f"process {os.getpid()}"):
        DataDirectory.open(tmp_path / "state")
    held.close()
    held.close()
    DataDirectory.open(tmp_path / "state").close()


def test_an_older_format_is_raised(tmp_path: Path) -> None:
    """A roomhost from before the commit log must not open what has one."""
    DataDirectory.open(tmp_path).close()
    (tmp_path / "FORMAT").write_text('{"format": 1}')
    DataDirectory.open(tmp_path).close()
    assert json.loads((tmp_path / "FORMAT").read_text()) == {"format": 2}


def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    """Of a later version, or damaged."""
    DataDirectory.open(tmp_path).close()
    for text in ('{"format": 99}', "{}", "not json", "[]"):
        (tmp_path / "FORMAT").write_text(text)
        with pytest.raises(DataDirectoryError, match="has format"):
            DataDirectory.open(tmp_path)


def test_a_directory_of_something_else_is_left_alone(tmp_path: Path) -> None:
    """Nothing is written into it."""
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(DataDirectoryError, match=r"holds 'thesis\.txt'"):
        DataDirectory.open(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_path_that_is_no_directory_is_one_line(tmp_path: Path) -> None:
    """A file, or a place where nothing can be made."""
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(DataDirectoryError, match="cannot be used") as refused:
            DataDirectory.open(path)
        assert "\n" not in str(refused.value)


def test_a_crash_while_it_was_made_leaves_it_usable(tmp_path: Path) -> None:
    """Half a format file, and a lock that nobody holds."""
    (tmp_path / "lock").write_text('{"pid": 1')
    (tmp_path / "FORMAT.draft").write_text('{"for')
    DataDirectory.open(tmp_path).close()
    DataDirectory.open(tmp_path).close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["FORMAT", "lock"]


def test_a_disk_without_space_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the directory is free for the next try."""

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(DataDirectoryError, match=r"No space left.*name a directory") as refused:
            DataDirectory.open(tmp_path / "state")
    assert "\n" not in str(refused.value)
    DataDirectory.open(tmp_path / "state").close()


def test_only_its_owner_may_look_in(tmp_path: Path) -> None:
    """Keys and users' data are nobody else's."""
    DataDirectory.open(tmp_path / "state").close()
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
