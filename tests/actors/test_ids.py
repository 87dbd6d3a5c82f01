"""Ids of messages: UUIDv7 (RFC 9562, 5.7)."""

from __future__ import annotations

from uuid import RFC_4122, UUID

from hypothesis import given
from hypothesis import strategies as st

from roomhost.actors.ids import message_id

TIMES = st.integers(0, 2**48 - 1)
ENTROPY = st.binary(min_size=8, max_size=8)


@given(TIMES, st.integers(1, 2**40), ENTROPY)
def test_it_is_a_uuid_of_version_7(now_ms: int, seq: int, entropy: bytes) -> None:
    """Whatever the random bytes are; its first 48 bits are the time."""
    uuid = UUID(message_id(now_ms, seq, entropy))
    assert uuid.variant == RFC_4122
    assert uuid.version == 7
    assert uuid.int >> 80 == now_ms


@given(TIMES, TIMES, ENTROPY, ENTROPY)
def test_ids_are_in_the_order_of_time(one: int, other: int, first: bytes, second: bytes) -> None:
    """As texts."""
    if one < other:
        assert message_id(one, 9, first) < message_id(other, 1, second)


@given(st.integers(0, 2**20), ENTROPY, ENTROPY)
def test_within_a_millisecond_in_that_of_the_room(seq: int, first: bytes, second: bytes) -> None:
    """Of 4,096 messages that follow each other, but for the one where the count begins anew."""
    if (seq + 1) % 4096:
        assert message_id(1, seq, first) < message_id(1, seq + 1, second)
