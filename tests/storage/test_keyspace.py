"""Where keys stand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomhost.storage import encode_user_key, prefix_end
from roomhost.storage.keyspace import (
    floor_key,
    is_long,
    number_bytes,
    split,
    stored_key,
    stored_value,
)
from roomhost.storage.limits import MAX_KEY_BYTES, PREFIX_BYTES

LONG = b"p" * (PREFIX_BYTES - 1)
MAX_LMDB_KEY_BYTES = 511
keys = st.one_of(
    st.binary(max_size=3),
    st.builds(lambda tail: LONG + tail, st.binary(max_size=4)),
    st.builds(lambda tail: LONG + b"q" + tail, st.binary(max_size=60)),
    st.just(b"\xff" * MAX_KEY_BYTES),
)


@given(st.text(max_size=4))
def test_a_key_is_its_utf_8(key: str) -> None:
    """Surrogates aside, every string is a key."""
    assert encode_user_key(key) == key.encode()


def test_a_key_has_a_limit_and_a_type() -> None:
    """2,048 bytes pass, one more does not, and the error says how many came."""
    assert len(encode_user_key("é" * (MAX_KEY_BYTES // 2))) == MAX_KEY_BYTES
    with pytest.raises(ValueError, match=r"2048 bytes\. A key of size 2049 was provided"):
        encode_user_key("x" * (MAX_KEY_BYTES + 1))
    with pytest.raises(ValueError, match="lone surrogate"):
        encode_user_key("\udc00")
    with pytest.raises(TypeError, match="bytes"):
        encode_user_key(b"x")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@given(st.binary(max_size=3), st.binary(max_size=5))
def test_the_end_of_a_prefix_bounds_what_has_it(prefix: bytes, key: bytes) -> None:
    """A key has the prefix exactly when it stands between the prefix and its end."""
    end = prefix_end(prefix)
    assert key.startswith(prefix) == (key >= prefix and (end is None or key < end))


@given(keys, st.binary(max_size=5))
def test_a_key_and_its_value_come_back_whole(key: bytes, value: bytes) -> None:
    """However long the key; what stands in LMDB fits there."""
    stored = stored_key(number_bytes(7), key)
    assert len(stored) <= MAX_LMDB_KEY_BYTES
    assert is_long(stored) == (len(key) > PREFIX_BYTES)
    assert split(stored, stored_value(key, value)) == (key, value)


@given(keys, keys)
def test_keys_stand_in_order_but_for_runs_that_begin_alike(one: bytes, other: bytes) -> None:
    """Two keys stand as they sort, unless both are long and share what LMDB holds of them."""
    number = number_bytes(7)
    alike = min(len(one), len(other)) > PREFIX_BYTES and one[:PREFIX_BYTES] == other[:PREFIX_BYTES]
    if not alike:
        assert (stored_key(number, one) < stored_key(number, other)) == (one < other)
    if one <= other:
        assert floor_key(number, one) <= stored_key(number, other)
