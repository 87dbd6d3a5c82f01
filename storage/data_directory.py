"""A data directory: who holds it, and what format it has."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import DataDirectoryError, DataDirectoryHeldError
from .files import sync_directory

if TYPE_CHECKING:
    from collections.abc import Callable

FORMAT_VERSION = 2  # with a commit log: what read 1 would not see what is in it
OLDER_VERSIONS = (1,)  # that are raised to it when they are opened
FORMAT_FILE = "FORMAT"
FORMAT_DRAFT = "FORMAT.draft"
LOCK_FILE = "lock"
PARTITION = "partition-0"
RESTORE_DRAFT = (
    "restore.partial"  # there is one while a backup is restored, or where that was cut short
)
MANIFEST = "backup.json"  # what a backup has in place of FORMAT
OURS = {LOCK_FILE, FORMAT_DRAFT}  # what a crash may leave behind before there is a format


class DataDirectory:
    """An open data directory, held by this process alone until `close`."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock: int | None = lock

    @classmethod
    def open(cls, path: str | Path) -> DataDirectory:
        """Take the directory at `path`, which is made when missing.

        DataDirectoryError: another host holds it, in this process or another (who, since when); it
        has a format of another version; it is a directory of something else.
        """
        path = Path(path).absolute()
        return cls._open(path, _check_owner, _check_format)

    @classmethod
    def take(cls, path: str | Path) -> DataDirectory:
        """Take the directory at `path`, which is made when missing, whatever is in it.

        DataDirectoryError: another host holds it, or the system refuses.
        """
        return cls._open(Path(path).absolute(), _accept, _accept)

    @classmethod
    def _open(
        cls, path: Path, before: Callable[[Path], object], after: Callable[[Path], object]
    ) -> DataDirectory:
        """Take it between two looks at it."""
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            before(path)
            lock = os.open(path / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                _take(path, lock)
                after(path)
            except BaseException:
                os.close(lock)
                raise

        except OSError as error:
            raise DataDirectoryError(
                f"the data directory {path} cannot be used ({error.strerror or error}): name a "
                "directory that this user may write, on a disk with space"
            ) from error

        return cls(path, lock)

    @property
    def partition(self) -> Path:
        """Where its one partition stands."""
        return self.path / PARTITION

    def close(self) -> None:
        """Let another host take it. A second call does nothing."""
        lock, self._lock = self._lock, None
        if lock is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(lock, 0)
            os.close(lock)


def holder_of(path: Path) -> str | None:
    """Who holds the directory at `path`; None: nobody, or there is none. It is only asked: a host that
    starts in the same moment may be refused. OSError: the lock cannot be opened."""
    try:
        lock = os.open(path / LOCK_FILE, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None

    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return holder_in(lock)
    else:
        return None
    finally:
        os.close(lock)


def check_directory(path: Path) -> None:
    """DataDirectoryError: the directory at `path` is one of something else, or of another format.
    Nothing is written."""
    _check_owner(path)
    if (path / FORMAT_FILE).exists():
        _check_version(path, read_format(path))


def _check_owner(path: Path) -> None:
    """Never write into a directory that holds something else."""
    if not (path / FORMAT_FILE).exists():
        others = {entry.name for entry in path.iterdir()} - OURS
        if RESTORE_DRAFT in others:
            raise DataDirectoryError(
                f"a backup was being restored to {path} when something stopped it: run `roomhost "
                "restore` again"
            )

        if MANIFEST in others:
            raise DataDirectoryError(
                f"{path} is a backup: `roomhost restore` makes a data directory of it"
            )

        if others:
            raise DataDirectoryError(
                f"{path} is no roomhost data directory: it holds {sorted(others)[0]!r}; "
                "name an empty directory"
            )


def _accept(path: Path) -> None:
    """Take a directory whatever is in it."""


def _take(path: Path, lock: int) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = holder_in(lock)
        raise DataDirectoryHeldError(
            f"the data directory {path} is held by {holder}: stop that host first, or name "
            "another directory",
            holder,
        ) from None

    ours = {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    os.ftruncate(lock, 0)
    os.pwrite(lock, json.dumps(ours).encode(), 0)


def holder_in(lock: int) -> str:
    """Who says, in the open lock file, that they hold the directory."""
    try:
        holder: dict[str, Any] = json.loads(os.pread(lock, 4_096, 0))
        return f"process {holder['pid']} on {holder['host']} since {holder['since']}"
    except (ValueError, KeyError, TypeError):
        return "another process"


def read_format(path: Path) -> int | str | None:
    """The version that FORMAT says; None: there is no such file. OSError: it cannot be read."""
    try:
        version: int | str = json.loads((path / FORMAT_FILE).read_text())["format"]
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        return "of an unknown kind"

    return version


def _check_format(path: Path) -> None:
    version = read_format(path)
    if version is None or version in OLDER_VERSIONS:
        _write_format(path)
    else:
        _check_version(path, version)


def _check_version(path: Path, version: int | str | None) -> None:
    if version != FORMAT_VERSION and version not in OLDER_VERSIONS:
        raise DataDirectoryError(
            f"the data directory {path} has format {version}, this roomhost reads {FORMAT_VERSION}: "
            "use the version that wrote it"
        )


def format_text(version: int) -> str:
    """What FORMAT says of a directory of that version."""
    return json.dumps({"format": version}) + "\n"


def _write_format(path: Path) -> None:
    """Written beside and moved, and on the disk before anything else is, so that a crash or a power
    cut leaves the whole file or none."""
    draft = path / FORMAT_DRAFT
    with draft.open("w") as file:
        file.write(format_text(FORMAT_VERSION))
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path / FORMAT_FILE)
    sync_directory(path)
