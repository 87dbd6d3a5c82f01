"""Values to bytes and back."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from enum import IntEnum
from typing import Any, NamedTuple
from uuid import UUID

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomhost.storage import DataCloneError, clone, decode, encode
from roomhost.storage.limits import MAX_VALUE_DEPTH

from .values import values


def typed(value: Any) -> Any:
    """A value with the types of all its parts, so that 1, 1.0 and True are not equal."""
    if isinstance(value, dict):
        pairs = ((typed(key), typed(member)) for key, member in value.items())
        return dict, sorted(pairs, key=repr)
    if isinstance(value, set | frozenset):
        return type(value), sorted(map(typed, value), key=repr)
    if isinstance(value, list | tuple):
        return type(value), [typed(member) for member in value]
    if isinstance(value, datetime):
        return datetime, value, value.utcoffset(), value.replace(tzinfo=None)
    return type(value), str(value)


@given(values)
def test_what_comes_back_is_what_went_in(value: Any) -> None:
    """Every supported type, in every nesting, comes back as the same type and value."""
    assert typed(decode(encode(value))) == typed(value)


@given(values)
def test_a_clone_shares_nothing_that_can_change(value: Any) -> None:
    """A copy equals its original; containers are new ones."""
    copy = clone(value)
    assert typed(copy) == typed(value)
    if isinstance(value, list | dict | set):
        assert copy is not value


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -0.0, 2**63, -(2**64), 10**40])
def test_odd_numbers_are_kept(value: float) -> None:
    """NaN, the infinities, minus zero and integers beyond 64 bits."""
    back = decode(encode([value]))[0]
    assert type(back) is type(value)
    assert str(back) == str(value)


def test_a_moment_keeps_its_offset() -> None:
    """The wall time and the offset come back, not only the instant."""
    moment = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
    assert decode(encode(moment)).isoformat() == moment.isoformat()


class Colour(IntEnum):
    RED = 1


class Point(NamedTuple):
    x: int
    y: int


class Text(str):
    pass


@pytest.mark.parametrize(
    "value",
    [
        object(),
        lambda: None,
        1j,
        range(3),
        bytearray(b"x"),
        memoryview(b"x"),
        Colour.RED,
        Point(1, 2),
        Text("x"),
        OrderedDict(a=1),
        msgpack.ExtType(5, b"x"),
        msgpack.Timestamp(1),
        {(1, 2): 3},
        {frozenset({1}): 3},
        datetime(2026, 1, 1),
        "\ud800",
        {"\ud800": 1},
        type,
        iter([]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_anything_else_is_refused_wherever_it_stands(value: Any) -> None:
    """A subclass, a bytearray, an odd key, a naive datetime: never guessed, never changed."""
    for wrapped in (value, [value], {"key": [1, value]}, (1, [value])):
        with pytest.raises(DataCloneError):
            encode(wrapped)


def test_a_refusal_names_the_type_and_the_path() -> None:
    """The message leads to the culprit."""
    with pytest.raises(DataCloneError, match=r'type "complex" at \$\[\'users\'\]\[3\]\[\'z\'\]'):
        encode({"users": [1, 2, 3, {"z": 1j}]})
    with pytest.raises(DataCloneError, match=r"naive datetime"):
        encode({"when": datetime(2026, 1, 1)})
    with pytest.raises(DataCloneError, match=r"\$\['text'\].*lone surrogate"):
        encode({"text": "\ud800"})


def test_what_contains_itself_or_goes_too_deep_is_refused() -> None:
    """A cycle or deep nesting is an error, not the end of the process."""
    cycle: list[Any] = []
    cycle.append(cycle)
    with pytest.raises(DataCloneError, match="nested deeper"):
        encode(cycle)

    for wrap in (lambda value: [value], lambda value: (value,), lambda value: {"k": value}):
        deep: Any = 1
        for _ in range(MAX_VALUE_DEPTH):
            deep = wrap(deep)
        assert decode(encode(deep)) == deep
        with pytest.raises(DataCloneError, match="nested deeper"):
            encode(wrap(deep))


def nested(levels: int, value: Any = 1) -> Any:
    """Tuples in tuples, each of which is data inside of data."""
    for _ in range(levels):
        value = (value,)
    return value


@pytest.mark.parametrize("code", [2, 3, 4], ids=["tuple", "set", "frozenset"])
@pytest.mark.parametrize("levels", [MAX_VALUE_DEPTH + 1, 250, 5_000])
def test_bytes_that_nest_too_deep_are_a_value_error(levels: int, code: int) -> None:
    """Whoever sent them: they end neither the thread's stack nor the process."""
    data: Any = b"\xc0"
    for _ in range(levels):
        data = msgpack.packb(msgpack.ExtType(code, b"\x91" + data))
    with pytest.raises(ValueError, match="nested deeper"):
        decode(data)


