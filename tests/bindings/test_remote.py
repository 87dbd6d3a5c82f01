"""`connect`: calls from another process are as calls within one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import anyio
import pytest

from roomhost.bindings import connect
from roomhost.runtime import (
    DataCloneError,
    DurableObjectError,
    LimitError,
    OverloadedError,
)

from ..helpers.remote_app import Station, Strange, app, connected
from ..helpers.scripted import script
from ..helpers.served import served

pytestmark = pytest.mark.anyio
MEBIBYTE = 1024 * 1024


@pytest.fixture(scope="module", params=[False, True], ids=["asyncio", "asyncio+uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """A server has asyncio alone."""
    return ("asyncio", {"use_uvloop": request.param})


def as_any(error: BaseException) -> Any:
    """An error with the attributes that stubs add."""
    return error


async def test_the_environment_is_that_of_the_host() -> None:
    """Bindings and variables; a variable that cannot be copied stays where it is."""
    async with connected() as (env, host):
        assert set(env) == {"GREETING", "SINCE", "STATION", "OTHER", "SILENT"}
        assert env.GREETING == env["GREETING"] == "hello"
        assert env.SINCE == host.env.SINCE
        with pytest.raises(AttributeError, match="no binding 'LOCAL'"):
            _ = env.LOCAL


async def test_ids_are_those_of_the_host() -> None:
    """By name, by string, random, and under a jurisdiction."""
    async with connected() as (env, host):
        here, there = env.STATION, host.env.STATION
        assert here.id_from_name("größe") == there.id_from_name("größe")
        assert here.id_from_string(str(there.new_unique_id())).name is None
        for stub in (
            here.get(there.new_unique_id()),
            here.get(there.new_unique_id("eu")),
            here.jurisdiction("eu").get_by_name("a"),
            here.get_by_name(""),
        ):
            assert await stub.note(str(stub.id)) == str(stub.id)
        named = there.jurisdiction("eu").get_by_name("a")
        assert await named.notes() == [str(named.id)]
        with pytest.raises(TypeError, match="not valid for this namespace"):
            here.get(env.OTHER.id_from_name("a"))


async def test_the_object_sees_its_name_and_keeps_its_storage() -> None:
    """It is the same object as for the host's own stubs."""

    @script
    async def who(actor: Any) -> Any:
        return [actor.ctx.id.name, str(actor.ctx.id), actor.env.GREETING]

    async with connected() as (env, host):
        stub = env.STATION.get_by_name("a")
        assert await stub.run("who") == ["a", str(stub.id), "hello"]
        assert await stub.increment(by=2) == 2
        assert await host.env.STATION.get_by_name("a").increment() == 3
        by_string = env.STATION.get(env.STATION.id_from_string(str(stub.id)))
        assert await by_string.increment() == 4


VALUES = [
    None,
    True,
    0,
    -1,
    2**200,
    1.5,
    float("inf"),
    "größe \N{GRINNING FACE}",
    "",
    b"\x00\xff",
    [1, [2]],
    (1, (2,)),
    {1: "a", b"b": 2, None: 3},
    {1, "a"},
    frozenset((1, 2)),
    datetime(2026, 1, 2, 3, 4, 5, 6, timezone(timedelta(hours=2))),
    date(2026, 1, 2),
    timedelta(days=-1, microseconds=5),
    Decimal("1.10"),
    UUID(int=5),
    {"deep": [({"a": frozenset({b"x"})},)]},
]


async def test_values_of_every_kind_cross_as_they_are() -> None:
    """As arguments, by position and by name, and as results; type for type."""
    async with connected() as (env, _):
        stub = env.STATION.get_by_name("a")
        for value in VALUES:
            positional, named = await stub.echo(value, x=value)
            for back in (*positional, *named.values()):
                assert back == value
                assert type(back) is type(value)


async def test_values_are_copied_when_the_call_is_made() -> None:
    """Neither side sees what the other does with them later."""
    async with connected() as (env, _):
        stub = env.STATION.get_by_name("a")
        mine = [1]
        call = stub.note(mine)
        mine.append(2)
        result = await call
        assert result == [1]
        result.append(3)
        assert await stub.notes() == [[1]]


def nested(depth: int) -> Any:
    """Lists in lists."""
    value: Any = []
    for _ in range(depth - 1):
        value = [value]
    return value


