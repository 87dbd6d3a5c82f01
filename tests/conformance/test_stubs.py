"""Stubs: order of calls, and what a reset breaks"""

from __future__ import annotations

from typing import Any, ClassVar

import anyio
import pytest

from roomhost.bindings import App
from roomhost.runtime import DurableObject, DurableObjectState, Request, Response
from roomhost.runtime.testing import ManualClock, host_for

from ..helpers.outcomes import failure, flags
from .feature import Feature, mistake, shows

pytestmark = pytest.mark.anyio

STUB_MEMBERS = Feature("DurableObjectStub.id and .name", "1.5")
STUB_EXTRA = Feature(
    "DurableObjectStub: further own properties",
    "1.5",
    differs="a stub takes no further attributes: a wrong one is an AttributeError",
)
ORDER = Feature("Calls on one stub arrive in order", "2.5")
MIXED_ORDER = Feature(
    "Calls on one stub arrive in order: fetch and RPC mixed",
    "2.5",
    differs="one order for all kinds, where workerd keeps one for each",
)
ORDER_AT_START = Feature(
    "Calls wait for the constructor and blockConcurrencyWhile, in order", "2.5"
)
INTERLEAVING = Feature("Handlers of one object interleave", "2.5")
ONE_INSTANCE = Feature("Simultaneous first calls make one instance", "2.5")
SENT_AT_CALL = Feature("A call is sent when it is made", "2.2, 2.5")
CANCELLED = Feature("A caller that goes away does not stop the handler", "2.5")
BROKEN = Feature("A stub stays broken after a reset", "2.6")
IN_FLIGHT = Feature("A reset rejects every call in flight", "2.6")
NOT_BROKEN = Feature("An exception of a handler breaks nothing", "2.6")
EVICTED = Feature("A stub survives an eviction", "2.6")


class Journal(DurableObject):
    """Notes what arrives, in order; its constructor can wait or fail."""

    made: ClassVar[int] = 0
    opens: ClassVar[anyio.Event | None] = None
    fails: ClassVar[bool] = False

    def __init__(self, ctx: DurableObjectState, env: Any) -> None:
        super().__init__(ctx, env)
        Journal.made += 1
        self.notes: list[Any] = []
        self.opened = anyio.Event()
        self.waiting = anyio.Event()
        if Journal.fails:
            raise ValueError("no start")

        if Journal.opens is not None:
            ctx.block_concurrency_while(Journal.opens.wait)

    async def note(self, what: Any) -> Any:
        self.notes.append(what)
        return what

    async def fetch(self, request: Request) -> Response:
        self.notes.append(request.url.path)
        return Response(request.url.path)

    async def read(self) -> list[Any]:
        return self.notes

    async def wait(self) -> str:
        self.waiting.set()
        await self.opened.wait()
        self.notes.append("went on")
        return "done"

    async def until_waiting(self) -> None:
        await self.waiting.wait()

    async def open(self) -> None:
        self.opened.set()

    async def fail(self) -> None:
        self.notes.append("failed")
        raise ValueError("ordinary")

    async def abort(self) -> None:
        self.ctx.abort("why")

    async def fail_in_section(self) -> None:
        async def section() -> None:
            raise ValueError("why")

        await self.ctx.block_concurrency_while(section)


app = App(name="stubs", bindings={"JOURNAL": Journal})


@pytest.fixture(autouse=True)
def fresh() -> None:
    """What the class remembers is the test's own."""
    Journal.made, Journal.opens, Journal.fails = 0, None, False


@shows(STUB_MEMBERS, STUB_EXTRA)
async def test_a_stub_tells_the_id_and_the_name_it_was_made_with() -> None:
    """A unique id and one from a string have no name; nothing can be assigned."""
    async with host_for(app, clock=ManualClock()) as host:
        namespace = host.env.JOURNAL
        named = namespace.get_by_name("a")
        assert (named.name, named.id.name, str(named.id)) == ("a", "a", str(named.id))
        for made in (namespace.new_unique_id(), namespace.id_from_string(str(named.id))):
            stub = namespace.get(made)
            assert (stub.name, stub.id.equals(made)) == (None, True)
        for attribute in ("id", "name", "other"):
            with pytest.raises(AttributeError):
                setattr(named, attribute, "x")


