"""Records of the commit log: what was written is read, and nothing else passes for one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomhost.storage import UNCHANGED, Batch
from roomhost.storage.log_record import (
    HEADER,
    decode_batches,
    encode_batches,
    header_of,
    records_in,
)

from .batches import batches

NONCE = b"12345678"


def record(sequence: int, payload: bytes, nonce: bytes = NONCE) -> bytes:
    """A whole record."""
    return header_of(sequence, nonce, payload) + payload


def payloads(data: bytes) -> list[bytes]:
    """The payloads that are found."""
    return [payload for _, _, payload in records_in(data)]


@given(st.lists(batches(), max_size=5))
def test_batches_come_back_as_they_were(group: list[Batch]) -> None:
    """All fields, none of them mistaken for another."""
    assert decode_batches(encode_batches(group)) == group


@pytest.mark.parametrize("due_ms", [-1, 1 << 64])
def test_an_alarm_that_no_table_can_hold_is_refused(due_ms: int) -> None:
    """Before it is in the log, from where it could never get into LMDB."""
    with pytest.raises(OverflowError):
        encode_batches([Batch(1, None, False, {}, due_ms)])


def test_an_alarm_at_zero_is_one() -> None:
    """Not one that is deleted, and not one that is left alone."""
    group = [Batch(1, None, False, {}, alarm) for alarm in (0, None, UNCHANGED)]
    assert [batch.alarm for batch in decode_batches(encode_batches(group))] == [0, None, UNCHANGED]


def test_a_record_that_is_torn_at_any_byte_is_none() -> None:
    """The one before it stands, whatever stood there before."""
    whole, last = record(1, b"first"), record(2, b"the last one")
    for behind in (b"", b"\0" * 100, b"\xff" * 100, record(1, b"some other") * 3):
        for cut in range(len(last)):
            assert payloads(whole + last[:cut] + behind[cut:]) == [b"first"]
    assert payloads(whole + last) == [b"first", b"the last one"]


def test_a_record_with_one_wrong_bit_is_none() -> None:
    """Anywhere in it: its size and its sequence are covered as well."""
    data = record(7, b"payload")
    for index in range(len(data)):
        for bit in range(8):
            wrong = bytearray(data)
            wrong[index] ^= 1 << bit
            assert payloads(bytes(wrong)) == []


def test_what_is_left_of_an_earlier_use_is_not_read() -> None:
    """A record whose sequence does not follow, and one of another nonce, end the segment."""
    first = record(5, b"new")
    assert payloads(first + record(4, b"old")) == [b"new"]
    assert payloads(first + record(7, b"old")) == [b"new"]
    assert payloads(first + record(6, b"of a user", b"87654321")) == [b"new"]
    assert payloads(first + record(6, b"next")) == [b"new", b"next"]


@given(st.binary(max_size=3 * HEADER.size))
def test_no_bytes_are_too_wrong_to_be_looked_at(data: bytes) -> None:
    """Nothing raises."""
    assert payloads(b"rhlg" + data) == []
