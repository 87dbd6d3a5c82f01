"""Stubs: calls by copy, in order, with errors that say what to do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from roomhost.bindings import App
from roomhost.runtime import (
    DataCloneError,
    DurableObject,
    DurableObjectError,
    LimitError,
    OverloadedError,
    Request,
    Response,
    limits,
)
from roomhost.runtime.testing import ManualClock, host_for

pytestmark = pytest.mark.anyio


class Picky(Exception):
    """An error whose class wants more than its message."""

    def __init__(self, first: int, second: int) -> None:
        super().__init__(f"{first} and {second}")
        self.second = second


class Unbuildable(Exception):
    """An error that no copy can be made of."""

    def __new__(cls, *arguments: Any) -> Unbuildable:
        if len(arguments) < 2:
            raise TypeError("two arguments")
        return super().__new__(cls, *arguments)

    def __init__(  # pyright: ignore[reportInconsistentConstructor]
        self, first: int, second: object
    ) -> None:
        super().__init__("unbuildable")


class Thing(DurableObject):
    """One method for each thing a stub can meet."""

    made = 0
    body: AsyncIterator[bytes]

    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        Thing.made += 1
        self.seen: list[Any] = []
        self.opened = anyio.Event()
        self.attribute = lambda: "hidden"

    async def echo(self, value: Any = None, **keywords: Any) -> Any:
        self.seen.append(value)
        return keywords or value

    def plain(self) -> int:
        return 7

    async def _private(self) -> str:
        return "callable"

    @property
    def size(self) -> int:
        return 1

    async def keep(self, value: list[int]) -> list[int]:
        self.seen = value
        return value

    async def order(self) -> list[Any]:
        return self.seen

    async def wait(self) -> str:
        await self.opened.wait()
        self.seen.append("went on")
        return "done"

    async def open(self) -> None:
        self.opened.set()

    async def fail(self, kind: str) -> None:
        error: Any = {
            "value": ValueError("bad", 5),
            "picky": Picky(1, 2),
            "unbuildable": Unbuildable(1, object()),
            "own": DurableObjectError("mine"),
            "key": KeyError("missing"),
            "os": FileNotFoundError(2, "No such file", "x"),
        }[kind]
        error.colour = "red"
        error.retryable = kind == "own"
        raise error

    async def leave(self) -> object:
        return object()

    async def fetch(self, request: Request) -> Response:
        if request.url.path == "/fail":
            raise ValueError("in fetch")
        if request.url.path == "/stream":
            return Response(Thing.body)
        if request.url.path == "/wrong":
            return "text"  # type: ignore[return-value]  # pyright: ignore[reportReturnType]
        text = f"{request.method} {request.url.path} {request.headers.get('x-one')} {await request.text()}"
        return Response(text, headers={"X-Two": "2"}, status=201)

    async def abort(self) -> None:
        self.ctx.abort("why")

    async def stored(self) -> Any:
        return await self.ctx.storage.list()


def as_any(error: BaseException) -> Any:
    """An error with the attributes that stubs add."""
    return error


class Silent(DurableObject):
    """Has no fetch."""


app = App(name="stubs", bindings={"THING": Thing, "SILENT": Silent})


async def test_a_method_is_called_with_copies_and_returns_one() -> None:
    """Positional and keyword arguments, async and plain methods; neither side sees the other's."""
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.THING.get_by_name("a")
        assert await stub.echo(1) == 1
        assert await stub.echo(x=(1, {2}), y=None) == {"x": (1, {2}), "y": None}
        assert await stub.plain() == 7
        mine = [1]
        call = stub.keep(mine)
        mine.append(2)
        result = await call
        assert result == [1]
        result.append(3)
        assert await stub.order() == [1]


async def test_calls_of_one_stub_arrive_in_the_order_they_were_made() -> None:
    """Cold and warm, awaited in any order."""
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.THING.get_by_name("a")
        for _ in range(2):
            calls = [stub.echo(number) for number in range(20)]
            for call in reversed(calls):
                await call
        assert await stub.order() == [*range(20), *range(20)]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing", 'does not implement the method "missing"'),
        ("attribute", 'does not implement the method "attribute"'),
        ("made", 'does not implement the method "made"'),
        ("ctx", 'does not implement the method "ctx"'),
        ("size", '"size" is not a function'),
        ("alarm", "'alarm' is a reserved method"),
        ("web_socket_message", "'web_socket_message' is a reserved method"),
    ],
)
async def test_only_methods_of_the_class_can_be_called(name: str, message: str) -> None:
    """A TypeError when the call is awaited; the object lives on."""
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.THING.get_by_name("a")
        with pytest.raises(TypeError, match=message) as refused:
            await getattr(stub, name)()
        assert as_any(refused.value).remote
        assert await stub.echo("alive") == "alive"


