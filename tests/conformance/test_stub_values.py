"""Values over RPC"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from fractions import Fraction
from pathlib import PurePosixPath
from typing import Any, ClassVar, NamedTuple
from uuid import UUID

import pytest

from roomhost.bindings import App
from roomhost.runtime import DataCloneError, DurableObject, Request, Response, WebSocketPair
from roomhost.runtime.testing import ManualClock, host_for

from ..helpers.outcomes import failure, flags
from .feature import Feature, shows

pytestmark = pytest.mark.anyio

TYPES = Feature(
    "RPC: values",
    "2.2",
    differs="the types are Python's: None, bool, int of any size, float, str, bytes, list, tuple, "
    "dict, set, frozenset, aware datetime, date, timedelta, Decimal, UUID",
)
KEYS = Feature("RPC: keys of a dict", "2.2", differs="any scalar is a key, and keeps its type")
BY_COPY = Feature("RPC: values are copies", "2.2")
AT_CALL = Feature("RPC: arguments are serialised when the call is made", "2.2")
REFUSED = Feature("RPC: DataCloneError", "2.2")
PATH = Feature(
    "RPC: where in a value the wrong one stands",
    "2.2",
    differs="the error names the argument and the path inside it, which workerd does not",
)
SUBCLASSES = Feature(
    "RPC: class instances",
    "2.2",
    differs="an instance of a subclass of a plain type is refused too, not stripped of its class",
)
RESULT_REFUSED = Feature("RPC: a result that cannot be serialised", "2.2")
GRAPHS = Feature(
    "RPC: cycles and shared parts",
    "2.2",
    differs="a value is a tree: a part that is in it twice arrives twice, a cycle is refused",
)
SIZE = Feature("RPC: 32 MiB of arguments or results", "2.2")
FUNCTIONS = Feature(
    "RPC: functions and RpcTarget", "2.2", missing="values pass by copy only: a DataCloneError"
)
STUBS_AS_VALUES = Feature(
    "RPC: stubs and ids as values",
    "2.2",
    missing="a DataCloneError: pass the name or `str(id)` and get a stub there",
)
HTTP_VALUES = Feature(
    "RPC: Request, Response, Headers, streams and WebSockets as values",
    "2.2",
    missing="a DataCloneError: they pass through fetch",
)
ERRORS_AS_VALUES = Feature(
    "RPC: errors as values", "2.2", missing="a DataCloneError: raise it, or pass its text"
)
PIPELINING = Feature(
    "RPC: promise pipelining",
    "2.2",
    missing="a call's result is awaited before it is used: Python's AttributeError says so at once",
)

MEBIBYTE = 1024 * 1024
LIMIT_BYTES = 32 * MEBIBYTE


class Echo(DurableObject):
    """Returns what it gets, keeps it, or returns something worse."""

    results: ClassVar[dict[str, Any]] = {}

    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self.calls = 0
        self.kept: Any = None

    async def echo(self, value: Any) -> Any:
        self.calls += 1
        return value

    async def typed(self, value: Any) -> str:
        """What came, so that nothing is hidden by the way back."""
        return described(value)

    async def keep(self, *values: Any, **named: Any) -> Any:
        self.kept = [*values, *named.values()]
        return self.kept

    async def change(self) -> Any:
        self.kept[0].append("changed by the object")
        return self.kept

    async def result(self, name: str) -> Any:
        await self.ctx.storage.put("ran", name)
        return Echo.results[name]

    async def ran(self) -> Any:
        return await self.ctx.storage.get("ran")

    async def size(self, *values: bytes) -> int:
        return sum(map(len, values))

    async def make(self, size: int) -> bytes:
        return bytes(size)

    async def count(self) -> int:
        return self.calls


app = App(name="values", bindings={"ECHO": Echo})


def described(value: Any) -> str:
    """A value with the types of all its parts, in an order of its own for sets and dicts."""
    kind = type(value).__name__
    if isinstance(value, dict):
        pairs: Any = value.items()  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        return f"{kind}({[(described(key), described(part)) for key, part in pairs]})"
    if isinstance(value, (set, frozenset)):
        return f"{kind}({sorted(map(described, value))})"  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(value, (list, tuple)):
        return f"{kind}({list(map(described, value))})"  # pyright: ignore[reportUnknownArgumentType]
    return f"{kind}({value!r})"


VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    2**63,
    -(2**64) - 1,
    10**400,
    0.0,
    -0.0,
    0.1,
    math.inf,
    -math.inf,
    math.nan,
    5e-324,
    "",
    "text",
    "größe 🙂\0",
    b"",
    b"\x00\xff",
    [],
    [1, 1.0, True, "1", b"1", None],
    (),
    (1, (2, [3])),
    {},
    {"a": {"b": [1]}},
    set[int](),
    {1, 2, "x"},
    frozenset({(1, 2), b"x"}),
    datetime(2026, 2, 3, 4, 5, 6, 789, tzinfo=UTC),
    datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=5, minutes=45))),
    date(9999, 12, 31),
    timedelta(days=-1, microseconds=1),
    Decimal("1.10"),
    Decimal("NaN"),
    Decimal("-Infinity"),
    UUID("12345678-1234-5678-1234-567812345678"),
]


@shows(TYPES)
@pytest.mark.parametrize("value", VALUES, ids=lambda value: described(value)[:40])
async def test_a_value_of_every_type_goes_both_ways_and_keeps_its_type(value: Any) -> None:
    """What the object has is what was passed, and what it returns is what the caller has; alone and
    inside of containers."""
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.ECHO.get_by_name("a")
        for whole in (value, [value], {"key": (value, [value])}):
            assert await stub.typed(whole) == described(whole)
            assert described(await stub.echo(whole)) == described(whole)


@shows(KEYS)
@pytest.mark.parametrize(
    "key",
    [None, True, 1, 2**70, 1.5, "k", b"k", date(2026, 1, 1), Decimal("1.10"), UUID(int=1)],
    ids=lambda key: type(key).__name__,
)
async def test_every_scalar_is_a_key(key: Any) -> None:
    """`1`, `"1"` and `b"1"` stay three keys; the order of a dict stays."""
    value = {"z": 0, key: "of the key", "1": 1, b"1": 2, "a": 3}
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.ECHO.get_by_name("a")
        assert await stub.typed(value) == described(value)
        assert described(await stub.echo(value)) == described(value)


@shows(BY_COPY)
async def test_neither_side_sees_what_the_other_changes() -> None:
    """Arguments and results are copies, of the same caller too."""
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.ECHO.get_by_name("a")
        mine: list[Any] = ["mine"]
        theirs = await stub.keep(mine, named={"deep": mine})
        theirs[0].append("changed by the caller")
        mine.append("changed by the caller")
        assert await stub.change() == [["mine", "changed by the object"], {"deep": ["mine"]}]
        assert theirs == [["mine", "changed by the caller"], {"deep": ["mine"]}]


@shows(AT_CALL)
async def test_arguments_are_copied_when_the_call_is_made() -> None:
    """Not when it is awaited, nor when the object gets to it."""
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.ECHO.get_by_name("a")
        value = {"list": [1]}
        call = stub.echo(value)
        value["list"].append(2)
        value["new"] = []
        assert await call == {"list": [1]}


class Point(NamedTuple):
    """A tuple with names."""

    x: int
    y: int


class Colour(Enum):
    """An enumeration."""

    RED = "red"


class Number(IntEnum):
    """An enumeration that is an int."""

    ONE = 1


@dataclass
class Record:
    """A class of the user's."""

    value: int = 1