async def test_the_limits_are_those_within_a_process() -> None:
    """32 MiB for the arguments together and for a result, 128 levels; refused with the same errors."""

    @script
    async def large(actor: Any, size: int) -> bytes:
        return bytes(size)

    async with connected() as (env, _):
        stub = env.STATION.get_by_name("a")
        half = bytes(16 * MEBIBYTE)
        assert len((await stub.echo(half, x=b""))[0][0]) == len(half)
        assert await stub.run("large", 32 * MEBIBYTE) == bytes(32 * MEBIBYTE)
        with pytest.raises(LimitError, match="limited to 32MiB"):
            await stub.echo(half, half, "one more")
        with pytest.raises(LimitError, match="limited to 32MiB"):
            await stub.run("large", 32 * MEBIBYTE + 1)
        assert await stub.note(nested(127)) == nested(127)
        with pytest.raises(DataCloneError, match="nested deeper"):
            await stub.note(nested(129))
        with pytest.raises(DataCloneError, match=r"argument 'x': .*\['deep'\]"):
            await stub.echo(x={"deep": object()})
        with pytest.raises(LimitError, match="a frame to another process is at most"):
            await stub.echo(**{"n" * 40 * MEBIBYTE: 1})
        with pytest.raises(DataCloneError, match="lone surrogate"):
            await getattr(stub, "\ud800")()
        assert await stub.notes() == [nested(127)]


def local_class() -> type[Exception]:
    """A class that nobody can find by its name."""

    class Hidden(Exception):
        """Raised once."""

    return Hidden


async def raised_by(stub: Any, make: Callable[[], BaseException]) -> Any:
    """What a caller gets when a handler raises the error that `make` makes."""

    @script
    async def fail(actor: Any) -> None:
        raise make()

    with pytest.raises(Exception) as caught:
        await stub.run("fail")
    return caught.value


@pytest.mark.parametrize(
    "make",
    [
        lambda: ValueError("bad", 5),
        lambda: KeyError("missing"),
        lambda: FileNotFoundError(2, "No such file", "x"),
        lambda: UnicodeDecodeError("utf-8", b"\xff", 0, 1, "why"),
        lambda: Strange(1, 2),
        lambda: DurableObjectError("mine"),
        lambda: OverloadedError("too much"),
        lambda: LimitError("too long"),
        lambda: DataCloneError("no copy"),
        lambda: TimeoutError(),
    ],
    ids=lambda make: type(make()).__name__,
)
async def test_an_error_keeps_class_message_arguments_and_attributes(
    make: Callable[[], Exception],
) -> None:
    """And says that it came from the object, and which."""

    def colourful() -> Exception:
        error = make()
        as_any(error).colour = ("red", 1)
        as_any(error).local = object()
        error.add_note("a note")
        return error

    async with connected() as (env, _):
        stub = env.STATION.get_by_name("a")
        error: Any = await raised_by(stub, colourful)
        expected = make()
        kind: Any = type(expected)
        assert type(error) is kind
        assert (str(error), error.args) == (str(expected), expected.args)
        assert (error.colour, error.__notes__) == (("red", 1), ["a note"])
        assert not hasattr(error, "local")
        assert (error.remote, error.durable_object_reset, error.retryable) == (True, False, False)
        assert error.overloaded is isinstance(expected, OverloadedError)
        assert error.durable_object_id == str(stub.id)
        assert await stub.note(1) == 1


@pytest.mark.parametrize("flag", ["retryable", "overloaded"])
async def test_a_flag_that_the_handler_sets_arrives(flag: str) -> None:
    """As within a process."""

    def flagged() -> Exception:
        error = ValueError("busy")
        setattr(error, flag, True)
        return error

    async with connected() as (env, _):
        error = await raised_by(env.STATION.get_by_name("a"), flagged)
        assert (error.retryable, error.overloaded) == (flag == "retryable", flag == "overloaded")


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: local_class()("hidden"), "local_class.<locals>.Hidden"),
        (lambda: StopAsyncIteration("ends"), "builtins.StopAsyncIteration"),
        (lambda: ExceptionGroup("two", [ValueError("a")]), "ExceptionGroup"),
        (lambda: SystemExit("out"), "SystemExit"),
        (lambda: type("Ghost", (Exception,), {"__module__": "__main__"})("boo"), "__main__.Ghost"),
    ],
    ids=["local", "iteration", "group", "exit", "main"],
)
async def test_an_error_that_cannot_be_rebuilt_crosses_by_its_name(
    make: Callable[[], BaseException], name: str
) -> None:
    """As a `DurableObjectError` with its text and `remote_type`; so does what would end a loop."""
    async with connected() as (env, _):
        error = await raised_by(env.STATION.get_by_name("a"), make)
        assert type(error) is DurableObjectError
        assert error.remote_type is not None
        assert error.remote_type.endswith(name)
        assert str(error) == str(make())
        assert error.remote


async def test_what_cannot_be_called_is_refused_by_the_host() -> None:
    """With the errors of a call within a process."""
    async with connected() as (env, _):
        stub = env.STATION.get_by_name("a")
        with pytest.raises(TypeError, match='does not implement the method "missing"') as refused:
            await stub.missing()
        assert as_any(refused.value).remote
        with pytest.raises(TypeError, match="'alarm' is a reserved method"):
            await stub.alarm()
        with pytest.raises(TypeError, match="unexpected keyword"):
            await stub.note(1, nope=2)
        with pytest.raises(DataCloneError, match='type "object"'):

            @script
            async def leave(actor: Any) -> object:
                return object()

            await stub.run("leave")
        with pytest.raises(DurableObjectError, match=r"does not export a fetch\(\) function"):
            await env.SILENT.get_by_name("a").fetch("http://x/")


