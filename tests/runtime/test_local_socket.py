"""The Unix socket of a data directory, however long its path."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from roomhost.runtime.local_socket import (
    SOCKET_FILE,
    connect_locally,
    listen_locally,
    remove_socket,
)


@pytest.mark.parametrize("depth", [0, 1, 8])
def test_it_is_reached_by_any_path(tmp_path: Path, depth: int) -> None:
    """The system's own limit is a hundred bytes; nobody else may open it."""
    directory = tmp_path.joinpath(*["d" * 100] * depth)
    directory.mkdir(parents=True, exist_ok=True)
    with listen_locally(directory) as listening:
        mode = (directory / SOCKET_FILE).stat().st_mode
        assert stat.S_ISSOCK(mode)
        assert stat.S_IMODE(mode) == 0o600
        with connect_locally(directory, 1.0) as ours:
            theirs, _ = listening.accept()
            with theirs:
                ours.sendall(b"hello")
                assert theirs.recv(5) == b"hello"
    remove_socket(directory)
    remove_socket(directory)
    assert list(directory.iterdir()) == []


def test_one_that_was_left_is_replaced(tmp_path: Path) -> None:
    """By whoever holds the directory now."""
    listen_locally(tmp_path).close()
    with pytest.raises(ConnectionRefusedError):
        connect_locally(tmp_path, 1.0)
    with listen_locally(tmp_path), connect_locally(tmp_path, 1.0):
        pass


def test_without_a_host_there_is_none(tmp_path: Path) -> None:
    """Which is told apart from one that is dead."""
    with pytest.raises(FileNotFoundError):
        connect_locally(tmp_path, 1.0)