async def test_an_underscore_hides_nothing_and_wrong_arguments_are_a_type_error() -> None:
    """As in the language."""
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.THING.get_by_name("a")
        assert await stub._private() == "callable"
        with pytest.raises(TypeError, match="plain"):
            await stub.plain(1, 2)


async def test_an_error_keeps_its_class_its_message_and_its_attributes() -> None:
    """And says that it came from the object, and which; it resets nothing."""
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.THING.get_by_name("a")
        for kind, expected in (
            ("value", ValueError),
            ("picky", Picky),
            ("own", DurableObjectError),
            ("key", KeyError),
            ("os", FileNotFoundError),
        ):
            with pytest.raises(expected) as caught:
                await stub.fail(kind)
            assert type(caught.value) is expected
            error = as_any(caught.value)
            assert error.colour == "red"
            assert (error.remote, error.retryable) == (True, kind == "own")
            assert (error.overloaded, error.durable_object_reset) == (False, False)
            assert error.durable_object_id == str(stub.id)
        with pytest.raises(ValueError, match="bad") as bad:
            await stub.fail("value")
        assert bad.value.args == ("bad", 5)
        with pytest.raises(FileNotFoundError, match="No such file: 'x'") as missing:
            await stub.fail("os")
        assert (missing.value.filename, missing.value.args) == ("x", (2, "No such file"))
        with pytest.raises(Picky) as picky:
            await stub.fail("picky")
        assert (str(picky.value), picky.value.second) == ("1 and 2", 2)
        assert await stub.echo("alive") == "alive"


async def test_an_error_that_cannot_be_copied_crosses_by_its_name() -> None:
    """As `DurableObjectError` with `remote_type`."""
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.THING.get_by_name("a")
        with pytest.raises(DurableObjectError, match="unbuildable") as caught:
            await stub.fail("unbuildable")
        assert caught.value.remote_type == f"{__name__}.Unbuildable"


async def test_what_cannot_be_copied_does_not_reach_the_object() -> None:
    """An argument is refused before the call is sent, a result before it leaves."""
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.THING.get_by_name("a")
        with pytest.raises(DataCloneError, match=r"argument 1: .*\['deep'\]"):
            await stub.echo({"deep": object()})
        assert await stub.order() == []
        with pytest.raises(DataCloneError, match='type "object"'):
            await stub.leave()
        half = b"x" * (16 * 1024 * 1024)
        assert await stub.echo(half, y=b"") == {"y": b""}
        with pytest.raises(LimitError, match="limited to 32MiB"):
            await stub.echo(half, x=half, y="one more")
        assert await stub.echo("alive") == "alive"


async def test_giving_up_on_a_call_does_not_stop_its_handler() -> None:
    """A cancelled caller hears nothing; the handler runs to its end."""
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.THING.get_by_name("a")
        with anyio.move_on_after(0) as scope:
            await stub.wait()
        assert scope.cancelled_caught
        await stub.open()
        await anyio.wait_all_tasks_blocked()
        assert await stub.order() == ["went on"]


async def test_many_first_calls_make_one_instance() -> None:
    """However they come."""
    async with host_for(app, clock=ManualClock()) as host:
        Thing.made = 0
        stubs = [host.env.THING.get_by_name("fresh") for _ in range(50)]
        async with anyio.create_task_group() as group:
            for stub in stubs:
                group.start_soon(stub.echo, 1)
        assert Thing.made == 1
        assert len(await stubs[0].order()) == 50


async def test_a_stub_of_a_reset_object_stays_broken_and_a_new_one_works() -> None:
    """Every later call of the old one has the first cause."""
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.THING.get_by_name("a")
        waiting = stub.wait()
        for call in (stub.abort(), waiting, stub.echo(1), stub.fetch("http://x/")):
            with pytest.raises(DurableObjectError, match=r"^why$") as caught:
                await call
            assert caught.value.durable_object_reset
        assert await host.env.THING.get_by_name("a").order() == []


async def test_an_eviction_breaks_no_stub() -> None:
    """The next call starts the object again."""
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.THING.get_by_name("a")
        await stub.echo(1)
        assert await host.evict(stub)
        assert not await host.evict(stub)
        assert await stub.order() == []


async def test_fetch_carries_a_request_and_brings_a_response() -> None:
    """By a `Request` or by a URL and the rest; the URL is absolute."""
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.THING.get_by_name("a")
        sent = Request("http://x/path?q=1", method="post", headers={"X-One": "1"}, body="größe")
        for response in (
            await stub.fetch(sent),
            await stub.fetch("http://x/path", method="POST", headers={"x-one": "1"}, body="größe"),
        ):
            assert (response.status, response.headers["x-two"]) == (201, "2")
            assert await response.text() == "POST /path 1 größe"
        with pytest.raises(TypeError, match="Invalid URL"):
            stub.fetch("/relative")


