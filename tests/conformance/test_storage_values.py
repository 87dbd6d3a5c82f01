"""Storage: values"""

from __future__ import annotations

import math
from collections import OrderedDict, defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from hypothesis import given, settings

from roomhost.runtime import DataCloneError, DurableObjectStorage
from roomhost.runtime.testing import ManualClock, host_for

from ..helpers.actors import app, objects, within
from ..helpers.stories import STAGES, Calls, Tell, everywhere, in_storage, stored_afresh, tell_to
from ..storage.values import values
from .feature import Feature, mistake, shows

pytestmark = pytest.mark.anyio

TYPES = Feature(
    "storage values: supported types",
    "5.2",
    differs="Python's: None, bool, int of any size, float, str, bytes, list, tuple, dict, set, "
    "frozenset, aware datetime, date, timedelta, Decimal, UUID",
)
REFUSED = Feature(
    "storage values: DataCloneError",
    "5.2",
    differs="the message names the type and the path inside the value; an instance of a class is "
    "refused too, where JavaScript stores it without its prototype",
)
CYCLES = Feature(
    "storage values: cycles and shared parts",
    "5.2",
    differs="a cycle is a DataCloneError; a part that stands in two places is stored twice",
)
COPIES = Feature("storage values: by copy", "5.1")

SUPPORTED: dict[str, list[Any]] = {
    "None": [None],
    "bool": [True, False],
    "int": [0, 1, -1, 2**31, -(2**63), 2**63 - 1, 2**63, 2**64, -(2**64), 10**300, -(10**300)],
    "float": [0.0, 1.0, -1.5, 5e-324, 1.7976931348623157e308, math.inf, -math.inf],
    "str": ["", "text", "\0", "\u00e9", "\uffee", "\U0001f600", "x" * 70_000],
    "bytes": [b"", b"\0\xff", bytes(range(256)), b"x" * 70_000],
    "list": [[], [1, [2, [3]]], [None] * 1_000],
    "tuple": [(), (1,), (1, (2, [3]))],
    "dict": [{}, {"z": 1, "a": {"b": 2}}, {"": None}],
    "dict keys": [{1: "int", "1": "str", 1.5: 0, None: 1, b"b": 2, date(2026, 1, 1): 3}],
    "set": [set(), {1, "1", None}, {(1, 2), frozenset({3})}],
    "frozenset": [frozenset(), frozenset({1, frozenset({2})})],
    "datetime": [
        datetime(2026, 11, 24, 12, 30, 15, 999_999, UTC),
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999_999, timezone(timedelta(hours=-23, minutes=-59))),
    ],
    "date": [date(1, 1, 1), date(9999, 12, 31)],
    "timedelta": [timedelta(0), timedelta.min, timedelta.max, timedelta(microseconds=-1)],
    "Decimal": [Decimal("1.10"), Decimal("-0"), Decimal("1E+400"), Decimal("Infinity")],
    "UUID": [UUID(int=0), UUID("12345678-1234-5678-1234-567812345678")],
}


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal, type for type, -0.0 and the order of a dict included."""
    if type(one) is not type(other):
        return False

    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return same(list(one.items()), list(other.items()))
    if isinstance(one, (set, frozenset)):
        return bool(one == other) and set(map(type, one)) == set(map(type, other))
    if isinstance(one, datetime):
        return bool(one == other) and one.utcoffset() == other.utcoffset()
    return repr(one) == repr(other)


@shows(TYPES)
@pytest.mark.parametrize("kind", SUPPORTED)
async def test_every_supported_type_comes_back_as_it_went_in(kind: str) -> None:
    """Type for type, alone and inside of others, before and after it is on disk."""
    examples = SUPPORTED[kind]

    async def story(storage: DurableObjectStorage) -> None:
        entries = {f"{number:02}": value for number, value in enumerate(examples)}
        await storage.put({**entries, "whole": [examples, {"key": tuple(examples)}]})
        for _ in STAGES:
            for key, value in entries.items():
                assert same(await storage.get(key), value)
                assert same(storage.kv.get(key), value)
            whole = (await storage.list(prefix="w"))["whole"]
            assert same(whole, [examples, {"key": tuple(examples)}])
            await storage.sync()

    await in_storage(story)


@shows(TYPES)
async def test_types_that_are_equal_in_python_stay_apart() -> None:
    """1, 1.0 and True; 0.0 and -0.0; a list, a tuple; a set, a frozenset; a date, a datetime."""
    alike = [
        [1, 1.0, True, Decimal(1)],
        [0.0, -0.0],
        [[1], (1,)],
        [{1}, frozenset({1})],
        ["1", b"1"],
        [date(2026, 1, 1), datetime(2026, 1, 1, tzinfo=UTC)],
    ]
    async with host_for(app, clock=ManualClock()) as host:
        await tell_to(objects(host), lambda storage: storage.put("alike", alike))
        assert same((await stored_afresh(host))["alike"], alike)


@shows(TYPES)
@everywhere
async def test_not_a_number_comes_back(tell: Tell) -> None:
    """As a float and as a Decimal, which equal nothing, themselves included."""

    async def story(storage: Calls) -> None:
        await storage.put("nan", [math.nan, Decimal("NaN")])
        number, decimal = await storage.get("nan")
        assert type(number) is float and math.isnan(number)
        assert type(decimal) is Decimal and decimal.is_nan()

    await tell(story)


@shows(TYPES)
async def test_a_dict_keeps_the_order_of_its_members() -> None:
    """That of their insertion, not of their keys."""
    value = {key: number for number, key in enumerate("zebra")}

    async with host_for(app, clock=ManualClock()) as host:
        await tell_to(objects(host), lambda storage: storage.put("k", value))
        assert list((await stored_afresh(host))["k"]) == list(value)


@shows(TYPES)
@settings(max_examples=30)
@given(values)
async def test_whatever_is_made_of_supported_types_can_be_stored(value: Any) -> None:
    """Any nesting of them, in memory and from disk."""

    async def story(storage: DurableObjectStorage) -> None:
        await storage.put("k", value)
        for _ in STAGES:
            assert same(await storage.get("k"), value)
            await storage.sync()

    await in_storage(story)


class Plain:
    """A class like any user's."""


