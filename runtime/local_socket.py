"""The Unix socket of a data directory, by which commands on the same machine reach its host."""

from __future__ import annotations

import contextlib
import os
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

SOCKET_FILE = "admin.sock"
MAX_ADDRESS_BYTES = 100  # the system takes 107; a longer path is reached through its directory
BACKLOG = 64  # connections not yet accepted


def listen_locally(directory: Path) -> socket.socket:
    """A socket that listens in a data directory, for this user alone. Whatever has its name is
    replaced: call it while the directory is held. OSError: the file system has no sockets."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        (directory / SOCKET_FILE).unlink(missing_ok=True)
        with address_in(directory) as address:
            listening.bind(address)
        # The directory lets nobody else in either, as long as nobody opened it to others.
        (directory / SOCKET_FILE).chmod(0o600)
        listening.listen(BACKLOG)
    except BaseException:
        listening.close()
        raise

    return listening


def connect_locally(directory: Path, seconds: float) -> socket.socket:
    """A connection to the host of a data directory, which gives up after `seconds` of silence.

    FileNotFoundError, ConnectionRefusedError: no host listens there. PermissionError: it is another
    user's.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(seconds)
        with address_in(directory) as address:
            connection.connect(address)
    except BaseException:
        connection.close()
        raise

    return connection


def remove_socket(directory: Path) -> None:
    """Remove the name of a socket that is no longer listened on."""
    with contextlib.suppress(OSError):
        (directory / SOCKET_FILE).unlink()


@contextlib.contextmanager
def address_in(directory: Path) -> Generator[str]:
    """How the system is told where the socket is."""
    path = str(directory.absolute() / SOCKET_FILE)
    if len(os.fsencode(path)) <= MAX_ADDRESS_BYTES:
        yield path
        return

    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{handle}/{SOCKET_FILE}"
    finally:
        os.close(handle)
