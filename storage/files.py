"""Files that are on the disk when a function returns, and their checksums."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from .limits import COPY_CHUNK_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def sync_directory(path: Path) -> None:
    """Have the entries of a directory on the disk."""
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def create(path: Path) -> int:
    """A new file that this user alone may read, open for writing. OSError: it is there already, or
    the system refuses."""
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)


def write_file(path: Path, data: bytes) -> None:
    """A new file with `data` in it, synced; its entry in the directory is not. OSError as `create`."""
    with os.fdopen(create(path), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def copy_file(source: Path, target: Path, report: Callable[[int], object]) -> str:
    """Copy to a new file, synced; the SHA-256 of what was copied, in hexadecimal.

    `report(bytes)` after each piece, with its size. OSError: the system refuses.
    """
    digest = hashlib.sha256()
    with source.open("rb") as reading, os.fdopen(create(target), "wb") as writing:
        while chunk := reading.read(COPY_CHUNK_BYTES):
            writing.write(chunk)
            digest.update(chunk)
            report(len(chunk))
        writing.flush()
        os.fsync(writing.fileno())
    return digest.hexdigest()


def checksum(path: Path, report: Callable[[int], object]) -> str:
    """The SHA-256 of a file, in hexadecimal; `report` as in `copy_file`."""
    digest = hashlib.sha256()
    with path.open("rb") as reading:
        while chunk := reading.read(COPY_CHUNK_BYTES):
            digest.update(chunk)
            report(len(chunk))
    return digest.hexdigest()


def free_bytes(path: Path) -> int:
    """What this user may still write on the disk of `path`."""
    disk = os.statvfs(path)
    return disk.f_bavail * disk.f_frsize


def forget(file: Path) -> None:
    """Have the system drop its copy of a synced file, so that the next read is the disk's answer."""
    opened = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(opened, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(opened)