class Text(str):
    """A subclass of a plain type."""

    __slots__ = ()


def generator() -> Iterator[int]:
    """One of its kind."""
    yield 1


async def stream() -> AsyncIterator[bytes]:
    """One of its kind."""
    yield b"chunk"


@shows(REFUSED, SUBCLASSES)
@pytest.mark.parametrize(
    "value",
    [
        object(),
        Record(),
        Record,
        Colour.RED,
        Fraction(1, 2),
        PurePosixPath("/"),
        time(12, tzinfo=UTC),
        1j,
        ...,
        range(3),
        bytearray(b"x"),
        memoryview(b"x"),
        deque([1]),
        OrderedDict(a=1),
        Point(1, 2),
        Number.ONE,
        Text("x"),
        {}.keys(),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_what_is_no_plain_value_is_a_data_clone_error(value: Any) -> None:
    """It names the type; the object is not called; the stub goes on."""
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.ECHO.get_by_name("a")
        for whole in (value, {"key": [value]}):
            error = await failure(stub.echo(whole))
            assert isinstance(error, DataCloneError)
            assert "Could not serialize object of type" in str(error)
            assert type(value).__qualname__ in str(error)
            assert "does not support serialization" in str(error)
        assert await stub.count() == 0


@shows(REFUSED)
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (datetime(2026, 1, 1), "naive"),
        ("\ud800", "surrogate"),
        ({"\udfff": 1}, "surrogate"),
        ({(1, 2): 3}, "key"),
        ({frozenset[int](): 3}, "key"),
    ],
    ids=["naive datetime", "lone surrogate", "surrogate in a key", "tuple key", "frozenset key"],
)
async def test_some_values_of_plain_types_are_refused_with_the_reason(
    value: Any, reason: str
) -> None:
    """A moment without a zone, text that is no Unicode, and containers as keys."""
    async with host_for(app, clock=ManualClock()) as host:
        error = await failure(host.env.ECHO.get_by_name("a").echo([value]))
        assert isinstance(error, DataCloneError)
        assert reason in str(error)


@shows(PATH)
async def test_the_error_says_where_the_wrong_value_stands() -> None:
    """Which argument, and which keys and positions lead to it."""
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.ECHO.get_by_name("a")
        wrong = {"a": [1, {"b": object()}]}
        cases = {
            r"argument 2: .*\"object\" at \$\['a'\]\[1\]\['b'\]\.": stub.keep(1, wrong),
            r"argument 'named': .*\"object\" at \$\['a'\]\[1\]\['b'\]\.": stub.keep(named=wrong),
            r"argument 1: .*\"object\" at \$\.": stub.keep(object()),
            r"argument 1: .*at \$\[0\]": stub.keep((object(),)),
        }
        for pattern, call in cases.items():
            with pytest.raises(DataCloneError, match=pattern):
                await call