class Colour(IntEnum):
    """An int, and more."""

    RED = 1


class Name(StrEnum):
    """A str, and more."""

    ANNE = "anne"


class Text(str):
    """A str that is more."""


class Point(NamedTuple):
    """A tuple, and more."""

    x: int
    y: int


def numbers() -> Iterator[int]:
    """A generator."""
    yield 1


UNSUPPORTED: list[tuple[Any, str]] = [
    (object(), "object"),
    (Plain(), "Plain"),
    (Plain, "type"),
    (len, "builtin_function_or_method"),
    (numbers, "function"),
    (numbers(), "generator"),
    (ValueError("error"), "ValueError"),
    (bytearray(b"x"), "bytearray"),
    (memoryview(b"x"), "memoryview"),
    (1j, "complex"),
    (range(3), "range"),
    (time(12), "time"),
    (datetime(2026, 1, 1), "datetime"),
    (Colour.RED, "Colour"),
    (Name.ANNE, "Name"),
    (Text("x"), "Text"),
    (Point(1, 2), "Point"),
    (OrderedDict(a=1), "OrderedDict"),
    (defaultdict(list), "defaultdict"),
    ("\ud800", "str"),
    (..., "ellipsis"),
]
PLACES: dict[str, tuple[Any, str]] = {
    "alone": (lambda value: value, r"at \$"),
    "in a list": (lambda value: [0, value], r"at \$\[1\]"),
    "in a dict": (lambda value: {"a": {"b": value}}, r"at \$\['a'\]\['b'\]"),
    "in a tuple": (lambda value: {"a": (1, [value])}, r"at \$\['a'\]\[1\]\[0\]"),
}


@shows(REFUSED)
@pytest.mark.parametrize("place", PLACES)
async def test_a_value_of_another_type_is_refused_by_type_and_path(place: str) -> None:
    """With a DataCloneError, by every call that stores one; the key keeps the value it has."""
    wrap, path = PLACES[place]

    async def story(storage: DurableObjectStorage) -> None:
        await storage.put("k", "kept")
        for value, kind in UNSUPPORTED:
            wrapped = wrap(value)
            message = rf'type "([\w.]+\.)?{kind}" {path}'
            with pytest.raises(DataCloneError, match=message):
                await storage.put("k", wrapped)
            with pytest.raises(DataCloneError, match=message):
                await storage.put({"other": 1, "k": wrapped})
            with pytest.raises(DataCloneError, match=message):
                storage.kv.put("k", wrapped)
        assert await storage.list() == {"k": "kept"}

    await in_storage(story)


