"""JSON from strangers (realtime.md 0.3, 8; 5.1)."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import msgpack
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomhost.actors.errors import InvalidArgument, PayloadTooLarge
from roomhost.actors.json_values import (
    check,
    check_text,
    encode,
    encode_within,
    moment,
    parse,
    timestamp,
)
from roomhost.actors.limits import MAX_JSON_DEPTH

TEXTS = st.text(st.characters(exclude_categories=()), max_size=8)
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    TEXTS,
    st.binary(max_size=3),
    st.sets(st.integers(), max_size=1),
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    ODD,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(TEXTS | st.integers(0, 3), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(VALUES)
def test_what_passes_can_be_read_by_everyone(value: Any) -> None:
    """As JSON by two readers, and as MessagePack, equal; what does not pass names a path."""
    try:
        check(value, "data")
    except InvalidArgument as error:
        assert error.field is not None
        assert error.field.startswith("data")
        return

    text = encode(value)
    assert msgspec.json.decode(text) == value
    assert json.loads(text.decode()) == value
    assert msgpack.unpackb(msgpack.packb(value)) == value
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(msgspec.json.decode(text))) == value


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ({"a": [1, {"b": math.nan}]}, "data.a.1.b"),
        ([math.inf], "data"),
        ({"a": -math.inf}, "data.a"),
        ({"a": 2**64}, "data.a"),
        ({"a": -(2**63) - 1}, "data.a"),
        ({"a": "\ud800"}, "data.a"),
        ({"\ud800": 1}, "data"),
        ({1: 1}, "data"),
        ({"a": {1, 2}}, "data.a"),
        ({"a": [b"x"]}, "data.a.0"),
        (object(), "data"),
    ],
)
def test_what_is_refused_says_where(value: Any, field: str) -> None:
    """By the path of the value, or of the object around it."""
    with pytest.raises(InvalidArgument) as caught:
        check(value, "data")
    assert caught.value.field is not None
    assert caught.value.field.startswith(field)


def nested(depth: int) -> Any:
    """Arrays and objects in each other."""
    value: Any = 1
    for level in range(depth):
        value = [value] if level % 2 else {"k": value}
    return value


def test_nesting_has_a_bound() -> None:
    """64 levels pass, 65 do not, nor do so many that a parser would give up."""
    check(nested(MAX_JSON_DEPTH), "data")
    for depth in (MAX_JSON_DEPTH + 1, 500):
        with pytest.raises(InvalidArgument) as caught:
            check(nested(depth), "data")
        assert caught.value.field is not None
    with pytest.raises(InvalidArgument):
        parse(b"[" * 100_000, list)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_the_same_afterwards(number: float) -> None:
    """To the last bit, and a float is no integer."""
    again = msgspec.json.decode(encode(number))
    assert isinstance(again, float)
    assert math.copysign(1, again) == math.copysign(1, number)
    assert again == number


def test_a_value_has_a_bound_in_bytes() -> None:
    """Of its JSON in UTF-8."""
    assert encode_within("é" * 4, "data", 10) == '"éééé"'.encode()
    with pytest.raises(PayloadTooLarge) as caught:
        encode_within("é" * 5, "data", 10)
    assert caught.value.field == "data"


def refused(work: Callable[[], object]) -> tuple[str, str | None, str] | None:
    """How work was refused: code, field and message."""
    try:
        work()
    except InvalidArgument as error:
        return error.code, error.field, error.message
    return None


DECODED = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text("[{a", max_size=70),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("[a"), inner, max_size=4),
    max_leaves=10,
)


@given(DECODED | st.integers(MAX_JSON_DEPTH - 2, MAX_JSON_DEPTH + 2).map(nested))
def test_a_decoded_value_is_encoded_or_refused_as_if_all_of_it_was_looked_at(value: Any) -> None:
    """Deep ones, large integers, and texts full of brackets."""
    given = msgspec.json.decode(json.dumps(value))
    wrong = refused(lambda: check(given, "data"))
    assert refused(lambda: encode_within(given, "data", 10**6)) == wrong
    if wrong is None:
        assert encode_within(given, "data", 10**6) == encode(given)


@pytest.mark.parametrize("data", [b"", b"{", b'{"a":}', b"\xff", b'"\xff"', b"NaN", b"[1e999]"])
def test_what_is_no_json_is_refused(data: bytes) -> None:
    """By the words of the parser."""
    with pytest.raises(InvalidArgument):
        value = parse(data, object)
        check(value, "data")


@pytest.mark.parametrize("text", ["", "a" * 11, "é" * 6, "a\x00", "a\n", "\x7f", "\ud800"])
def test_a_text_that_is_no_word(text: str) -> None:
    """Empty, long, with control characters, no Unicode."""
    with pytest.raises(InvalidArgument) as caught:
        check_text(text, "type", 10)
    assert caught.value.field == "type"


def test_a_word_may_be_as_long_as_its_bound() -> None:
    """In bytes."""
    check_text("é" * 5, "type", 10)


@given(st.integers(0, 253_402_300_799_999))
def test_a_moment_is_read_as_it_was_written(ms: int) -> None:
    """RFC 3339 with three decimals and `Z`, up to the year 9999."""
    text = timestamp(ms)
    assert len(text) == 24
    assert text.endswith("Z")
    assert moment(text) == ms


def test_a_moment_by_hand() -> None:
    """As the reference writes it."""
    assert timestamp(1_779_667_200_007) == "2026-05-25T00:00:00.007Z"