def send(stub: Any, number: int, kinds: str) -> Any:
    """The call of that number, of the kind that its letter says: a method or a fetch."""
    if kinds[number % len(kinds)] == "m":
        return stub.note(f"/{number}")
    return stub.fetch(f"http://x/{number}")


@shows(ORDER, MIXED_ORDER)
@mistake(13)
@pytest.mark.parametrize("kinds", ["m", "f", "mf", "ffm"])
@pytest.mark.parametrize("warm", [False, True], ids=["cold", "warm"])
async def test_mistake_13_calls_over_one_stub_arrive_in_the_order_they_were_made(
    warm: bool, kinds: str
) -> None:
    """Methods and fetches in one order, on an object that starts with the first call or runs;
    awaiting them in another order changes nothing."""
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.JOURNAL.get_by_name("a")
        if warm:
            assert await stub.read() == []
        calls = [send(stub, number, kinds) for number in range(20)]
        for call in reversed(calls):
            await call
        assert await stub.read() == [f"/{number}" for number in range(20)]


@shows(ORDER)
@mistake(13)
async def test_mistake_13_calls_from_several_tasks_arrive_in_order_of_the_calls() -> None:
    """Who waits for a call does not matter, when it was made does."""
    results: list[int] = []

    async def wait_for(call: Any) -> None:
        results.append(await call)

    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.JOURNAL.get_by_name("a")
        async with anyio.create_task_group() as group:
            for number in range(10):
                group.start_soon(wait_for, stub.note(number))
        assert await stub.read() == list(range(10))
        assert sorted(results) == list(range(10))


@shows(ORDER_AT_START, ORDER)
@pytest.mark.parametrize("kinds", ["m", "mf"])
async def test_calls_wait_for_block_concurrency_while_in_the_constructor(kinds: str) -> None:
    """None is delivered before the section ends, then all are in order."""
    Journal.opens = opens = anyio.Event()
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.JOURNAL.get_by_name("a")
        calls = [send(stub, number, kinds) for number in range(10)]
        await anyio.wait_all_tasks_blocked()
        assert Journal.made == 1
        opens.set()
        for call in calls:
            await call
        assert await stub.read() == [f"/{number}" for number in range(10)]


@shows(INTERLEAVING)
async def test_a_handler_that_waits_lets_the_next_call_in() -> None:
    """In order means that handlers start in order, not that one ends before the next starts."""
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.JOURNAL.get_by_name("a")
        waiting, noted, opened = stub.wait(), stub.note("between"), stub.open()
        assert [await call for call in (waiting, noted, opened)] == ["done", "between", None]
        assert await stub.read() == ["between", "went on"]


@shows(ONE_INSTANCE)
@mistake(14)
async def test_mistake_14_simultaneous_first_calls_make_one_instance() -> None:
    """From one stub, from many stubs, and of every kind."""
    async with host_for(app, clock=ManualClock()) as host:
        stubs = [host.env.JOURNAL.get_by_name("a") for _ in range(10)]
        calls = [send(stub, number, "mf") for number, stub in enumerate([*stubs, *stubs])]
        async with anyio.create_task_group() as group:
            for call in calls:
                group.start_soon(ends_well, call)
        assert Journal.made == 1
        assert sorted(await stubs[0].read()) == sorted(f"/{number}" for number in range(20))


async def ends_well(call: Any) -> None:
    """Wait for a call that ends well."""
    await call


@shows(SENT_AT_CALL)
async def test_a_call_is_sent_when_it_is_made_not_when_it_is_awaited() -> None:
    """Nobody need await it at all."""
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.JOURNAL.get_by_name("a")
        stub.note("not awaited").close()
        late = stub.note("awaited late")
        assert await stub.read() == ["not awaited", "awaited late"]
        assert await late == "awaited late"
        assert await stub.read() == ["not awaited", "awaited late"]