async def test_an_exception_in_fetch_is_an_exception_here() -> None:
    """Not a response; nor is what is no response."""
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.THING.get_by_name("a")
        with pytest.raises(ValueError, match="in fetch") as caught:
            await stub.fetch("http://x/fail")
        assert as_any(caught.value).remote
        with pytest.raises(TypeError, match="returns a Response, not str"):
            await stub.fetch("http://x/wrong")
        with pytest.raises(DurableObjectError, match=r"does not export a fetch\(\) function"):
            await host.env.SILENT.get_by_name("a").fetch("http://x/")


async def test_an_object_with_too_much_queued_refuses_more() -> None:
    """`OverloadedError`, and nothing of that call runs."""
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.THING.get_by_name("a")
        calls = [stub.echo(number) for number in range(10_001)]
        with pytest.raises(OverloadedError, match="Too many requests queued") as refused:
            await calls[-1]
        assert refused.value.overloaded
        for call in calls[:-1]:
            await call
        assert len(await stub.order()) == 10_000


async def test_a_reader_that_stops_ends_the_body_of_the_object() -> None:
    """Its generator is closed at once, as the object's code."""
    closed = anyio.Event()

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x"
        finally:
            closed.set()

    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.THING.get_by_name("a")
        Thing.body = endless()
        stream = (await stub.fetch("http://x/stream")).stream()
        assert await anext(stream) == b"x"
        await stream.aclose()
        await closed.wait()
        assert await host.evict(stub)


async def test_a_body_that_waits_for_something_ends_with_its_reader_too() -> None:
    """It would keep the instance in memory for nobody."""
    closed = anyio.Event()

    async def silent() -> AsyncIterator[bytes]:
        try:
            yield b"x"
            await anyio.sleep_forever()
        finally:
            closed.set()

    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.THING.get_by_name("a")
        Thing.body = silent()
        stream = (await stub.fetch("http://x/stream")).stream()
        assert await anext(stream) == b"x"
        await anyio.wait_all_tasks_blocked()
        await stream.aclose()
        await closed.wait()
        assert await host.evict(stub)


class Titled(DurableObject):
    """Has properties."""

    prefix = "a class attribute"

    @property
    def title(self) -> str:
        return f"the title of {self.ctx.id.name}"

    @property
    async def stored(self) -> Any:
        return await self.ctx.storage.get("key", [])

    @property
    def broken(self) -> str:
        raise LookupError("no title")

    def method(self) -> None:
        """Not to be read."""


titled = App(name="titled", bindings={"TITLED": Titled})


async def test_a_property_is_read_by_awaiting_it() -> None:
    """2.1: of any kind, its value a copy, its error the caller's."""
    async with host_for(titled, clock=ManualClock()) as host:
        stub = host.env.TITLED.get_by_name("a")
        assert await stub.title == "the title of a"
        assert await stub.stored == []
        with pytest.raises(LookupError, match="no title"):
            await stub.broken


async def test_only_properties_are_read() -> None:
    """Not methods, attributes, or what is not there; and a property is not called."""
    async with host_for(titled, clock=ManualClock()) as host:
        stub = host.env.TITLED.get_by_name("a")
        with pytest.raises(TypeError, match='"title" is not a function'):
            await stub.title()
        with pytest.raises(TypeError, match='"method" is a function: call it'):
            await stub.method
        for name in ("prefix", "ctx", "nothing"):
            with pytest.raises(TypeError, match=f'does not implement the method "{name}"'):
                await getattr(stub, name)
        with pytest.raises(TypeError, match="reserved"):
            await stub.alarm


async def test_a_stub_takes_no_attributes() -> None:
    """One that is set would hide the object's own, and reach nobody."""
    async with host_for(app) as host:
        stub = host.env.THING.get_by_name("a")
        with pytest.raises(AttributeError, match="cannot be set on a stub"):
            stub.attribute = "mine"


async def test_a_stub_keeps_so_many_of_its_members_and_finds_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever makes names up does not fill the memory."""
    monkeypatch.setattr(limits, "MAX_STUB_MEMBERS", 2)
    async with host_for(app) as host:
        stub = host.env.THING.get_by_name("a")
        assert [callable(getattr(stub, f"member_{number}")) for number in range(5)] == [True] * 5
        assert len(vars(stub)) == 2
        assert stub.member_0 is stub.member_0
        assert stub.member_4 is not stub.member_4
