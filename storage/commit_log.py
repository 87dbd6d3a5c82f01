"""The commit log: every group of batches, appended and on the disk before it is acknowledged.

It promises that what `append` returned for is found by `replay` after a crash at any moment, until
`trim` says that LMDB has it. One append is in flight at a time, so only the last record can be torn.
Segments are used in turn: one begins again when LMDB has all that is in it.

A sector of the disk that is written again, for the next record, must not lose what it held: disks
promise that, and other logs rely on it too.
"""

from __future__ import annotations

import errno
from time import perf_counter
from typing import TYPE_CHECKING

from .errors import DataDirectoryError, StorageError
from .files import sync_directory
from .histogram import Histogram
from .limits import (
    INITIAL_SEGMENT_BYTES,
    MAX_LOG_BYTES,
    MAX_SEGMENT_BYTES,
    SYNC_BOUNDS_SECONDS,
)
from .log_record import HEADER, decode_batches
from .log_segment import Segment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .batch import Batch

NAME = "log-"
# The system refused before anything of the record could be anywhere: the next one may fit.
NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class CommitLog:
    """The log in a directory. `last`: the sequence of the newest group; `applied`: of the newest that
    LMDB has.

    The writer's thread reserves and appends, the applier's trims and replays; before the writer
    starts, and after it has ended, any one thread. Once an append may or may not be on the disk, the
    log is broken for good: only a restart reads it again.
    """

    def __init__(
        self,
        directory: Path,
        applied: int,
        *,
        sync: bool = True,
        initial_segment_bytes: int = INITIAL_SEGMENT_BYTES,
        max_segment_bytes: int = MAX_SEGMENT_BYTES,
        max_bytes: int = MAX_LOG_BYTES,
    ) -> None:
        """Open the log in `directory`, of which LMDB has all up to `applied`. DataDirectoryError: a
        record is missing, or the system refuses."""
        self._directory = directory
        self._sync = sync
        self._segment_bytes = initial_segment_bytes
        self._max_segment_bytes = max_segment_bytes
        self._max_bytes = max_bytes
        self._segments: list[Segment] = []
        self._current: Segment | None = None
        self._broken: str | None = None
        self.sync_seconds = Histogram(SYNC_BOUNDS_SECONDS)  # of each synced write
        self.applied = applied
        try:
            self._open_segments()
            self.last = self._check_order()
        except OSError as error:
            self.close()
            raise DataDirectoryError(
                f"the commit log in {directory} cannot be opened ({error.strerror or error}): check "
                "that this user may write it"
            ) from error
        except BaseException:
            self.close()
            raise

    def reserve(self, size: int) -> bool:
        """Whether a payload of `size` bytes can be appended now. A segment is begun, or made, where
        that is needed; False: everything is in use and no more may be made, or the disk is full."""
        size += HEADER.size
        current = self._current
        if current is not None and current.end + size <= current.size:
            return True

        free = self._free(size)
        found = max(free, key=_size_of) if free else self._grow(size)
        if found is not None:
            found.restart()
            self._current = found
        return found is not None

    @property
    def size(self) -> int:
        """The bytes of its files."""
        return sum(segment.size for segment in self._segments)

    @property
    def unapplied(self) -> int:
        """At most how many bytes of it LMDB does not have: those of the segments that are still needed."""
        return sum(segment.end for segment in self._segments if segment.last > self.applied)

    @property
    def broken(self) -> str | None:
        """Why nothing can be appended any more, if that is so."""
        return self._broken

    def has_room(self, size: int) -> bool:
        """Whether a payload of `size` bytes has a place in the segments that there are."""
        size += HEADER.size
        current = self._current
        return (current is not None and current.end + size <= current.size) or bool(
            self._free(size)
        )

    def append(self, payload: bytes) -> None:
        """Have a group on the disk, in the place that `reserve` found. StorageError: it is not there;
        the message says why and what to do."""
        if self._broken is not None:
            # Another each time: raised again and again, one error would keep every group that met it.
            raise StorageError(self._broken)

        assert self._current is not None
        begun = perf_counter()
        try:
            self._current.append(self.last + 1, payload)
        except OSError as error:
            if error.errno in NO_SPACE:
                raise StorageError(
                    f"the disk is full, fails, or has reached a file limit ({error}): free space, "
                    "then call again; nothing of this commit is stored"
                ) from error

            self._broken = f"storage is unusable ({error}): check the disk, restart the host"
            raise StorageError(self._broken) from error

        self.last += 1
        self.sync_seconds.add(perf_counter() - begun)

    def skip(self) -> None:
        """The group after the last was stored in LMDB directly, when everything before it was there.

        The next record begins a segment: sequences rise by one in each."""
        self.last += 1
        self.applied = self.last
        self._current = None

    def trim(self, applied: int) -> None:
        """LMDB has everything up to this sequence, durably."""
        self.applied = max(self.applied, applied)

    def replay(self) -> Iterator[tuple[int, list[Batch]]]:
        """The groups that LMDB does not have, in order, with their sequences. DataDirectoryError,
        OSError: one cannot be read any more."""
        expected, last = self.applied + 1, self.last
        for segment in sorted(self._segments, key=_first_of):
            if segment.last < expected:
                continue

            for sequence, payload in segment.records():
                if expected <= sequence <= last:
                    self._expect(sequence, expected)
                    yield sequence, decode_batches(payload)
                    expected = sequence + 1
        self._expect(last + 1, expected)

    def close(self) -> None:
        """Close the files. No append may be in progress."""
        for segment in self._segments:
            segment.close()
        self._segments = []

    def _open_segments(self) -> None:
        paths = [
            path
            for path in self._directory.iterdir()
            if path.name.startswith(NAME) and path.name[len(NAME) :].isdigit()
        ]
        for path in paths:
            segment = Segment(path, self._sync)
            self._segments.append(segment)
            if self._sync:
                # A crash may have come between the making of a file and its sync.
                segment.sync()
        if paths and self._sync:
            sync_directory(self._directory)

    def _check_order(self) -> int:
        """The sequence of the newest group. DataDirectoryError: one before it is missing."""
        expected = self.applied + 1
        for segment in sorted(self._segments, key=_first_of):
            if segment.last >= expected:
                self._expect(min(segment.first, expected), segment.first)
                expected = segment.last + 1
        return expected - 1

    def _expect(self, found: int, expected: int) -> None:
        if found != expected:
            raise DataDirectoryError(
                f"the commit log in {self._directory} is damaged: the groups from {found} to "
                f"{expected} are not all there; restore a backup"
            )

    def _free(self, size: int) -> list[Segment]:
        """The segments of at least `size` bytes in which nothing is that LMDB does not have."""
        return [
            segment
            for segment in self._segments
            if segment.last <= self.applied and size <= segment.size
        ]

    def _grow(self, size: int) -> Segment | None:
        """A new segment of at least `size` bytes, if one may be made."""
        largest = max((segment.size for segment in self._segments), default=0)
        wanted = max(self._segment_bytes, 2 * largest)
        while wanted < size:
            wanted *= 2
        wanted = min(wanted, self._max_segment_bytes)
        total = sum(segment.size for segment in self._segments)
        if size > wanted or total + wanted > self._max_bytes:
            return None

        numbers = [int(segment.path.name[len(NAME) :]) for segment in self._segments]
        path = self._directory / f"{NAME}{1 + max(numbers, default=-1)}"
        try:
            segment = Segment.create(path, wanted, self._sync)
            if self._sync:
                sync_directory(self._directory)
                sync_directory(self._directory.parent)  # it may be new itself
        except OSError:
            return None

        self._segments = [*self._segments, segment]
        return segment


def _first_of(segment: Segment) -> int:
    return segment.first


def _size_of(segment: Segment) -> int:
    return segment.size
