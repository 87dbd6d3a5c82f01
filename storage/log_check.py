"""Whether the commit log of a partition has all that LMDB does not have, found by reading alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

from .commit_log import NAME
from .finding import Finding, Level, counted
from .log_record import COVERED, HEADER, MAGIC, records_in

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


class SegmentRecords(NamedTuple):
    """`first` and `last` sequence of the records that are read from a segment's start, 0 without
    any; `beyond`: the greatest sequence of a whole record behind those, which damage has cut off,
    0 without one."""

    name: str
    first: int
    last: int
    beyond: int


def read_segments(partition: Path) -> list[SegmentRecords]:
    """The segments in a partition's directory. OSError: one cannot be read."""
    return [
        read_segment(path.name, path.read_bytes())
        for path in sorted(partition.iterdir())
        if path.name.startswith(NAME) and path.name[len(NAME) :].isdigit()
    ]


def read_segment(name: str, data: bytes) -> SegmentRecords:
    """What is in the bytes of a segment.

    One append is in flight at a time, so a crash tears the last record alone. A whole record of the
    same use of the segment behind one that cannot be read was acknowledged, and so was that one.
    """
    first = last = end = 0
    for sequence, behind, _ in records_in(data):
        first = first or sequence
        last, end = sequence, behind
    if len(data) < HEADER.size or data[: len(MAGIC)] != MAGIC:
        return SegmentRecords(name, first, last, 0)

    nonce: bytes = HEADER.unpack_from(data)[3]
    beyond = 0
    offset = data.find(MAGIC, end + 1)
    while offset >= 0:
        beyond = max(beyond, _sequence_at(data, offset, nonce))
        offset = data.find(MAGIC, offset + 1)
    return SegmentRecords(name, first, last, beyond if beyond > last else 0)


def check_segments(segments: Iterable[SegmentRecords], applied: int) -> list[Finding]:
    """What is to be said of a log, of which LMDB has all up to `applied`, that nobody writes."""
    expected = applied + 1
    for segment in sorted(segments, key=lambda segment: segment.first):
        if segment.last >= expected:
            if segment.first > expected:
                return [_lost(f"the groups {expected} to {segment.first - 1} are missing")]
            expected = segment.last + 1
        if segment.beyond >= expected:
            return [
                _lost(f"group {expected} in {segment.name} is damaged, and others stand behind it")
            ]

    waiting = expected - 1 - applied
    if not waiting:
        return [Finding(Level.FINE, "the commit log has nothing that the map lacks")]

    return [
        Finding(
            Level.NOTE,
            f"{counted(waiting, 'group of writes is', 'groups of writes are')} in the commit log alone, "
            "as after a crash",
            "start the host: it brings them into the map",
        )
    ]


def _sequence_at(data: bytes, offset: int, nonce: bytes) -> int:
    """The sequence of a whole record of this use of the segment; 0: there is none."""
    if offset + HEADER.size > len(data):
        return 0

    _, size, sequence, found, checksum = HEADER.unpack_from(data, offset)
    begin = offset + HEADER.size
    if found != nonce or begin + size > len(data):
        return 0

    covered = crc32(COVERED.pack(size, sequence, nonce))
    return sequence if crc32(memoryview(data)[begin : begin + size], covered) == checksum else 0


def _lost(what: str) -> Finding:
    return Finding(
        Level.ERROR,
        f"the commit log is damaged: {what}",
        "check the disk, and restore a backup",
    )
