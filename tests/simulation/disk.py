"""The disk of a run: files in memory, and what a real disk does to them.

What stands in for `os` in `log_segment` and `files` does each call for real, with a delay and faults
around it. It knows what is not on the disk yet: a write that has not returned, what no sync has
followed, an entry whose directory was not synced. A crash leaves any part of those.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from .faults import A_WRITE, Fault, Temptation
from .threads import Scheduler

SECTOR_BYTES = 512  # what a disk writes whole or not at all
PLENTY_BYTES = 1 << 40
QUICK_SECONDS = 0.000_2  # what a write takes, about
SLOW_SECONDS = 2.0  # at most, one that is slow
STUCK_SECONDS = (31.0, 70.0)  # one that does not come back in the time that the host gives it
NOT_COPIED = ("lock", "lock.mdb", "*.sock")


@dataclass(slots=True)
class Write:
    """One that has not returned."""

    path: Path
    offset: int
    data: bytes


class SimulatedDisk:
    """`directory`: the data directory of the process that runs. Faults come from outside: `full`,
    `stick_next`, `break_next`, `refuse_next`; `slow`: how likely a write is."""

    def __init__(
        self, root: Path, rng: Random, threads: Scheduler, happened: Callable[[Fault], object]
    ) -> None:
        self._root = root
        self._rng = rng
        self._threads = threads
        self._happened = happened
        self._paths: dict[int, Path] = {}  # by file descriptor, while it is open
        self._synced: set[int] = set()  # those of which a write returns when the disk has it
        self._in_flight: list[Write] = []
        self._unsynced: dict[Path, int] = {}  # to the size that is on the disk
        self._unlisted: dict[Path, None] = {}  # new, and their directory was not synced
        self._closes: list[Callable[[], object]] = []
        self._number = 1
        self.directory = root / "1"
        self.slow = 0.0
        self.full = False
        self.stick_next = self.break_next = self.shorten_next = False
        self.refuse_next: list[Exception] = []  # by LMDB
        self.tempt: Callable[[Temptation], object] = id
        self.disturbances = 0  # calls that failed, or told of a full disk

    def mend(self) -> None:
        """No more faults."""
        self.slow = 0.0
        self.full = self.stick_next = self.break_next = self.shorten_next = False
        self.refuse_next.clear()

    def crash(self) -> None:
        """The machine stops: the next process finds a copy of what is on the disk at this moment."""
        self._number += 1
        before, self.directory = self.directory, self._root / str(self._number)
        if before.exists():
            shutil.copytree(before, self.directory, ignore=shutil.ignore_patterns(*NOT_COPIED))
        for write in self._in_flight:
            self._tear(self._copy_of(write.path, before), write)
        for path, size in self._unsynced.items():
            copy = self._copy_of(path, before)
            if copy.exists():
                os.truncate(copy, self._rng.randint(size, max(size, copy.stat().st_size)))
        for path in self._unlisted:
            if self._rng.random() < 0.5:
                self._copy_of(path, before).unlink(missing_ok=True)
        self._unsynced.clear()
        self._unlisted.clear()

    def close_files(self) -> None:
        """Close what processes that crashed have left open."""
        for file in list(self._paths):
            os.close(file)
        self._paths.clear()
        for close in self._closes:
            close()

    def on_close(self, close: Callable[[], object]) -> None:
        """Have something else closed with the files; it may be closed already."""
        self._closes.append(close)

    def commit(self) -> None:
        """What LMDB's commit takes, before it is done. lmdb.Error: it fails."""
        self._threads.give_way()
        if self.refuse_next:
            self.disturbances += 1
            raise self.refuse_next.pop(0)

        self.delay("LMDB's commit")

    def delay(self, what: str) -> None:
        """What a sync takes."""
        rng = self._rng
        seconds = rng.choice((0.0, QUICK_SECONDS, rng.random() * 10 * QUICK_SECONDS))
        if self.stick_next:
            self.stick_next = False
            self._happened(Fault.STUCK_DISK)
            seconds = rng.uniform(*STUCK_SECONDS)
        elif self.slow and rng.random() < self.slow:
            self._happened(Fault.SLOW_DISK)
            seconds = rng.random() * SLOW_SECONDS
        if seconds:
            self._threads.sleep(seconds, what)
        else:
            self._threads.give_way()

    def open(self, path: Path, flags: int, mode: int = 0o777) -> int:
        """`os.open`."""
        new = bool(flags & os.O_CREAT) and not os.path.lexists(path)
        if new and self.full:
            raise self._error(errno.ENOSPC)

        file = os.open(path, flags, mode)
        self._paths[file] = Path(path)
        if flags & os.O_DSYNC:
            self._synced.add(file)
        if new:
            self._unlisted[Path(path)] = None
        return file

    def write(self, file: int, data: bytes, offset: int) -> int:
        """`os.pwrite`: how much of it was written."""
        rng, path = self._rng, self._paths[file]
        if self.full and rng.random() < 0.7:
            raise self._error(errno.ENOSPC)

        if self.shorten_next and len(data) > 1:
            self.shorten_next = False
            self._happened(Fault.SHORT_WRITE)
            data = data[: rng.randrange(1, len(data))]
        if file not in self._synced:
            self._unsynced.setdefault(path, os.fstat(file).st_size)
            return os.pwrite(file, data, offset)

        write = Write(path, offset, data)
        self._in_flight.append(write)
        self.tempt(A_WRITE)
        try:
            self.delay("a write")
            if self.break_next:
                self.break_next = False
                self._happened(Fault.BROKEN_DISK)
                self._tear(path, write)
                raise self._error(errno.EIO)

            written = os.pwrite(file, data, offset)
        finally:
            self._in_flight.remove(write)
        self._threads.give_way()
        return written

    def sync(self, file: int) -> None:
        """`os.fsync`, of a file or of a directory."""
        self.delay("a sync")
        os.fsync(file)
        path = self._paths.get(file)
        if path is None:
            return  # opened past us, as what is written once is

        self._unsynced.pop(path, None)
        for listed in [each for each in self._unlisted if each.parent == path]:
            del self._unlisted[listed]

    def close(self, file: int) -> None:
        """`os.close`."""
        os.close(file)
        del self._paths[file]
        self._synced.discard(file)

    @property
    def free_bytes(self) -> int:
        """What may still be written."""
        return 0 if self.full else PLENTY_BYTES

    def _error(self, number: int) -> OSError:
        self.disturbances += 1
        return OSError(number, os.strerror(number))

    def _copy_of(self, path: Path, before: Path) -> Path:
        return self.directory / path.relative_to(before)

    def _tear(self, path: Path, write: Write) -> None:
        """Have any of the sectors of a write on the disk: none, a few, or all."""
        if not path.exists():
            return

        end = write.offset + len(write.data)
        share = self._rng.choice((0.0, 0.5, 0.5, 0.9, 1.0))
        begin = write.offset
        with path.open("r+b") as file:
            while begin < end:
                until = min(end, (begin // SECTOR_BYTES + 1) * SECTOR_BYTES)
                if self._rng.random() < share:
                    file.seek(begin)
                    file.write(write.data[begin - write.offset : until - write.offset])
                begin = until
        self._happened(Fault.TORN_WRITE)


class SimulatedOS:
    """What stands in for the module `os` in modules of storage."""

    def __init__(self, disk: SimulatedDisk) -> None:
        self._disk = disk
        self.open = disk.open
        self.pwrite = disk.write
        self.fsync = disk.sync
        self.close = disk.close

    def pwritev(self, file: int, parts: list[bytes], offset: int) -> int:
        """`os.pwritev`."""
        return self._disk.write(file, b"".join(parts), offset)

    def statvfs(self, _path: Path) -> Any:
        """As much of the answer as is looked at. Who hears of a full disk may refuse to try it."""
        self._disk.disturbances += self._disk.full
        return _Space(self._disk.free_bytes)

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)


@dataclass(frozen=True)
class _Space:
    f_bavail: int
    f_frsize: int = 1
