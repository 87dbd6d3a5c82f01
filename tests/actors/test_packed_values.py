"""MessagePack of strangers: what JSON has is decoded as it is, the rest is refused before it is hashed."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomhost.actors.errors import InvalidArgument
from roomhost.actors.limits import MAX_DEEP_VALUES, MAX_JSON_DEPTH
from roomhost.actors.packed_values import NEAR_LEVELS, decode

encode = msgspec.msgpack.Encoder().encode
texts = st.text(st.characters(codec="utf-8"), max_size=4)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=20,
)


def nested(levels: int, value: Any) -> Any:
    """A value below so many containers, of both kinds."""
    for level in range(levels):
        value = [value] if level % 2 else {"k": value}
    return value


@given(values, st.integers(0, MAX_JSON_DEPTH // 2))
def test_what_json_has_is_decoded(value: Any, levels: int) -> None:
    """However deep it is, within the bound, and type for type."""
    whole = nested(levels, value)
    assert repr(decode(encode(whole))) == repr(whole)


@pytest.mark.parametrize("levels", [0, NEAR_LEVELS - 1, NEAR_LEVELS, 30])
@pytest.mark.parametrize(
    "value",
    [
        {1: 2},
        {(1, 2): 3},
        {b"k": 1},
        b"bytes",
        float("nan"),
        float("inf"),
        msgspec.msgpack.Ext(5, b""),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_json_has_not_is_refused(value: Any, levels: int) -> None:
    """At every depth."""
    with pytest.raises(msgspec.ValidationError):
        decode(encode(nested(levels, value)))


def test_depth_has_a_bound() -> None:
    """What lies behind it is not looked at."""
    with pytest.raises(InvalidArgument, match="nested at most"):
        decode(b"\x91" * 200 + b"\x90")


def test_what_is_deep_has_a_bound_of_its_parts() -> None:
    """Each takes a call of its own; what is not deep has no such bound."""
    deep = b"\x91" * (NEAR_LEVELS + 2) + b"\x90"
    parts = MAX_DEEP_VALUES // 2
    many = b"\xdd" + parts.to_bytes(4, "big") + deep * parts
    with pytest.raises(InvalidArgument, match="send less"):
        decode(many)

    assert len(decode(encode([[]] * (MAX_DEEP_VALUES + 1)))) == MAX_DEEP_VALUES + 1


@pytest.mark.parametrize("data", [b"", b"\xdd\xff\xff\xff\xff", b"\x91", b"\xc1", b"\x90\x90"])
def test_what_is_no_messagepack_is_refused(data: bytes) -> None:
    """What lies about its length too."""
    with pytest.raises(ValueError):
        decode(data)