@shows(RESULT_REFUSED)
async def test_a_result_that_cannot_be_copied_fails_the_call_alone() -> None:
    """The handler has run and its writes stay; the caller is told the type and the path."""
    Echo.results = {"wrong": {"deep": [object()]}}
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.ECHO.get_by_name("a")
        error = await failure(stub.result("wrong"))
        assert isinstance(error, DataCloneError)
        assert "\"object\" at $['deep'][0]" in str(error)
        assert flags(error) == {"remote"}
        assert await stub.ran() == "wrong"


@shows(GRAPHS)
async def test_a_value_is_a_tree() -> None:
    """A shared part becomes two; what contains itself, or is nested without end, is refused."""
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.ECHO.get_by_name("a")
        part = [1]
        first, second = await stub.echo([part, part])
        assert first == second == [1]
        assert first is not second
        cycle: list[Any] = []
        cycle.append(cycle)
        deep: list[Any] = []
        for _ in range(10_000):
            deep = [deep]
        for value in (cycle, {"a": cycle}, deep):
            with pytest.raises(DataCloneError, match="contains itself"):
                await stub.echo(value)
        assert await stub.count() == 1


@shows(SIZE)
@pytest.mark.parametrize(
    ("what", "size", "fits"),
    [
        ("argument", LIMIT_BYTES - 1024, True),
        ("argument", LIMIT_BYTES + 1, False),
        ("arguments", LIMIT_BYTES - 1024, True),
        ("arguments", LIMIT_BYTES + 2, False),
        ("result", LIMIT_BYTES - 1024, True),
        ("result", LIMIT_BYTES + 1, False),
    ],
)
async def test_a_call_carries_at_most_32_mib_each_way(what: str, size: int, fits: bool) -> None:
    """All arguments together, or the result; above, a ValueError tells the limit and the size."""
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.ECHO.get_by_name("a")
        if what == "argument":
            call = stub.size(bytes(size))
        elif what == "arguments":
            call = stub.size(bytes(size // 2), bytes(size - size // 2))
        else:
            call = stub.make(size)
        if fits:
            result = await call
            assert (result if isinstance(result, int) else len(result)) == size
        else:
            text = r"limited to 32MiB, but the size of this value was: (\d+) bytes"
            with pytest.raises(ValueError, match=text):
                await call


def wrong_values(host: Any) -> dict[str, Any]:
    """What other systems pass by reference, by name."""
    namespace = host.env.ECHO
    return {
        "a function": generator,
        "a lambda": lambda: None,
        "a bound method": [].append,
        "a generator": generator(),
        "an async generator": stream(),
        "a stub": namespace.get_by_name("b"),
        "a method of a stub": namespace.get_by_name("b").echo,
        "an id": namespace.id_from_name("b"),
        "a namespace": namespace,
        "env": host.env,
        "a request": Request("http://x/"),
        "headers": Request("http://x/").headers,
        "a response": Response("x"),
        "a web socket": WebSocketPair().client,
        "an error": ValueError("x"),
    }


async def refused_both_ways(name: str) -> None:
    """As an argument and as a result it is a DataCloneError, which names its type."""
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.ECHO.get_by_name("a")
        value = wrong_values(host)[name]
        Echo.results = {name: [value]}
        for call in (stub.echo(value), stub.result(name)):
            error = await failure(call)
            assert isinstance(error, DataCloneError)
            assert type(value).__name__ in str(error)
        Echo.results = {}


@shows(FUNCTIONS)
@pytest.mark.parametrize("name", ["a function", "a lambda", "a bound method"])
async def test_a_function_does_not_become_a_stub(name: str) -> None:
    """It is refused by name, not lost."""
    await refused_both_ways(name)


@shows(STUBS_AS_VALUES)
@pytest.mark.parametrize("name", ["a stub", "a method of a stub", "an id", "a namespace", "env"])
async def test_what_reaches_an_object_is_no_value(name: str) -> None:
    """A name or the digits of an id are."""
    await refused_both_ways(name)


@shows(HTTP_VALUES)
@pytest.mark.parametrize(
    "name",
    ["a request", "headers", "a response", "a web socket", "a generator", "an async generator"],
)
async def test_what_fetch_carries_is_no_value(name: str) -> None:
    """A body that streams, and an upgrade, need a request."""
    await refused_both_ways(name)


@shows(ERRORS_AS_VALUES)
async def test_an_error_is_no_value() -> None:
    """It crosses when it is raised."""
    await refused_both_ways("an error")


@shows(PIPELINING)
async def test_a_call_s_result_is_awaited_before_it_is_used() -> None:
    """A call that was not awaited has no members and cannot be called."""
    async with host_for(app, clock=ManualClock()) as host:
        call = host.env.ECHO.get_by_name("a").echo({"deep": 1})
        with pytest.raises(AttributeError):
            _ = call.deep
        with pytest.raises(TypeError, match="not callable"):
            call()
        assert await call == {"deep": 1}