@shows(REFUSED)
@everywhere
async def test_a_key_of_a_dict_and_a_member_of_a_set_are_checked_too(tell: Tell) -> None:
    """A dict has scalar keys; what a set holds is named by its type."""

    async def story(storage: Calls) -> None:
        for value, message in (
            ({"a": {(1, 2): 1}}, r"tuple.*\$\['a'\].*key"),
            ({frozenset({1}): 1}, r"frozenset.*\$.*key"),
            ({"a": {Colour.RED: 1}}, r"Colour.*\$\['a'\].*key"),
            ([{Plain()}], r"Plain.*\$\[0\]"),
            (frozenset({(1, Plain())}), r"Plain"),
        ):
            with pytest.raises(DataCloneError, match=message):
                await storage.put("k", value)
        assert await storage.list() == {}

    await tell(story)


@shows(REFUSED)
async def test_a_data_clone_error_is_a_type_error_and_leaves_the_object_as_it_is() -> None:
    """A handler that lets it go fails with it, class and message; the instance stays."""

    def story(actor: Any) -> None:
        actor.memory.append("alive")
        actor.ctx.storage.put("k", {"inner": Plain()})

    async with host_for(app, clock=ManualClock()) as host:
        stub = objects(host)
        with pytest.raises(TypeError, match=r'Plain" at \$\[\'inner\'\]') as caught:
            await within(stub, story)
        assert caught.type is DataCloneError
        assert await within(stub, lambda actor: actor.memory) == ["alive"]
        assert await stored_afresh(host) == {}


@shows(CYCLES)
@everywhere
async def test_a_value_that_contains_itself_is_refused(tell: Tell) -> None:
    """A list in itself, a dict in a list in itself: a DataCloneError, not an endless loop."""

    async def story(storage: Calls) -> None:
        itself: list[Any] = []
        itself.append(itself)
        around: dict[str, Any] = {}
        around["members"] = [around]
        for cycle in (itself, around, {"deep": [itself]}):
            with pytest.raises(DataCloneError, match="contains itself"):
                await storage.put("k", cycle)
        assert await storage.list() == {}

    await tell(story)


@shows(CYCLES)
@everywhere
async def test_nesting_is_limited_and_the_limit_is_told(tell: Tell) -> None:
    """A hundred levels are stored; a thousand are a DataCloneError."""

    def nested(levels: int) -> Any:
        value: Any = "core"
        for _ in range(levels):
            value = [value]
        return value

    async def story(storage: Calls) -> None:
        await storage.put("k", nested(100))
        assert await storage.get("k") == nested(100)
        with pytest.raises(DataCloneError, match=r"nested deeper than \d+ levels"):
            await storage.put("k", nested(1_000))
        assert await storage.get("k") == nested(100)

    await tell(story)


@shows(CYCLES)
async def test_a_part_in_two_places_comes_back_as_two() -> None:
    """Equal, and no longer one: changing the one leaves the other."""
    part = [1]

    async def story(storage: DurableObjectStorage) -> None:
        await storage.put("k", [part, part])
        got = await storage.get("k")
        got[0].append(2)
        assert got == [[1, 2], [1]]

    await in_storage(story)


@mistake(19)
@shows(COPIES)
async def test_mistake_19_a_stored_value_shares_nothing_with_the_one_given() -> None:
    """At any depth, in whichever call it was given and read."""

    async def story(storage: DurableObjectStorage) -> None:
        part: dict[str, Any] = {"set": {1}, "list": [1]}
        await storage.put("one", part)
        await storage.put({"many": [part]})
        storage.kv.put("kv", (part,))
        part["set"].add(2)
        part["list"].append(2)
        before = {"set": {1}, "list": [1]}
        for _ in STAGES:
            assert await storage.list() == {"kv": (before,), "many": [before], "one": before}
            storage.kv.get("one")["set"].clear()
            storage.kv.list()["many"].clear()
            await storage.sync()

    await in_storage(story)
