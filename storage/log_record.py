"""A group of batches as one record of the commit log: pure bytes, no I/O.

A record is a header and its payload: magic (4 bytes), size of the payload (4), sequence (8), the
segment's nonce (8), CRC-32 (4) of those three and the payload, little-endian; then one MessagePack
array with five items for each batch. Records follow one another in a segment, their sequences rising
by one, their nonces the same. Behind the last stands what was there before, values of users too: the
nonce, which no user can know, keeps those from passing for a record.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, Literal
from zlib import crc32

from .batch import UNCHANGED, Batch, ObjectRecord, Unchanged
from .keyspace import number_bytes
from .messagepack import pack, unpack

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MAGIC = b"rhlg"
NONCE_BYTES = 8
HEADER = struct.Struct("<4sIQ8sI")
COVERED = struct.Struct("<IQ8s")  # what the checksum covers of the header
UNCHANGED_ALARM = b""  # a due time has 8 bytes


def encode_batches(batches: Sequence[Batch]) -> bytes:
    """The payload of a group. OverflowError: an alarm no table can hold."""
    fields: list[Any] = []
    for batch in batches:
        record = batch.record
        fields += (
            batch.number,
            None if record is None else (record.namespace, record.id, record.name),
            batch.clear,
            batch.writes,
            _packed_alarm(batch.alarm),
        )
    return pack(fields)


def decode_batches(payload: bytes) -> list[Batch]:
    """The group of a payload, whose checksum was right."""
    fields = iter(unpack(payload))
    return [
        Batch(
            number,
            None if record is None else ObjectRecord(*record),
            clear,
            writes,
            _unpacked_alarm(alarm),
        )
        for number, record, clear, writes, alarm in zip(*[fields] * 5, strict=True)
    ]


def header_of(sequence: int, nonce: bytes, payload: bytes) -> bytes:
    """The header of a record."""
    size = len(payload)
    checksum = crc32(payload, crc32(COVERED.pack(size, sequence, nonce)))
    return HEADER.pack(MAGIC, size, sequence, nonce, checksum)


def records_in(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """The records of a segment in order: sequence, the offset behind it, payload.

    They end before the first that is torn, damaged, or left from an earlier use of the segment.
    """
    offset = 0
    expected: tuple[int, bytes] | None = None
    view = memoryview(data)
    while offset + HEADER.size <= len(data):
        magic, size, sequence, nonce, checksum = HEADER.unpack_from(data, offset)
        begin, end = offset + HEADER.size, offset + HEADER.size + size
        if magic != MAGIC or end > len(data) or expected not in (None, (sequence, nonce)):
            return

        payload = view[begin:end]
        if crc32(payload, crc32(COVERED.pack(size, sequence, nonce))) != checksum:
            return

        yield sequence, end, bytes(payload)
        offset, expected = end, (sequence + 1, nonce)


def _packed_alarm(alarm: int | Literal[Unchanged.UNCHANGED] | None) -> bytes | None:
    if alarm is UNCHANGED:
        return UNCHANGED_ALARM

    return None if alarm is None else number_bytes(alarm)


def _unpacked_alarm(data: bytes | None) -> int | Literal[Unchanged.UNCHANGED] | None:
    if data == UNCHANGED_ALARM:
        return UNCHANGED

    return None if data is None else int.from_bytes(data, "big")