async def test_a_property_is_read_by_awaiting_it() -> None:
    """In order with calls; what is none has the errors of a call within a process."""
    async with connected() as (env, _):
        stub = env.STATION.get_by_name("a")
        assert await stub.title == "the station a"
        with pytest.raises(TypeError, match="missing"):
            await stub.missing


async def test_a_hundred_calls_arrive_in_order_behind_a_slow_one() -> None:
    """Method calls and requests mixed, cold and warm; answers come as they are ready."""
    begun, go_on = anyio.Event(), anyio.Event()

    @script
    async def slow(actor: Any) -> str:
        actor.seen.append("slow")
        begun.set()
        await go_on.wait()
        return "done"

    @script
    async def fetch(actor: Any, request: Any) -> Any:
        from roomhost.runtime import Response

        actor.seen.append(int(request.url.path[1:]))
        return Response("ok")

    async with connected() as (env, _):
        stub = env.STATION.get_by_name("a")
        first = asyncio.ensure_future(stub.run("slow"))
        calls = [
            stub.note(number) if number % 2 else stub.fetch(f"http://x/{number}")
            for number in range(100)
        ]
        for call in reversed(calls):
            await call
        assert not first.done()
        assert await stub.notes() == ["slow", *range(100)]
        go_on.set()
        assert await first == "done"


async def test_many_first_calls_make_one_instance() -> None:
    """From stubs and clients of any number."""
    async with (
        served(app) as (url, host),
        connect(url, api_key="key") as one,
        connect(url, api_key="key") as other,
    ):
        Station.made = 0
        async with anyio.create_task_group() as group:
            for env in (one, other, host.env):
                for _ in range(10):
                    group.start_soon(env.STATION.get_by_name("fresh").note, 1)
        assert Station.made == 1
        assert len(await one.STATION.get_by_name("fresh").notes()) == 30
        assert await one.STATION.get_by_name("n").increment() == 1
        assert await other.STATION.get_by_name("n").increment() == 2


async def test_giving_up_on_a_call_does_not_stop_its_handler() -> None:
    """A cancelled caller hears nothing; the handler runs to its end, the stub works on."""
    begun, go_on, ended = anyio.Event(), anyio.Event(), anyio.Event()

    @script
    async def slow(actor: Any) -> None:
        begun.set()
        await go_on.wait()
        ended.set()

    async with connected() as (env, _):
        stub = env.STATION.get_by_name("a")
        async with anyio.create_task_group() as group:
            group.start_soon(stub.run, "slow")
            await begun.wait()
            group.cancel_scope.cancel()
        go_on.set()
        await ended.wait()
        assert await stub.note("alive") == "alive"


async def test_a_stub_of_a_reset_object_stays_broken_and_a_new_one_works() -> None:
    """Every later call of the old one has the first cause, also what was on its way."""
    async with connected() as (env, host):
        stub = env.STATION.get_by_name("a")
        await stub.note(1)
        for call in (stub.abort(), stub.note(2), stub.fetch("http://x/")):
            with pytest.raises(DurableObjectError, match=r"^told to$") as caught:
                await call
            error = caught.value
            assert (error.durable_object_reset, error.durable_object_id) == (True, str(stub.id))
        with pytest.raises(DurableObjectError, match=r"^told to$"):
            await stub.note(3)
        fresh = env.STATION.get_by_name("a")
        assert await fresh.notes() == []
        await host.abort_all()
        with pytest.raises(DurableObjectError, match="abortAllDurableObjects"):
            await fresh.notes()


async def test_the_reset_of_another_object_breaks_nothing_here() -> None:
    """An object that lets the reset of one it called through is itself well."""

    @script
    async def call_other(actor: Any) -> None:
        await actor.env.OTHER.get_by_name("b").abort()

    async with connected() as (env, _):
        stub = env.STATION.get_by_name("a")
        with pytest.raises(DurableObjectError, match="told to") as caught:
            await stub.run("call_other")
        assert caught.value.durable_object_reset
        assert await stub.note("alive") == "alive"


async def test_an_eviction_breaks_no_stub() -> None:
    """The next call starts the object again."""
    async with connected() as (env, host):
        stub = env.STATION.get_by_name("a")
        await stub.note(1)
        assert await host.evict(host.env.STATION.get_by_name("a"))
        assert await stub.notes() == []


async def test_the_host_forgets_stubs_that_nobody_holds() -> None:
    """A client that makes a stub for every call is no burden."""
    async with connected() as (env, _):
        link = env.STATION.get_by_name("a").__channel__._find_link()
        for number in range(10):
            await env.STATION.get_by_name(f"{number}").note(number)
        kept = env.STATION.get_by_name("kept")
        await kept.note(1)
        await anyio.lowlevel.checkpoint()
        await kept.note(2)
        assert link._released == []
        assert await kept.notes() == [1, 2]