def test_the_deepest_value_needs_little_stack() -> None:
    """A thread with a quarter of a megabyte writes and reads it, whatever the platform's default."""
    value = nested(MAX_VALUE_DEPTH)
    results: list[Any] = []
    before = threading.stack_size(256 * 1024)
    try:
        thread = threading.Thread(target=lambda: results.append(decode(encode(value))))
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join(20)
    assert results == [value]


def test_far_down_in_calls_there_is_still_a_clear_error() -> None:
    """Where Python itself has no room left: the error of the codec, not of the interpreter."""
    value = nested(MAX_VALUE_DEPTH)
    data = encode(value)
    seen: set[type[BaseException]] = set()

    def descend(call: Any, argument: Any) -> None:
        try:
            call(argument)
        except (DataCloneError, ValueError) as error:
            seen.add(type(error))
            return
        descend(call, argument)

    descend(encode, value)
    descend(decode, data)
    assert seen == {DataCloneError, ValueError}


def test_a_timestamp_of_others_is_a_type_that_is_known() -> None:
    """MessagePack's own extension, which nothing here writes, brings no type of its own along."""
    stamp: Any = msgpack.packb(msgpack.Timestamp(1))
    assert decode(stamp) == datetime.fromtimestamp(1, UTC)


class Broken(tzinfo):
    """A zone that fails."""

    def utcoffset(self, _moment: datetime | None) -> timedelta:
        raise LookupError("no such zone")

    def dst(self, _moment: datetime | None) -> None:
        return None

    def tzname(self, _moment: datetime | None) -> None:
        return None


def test_a_zone_that_fails_is_a_refusal() -> None:
    """Code of the user's runs while a datetime is encoded: what it raises is told by path."""
    with pytest.raises(DataCloneError, match=r"\$\['when'\]: .*no such zone"):
        encode({"when": datetime(2026, 1, 1, tzinfo=Broken())})


@given(st.binary(max_size=60))
def test_damaged_bytes_are_a_value_error(data: bytes) -> None:
    """Whatever the bytes are: a value, or a ValueError."""
    try:
        decode(data)
    except ValueError:
        pass


@given(values, st.data())
def test_a_flipped_bit_is_a_value_or_a_value_error(value: Any, data: st.DataObject) -> None:
    """Damage inside good bytes does no more harm."""
    damaged = bytearray(encode(value))
    damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    try:
        decode(bytes(damaged))
    except ValueError:
        pass


def test_the_bytes_are_what_they_were() -> None:
    """Stored data outlives the code: the encoding of a fixed value does not change."""
    value = {
        "t": (1, 2**70),
        "s": {1},
        "f": frozenset({"x"}),
        "d": [date(2026, 1, 2), timedelta(days=-1, seconds=5), Decimal("1.50")],
        "w": datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=timezone(timedelta(hours=2))),
        "u": UUID(int=7),
    }
    stored = bytes.fromhex(
        "86a174c70e029201c70901400000000000000000a173d5039101a166c7030491a178a16493d606000b4922c70c07"
        "ffffffff0000000500000000d608312e3530a177c71405000b492200002b250000000600000001ad274800a175d8"
        "0900000000000000000000000000000007"
    )
    assert encode(value) == stored
    assert typed(decode(stored)) == typed(value)