@shows(CANCELLED)
async def test_a_caller_that_is_cancelled_does_not_stop_the_handler() -> None:
    """The handler runs to its end; the stub can be used on."""
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.JOURNAL.get_by_name("a")
        async with anyio.create_task_group() as group:
            group.start_soon(stub.wait)
            await stub.until_waiting()
            group.cancel_scope.cancel()
        await stub.open()
        await host.settle()
        assert await stub.read() == ["went on"]


@shows(NOT_BROKEN)
@mistake(3)
async def test_mistake_3_an_exception_of_a_handler_resets_nothing_and_breaks_no_stub() -> None:
    """The next call over the same stub meets the same instance and its memory."""
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.JOURNAL.get_by_name("a")
        error = await failure(stub.fail())
        assert (type(error), str(error), flags(error)) == (ValueError, "ordinary", {"remote"})
        assert await stub.read() == ["failed"]
        assert Journal.made == 1


@shows(BROKEN)
@mistake(4)
@pytest.mark.parametrize("reset", ["abort", "fail_in_section"])
async def test_mistake_4_a_reset_breaks_the_stub_for_good(reset: str) -> None:
    """Every later call of every kind gets the same error; a new stub meets a new instance, and that
    does not mend the old one."""
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.JOURNAL.get_by_name("a")
        await stub.note("lost")
        first = await failure(getattr(stub, reset)())
        for call in (stub.read(), stub.fetch("http://x/"), stub.missing(), stub.read()):
            error = await failure(call)
            assert (type(error), str(error)) == (type(first), "why")
            assert error.durable_object_reset
        assert await host.env.JOURNAL.get_by_name("a").read() == []
        assert str(await failure(stub.read())) == "why"
        assert Journal.made == 2


@shows(BROKEN)
@mistake(45)
async def test_mistake_45_no_call_succeeds_when_the_constructor_raised() -> None:
    """Every queued call gets its error, the stub stays broken; a new stub constructs again."""
    Journal.fails = True
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.JOURNAL.get_by_name("a")
        calls = [stub.read(), stub.fetch("http://x/"), stub.note(1)]
        for error in [await failure(call) for call in [*calls, stub.read()]]:
            assert (type(error), str(error)) == (ValueError, "no start")
        assert type(await failure(host.env.JOURNAL.get_by_name("a").read())) is ValueError
        Journal.fails = False
        assert str(await failure(stub.read())) == "no start"
        assert await host.env.JOURNAL.get_by_name("a").read() == []
        assert Journal.made == 3


@shows(IN_FLIGHT)
async def test_a_reset_rejects_every_call_in_flight_over_every_stub() -> None:
    """Those that run and those that wait, at once, with the reset's error."""
    async with host_for(app, clock=ManualClock()) as host:
        stub, other = (host.env.JOURNAL.get_by_name("a") for _ in range(2))
        calls = [stub.wait(), other.wait(), stub.abort(), other.note("behind")]
        errors = [await failure(call) for call in calls]
        assert [str(error) for error in errors] == ["why"] * 4
        assert all(error.durable_object_reset for error in errors)
        assert len({id(error) for error in errors}) == 4


@shows(EVICTED)
@mistake(4)
@pytest.mark.parametrize("how", ["evicted", "idle"])
async def test_mistake_4_an_eviction_breaks_no_stub(how: str) -> None:
    """The next call over the same stub starts the object again, without its memory."""
    clock = ManualClock()
    async with host_for(app, clock=clock) as host:
        stub = host.env.JOURNAL.get_by_name("a")
        await stub.note("forgotten")
        if how == "evicted":
            await host.evict(stub)
        else:
            await clock.advance(11)
        assert host.statistics().activations == 0
        assert await stub.read() == []
        assert Journal.made == 2
