"""One file of the commit log.

It has its size from the start, zeros written and synced, so that an append changes no metadata of
the file system: one write that returns when the disk has it (O_DSYNC), for which Python's lock is
given up and taken back once.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from .log_record import NONCE_BYTES, header_of, records_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHUNK_BYTES = 1024 * 1024


class Segment:
    """`first` and `last`: the sequences of its records, 0 without any; `end`: the offset behind them;
    `size`: of the file, in bytes."""

    __slots__ = ("_file", "_nonce", "end", "first", "last", "path", "size")

    def __init__(self, path: Path, sync: bool) -> None:
        """Open the file at `path` and read what is in it. OSError: the system refuses."""
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | (os.O_DSYNC if sync else 0)
        self.path = path
        self._file = os.open(path, flags, 0o600)
        self.size = os.fstat(self._file).st_size
        self._nonce = b""
        self.first = self.last = self.end = 0
        for sequence, end, _ in records_in(self._read(self.size)):
            self.first = self.first or sequence
            self.last, self.end = sequence, end

    @classmethod
    def create(cls, path: Path, size: int, sync: bool) -> Segment:
        """An empty one of `size` bytes. OSError: there is no space; no file is left."""
        try:
            segment = cls(path, sync=False)
            try:
                segment._fill(size)
                segment.sync()
            finally:
                segment.close()
            return cls(path, sync)
        except OSError:
            path.unlink(missing_ok=True)
            raise

    def append(self, sequence: int, payload: bytes) -> None:
        """Write a record behind the last, after `restart`. OSError: it is not written whole."""
        parts = [header_of(sequence, self._nonce, payload), payload]
        size = len(parts[0]) + len(payload)
        written = os.pwritev(self._file, parts, self.end)
        while written < size:  # cut short, as on a disk that is about to be full
            rest = b"".join(parts)[written:]
            written += os.pwrite(self._file, rest, self.end + written)
        self.first = self.first or sequence
        self.last = sequence
        self.end += size

    def restart(self) -> None:
        """Begin at its start again: nothing in it is needed any more."""
        self._nonce = os.urandom(NONCE_BYTES)
        self.first = self.last = self.end = 0

    def records(self) -> Iterator[tuple[int, bytes]]:
        """Sequence and payload of each record in it."""
        for sequence, _, payload in records_in(self._read(self.end)):
            yield sequence, payload

    def sync(self) -> None:
        """Have the whole file on the disk, its size too."""
        os.fsync(self._file)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _fill(self, size: int) -> None:
        while self.size < size:
            zeros = bytes(min(CHUNK_BYTES, size - self.size))
            self.size += os.pwrite(self._file, zeros, self.size)

    def _read(self, size: int) -> bytes:
        parts: list[bytes] = []
        while size > 0:
            part = os.pread(self._file, size, sum(map(len, parts)))
            if not part:
                break
            parts.append(part)
            size -= len(part)
        return b"".join(parts)
