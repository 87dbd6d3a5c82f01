"""block_concurrency_while.

A critical section: nothing is delivered to the object while its callback runs, and an error of it
resets the object.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from roomhost.runtime import DurableObjectError, OverloadedError
from roomhost.runtime.testing import ManualClock, host_for

from ..helpers.in_flight import in_flight
from ..helpers.scripted import Scripted, app, script
from .feature import Feature, mistake, shows

pytestmark = pytest.mark.anyio

START = Feature("ctx.blockConcurrencyWhile: when the callback starts", "3.2")
RESULT = Feature("ctx.blockConcurrencyWhile: result", "3.2")
BLOCKS = Feature("ctx.blockConcurrencyWhile: what waits", "3.2")
INSIDE = Feature("ctx.blockConcurrencyWhile: I/O started inside", "3.2")
ORDER = Feature("ctx.blockConcurrencyWhile: several at once", "3.2")
NESTED = Feature("ctx.blockConcurrencyWhile: nested, to depth 64", "3.2")
CONTINUATION = Feature("ctx.blockConcurrencyWhile: the caller goes on first", "3.2")
FAILURE = Feature("ctx.blockConcurrencyWhile: an error resets the object", "3.2, 2.4")
TIMEOUT = Feature("ctx.blockConcurrencyWhile: 30-second limit", "3.2, 2.4")
DEADLOCK = Feature("ctx.blockConcurrencyWhile: calling oneself inside", "3.2")
NEVER = Feature(
    "ctx.blockConcurrencyWhile: awaiting what can never complete",
    "3.2",
    differs="it is found by the 30-second limit, not when the last reference is dropped",
)
OUTLIVING = Feature("ctx.blockConcurrencyWhile: tasks that outlive it", "3.2")

TIMED_OUT = (
    "A call to blockConcurrencyWhile() in a Durable Object waited for too long. "
    "The call was canceled and the Durable Object was reset."
)


@shows(START)
@mistake(1)
async def test_mistake_1_the_callback_starts_after_the_callers_synchronous_code() -> None:
    """The caller runs up to its await first, then the callback, then the rest of the caller."""
    log: list[str] = []

    async def callback() -> None:
        log.append("callback")

    @script
    async def story(actor: Scripted) -> None:
        log.append("before")
        section = actor.ctx.block_concurrency_while(callback)
        log.append("after the call")
        await section
        log.append("continuation")

    async with host_for(app, clock=ManualClock()) as host:
        await host.env.OBJECT.get_by_name("a").run("story")
    assert log == ["before", "after the call", "callback", "continuation"]


@shows(RESULT)
@pytest.mark.parametrize("kind", ["coroutine", "plain function"])
async def test_it_gives_what_the_callback_returns(kind: str) -> None:
    """Sync or async, the callback's value is the call's."""

    async def later() -> int:
        await anyio.lowlevel.checkpoint()
        return 7

    callback: Callable[[], Any] = later if kind == "coroutine" else lambda: 7

    @script
    async def story(actor: Scripted) -> Any:
        return await actor.ctx.block_concurrency_while(callback)

    async with host_for(app, clock=ManualClock()) as host:
        assert await host.env.OBJECT.get_by_name("a").run("story") == 7


@shows(BLOCKS, CONTINUATION)
async def test_calls_wait_for_its_end_and_for_the_callers_continuation() -> None:
    """What queued while the callback waited runs after the caller has gone on, in order."""
    log: list[str] = []
    go = anyio.Event()

    async def callback() -> None:
        await go.wait()
        log.append("callback ends")

    @script
    async def section(actor: Scripted) -> None:
        await actor.ctx.block_concurrency_while(callback)
        log.append("continuation")

    @script
    def visit(actor: Scripted, name: str) -> None:
        log.append(name)

    async with host_for(app, clock=ManualClock()) as host, in_flight() as calls:
        stub = host.env.OBJECT.get_by_name("a")
        await calls.start("section", stub.run("section"))
        await calls.start("first", stub.run("visit", "first"))
        await calls.start("second", stub.run("visit", "second"))
        assert (log, calls.ended) == ([], {})
        go.set()
    assert log == ["callback ends", "continuation", "first", "second"]


@shows(BLOCKS)
async def test_an_unawaited_section_blocks_as_well() -> None:
    """The handler that asked for it may return: the next call still waits."""
    go = anyio.Event()

    @script
    def ask(actor: Scripted) -> str:
        actor.ctx.block_concurrency_while(go.wait)
        return "asked"

    @script
    def visit(actor: Scripted) -> str:
        return "visited"

    async with host_for(app, clock=ManualClock()) as host, in_flight() as calls:
        stub = host.env.OBJECT.get_by_name("a")
        await calls.start("ask", stub.run("ask"))
        await calls.start("visit", stub.run("visit"))
        assert calls.ended == {"ask": "asked"}
        go.set()
    assert calls.ended == {"ask": "asked", "visit": "visited"}


@shows(BLOCKS)
async def test_a_handler_that_began_before_it_does_not_go_on_inside_it() -> None:
    """What that handler awaits may be over: its continuation was not started inside, so it waits."""
    log: list[str] = []
    wake, go = anyio.Event(), anyio.Event()

    @script
    async def early(actor: Scripted) -> None:
        await wake.wait()
        log.append("early goes on")

    @script
    async def section(actor: Scripted) -> None:
        await actor.ctx.block_concurrency_while(go.wait)
        log.append("section is over")

    async with host_for(app, clock=ManualClock()) as host, in_flight() as calls:
        stub = host.env.OBJECT.get_by_name("a")
        await calls.start("early", stub.run("early"))
        await calls.start("section", stub.run("section"))
        wake.set()
        await anyio.wait_all_tasks_blocked()
        assert log == []
        go.set()
    assert log == ["section is over", "early goes on"]


@shows(INSIDE)
async def test_storage_waits_and_calls_to_other_objects_work_inside() -> None:
    """What is started inside is delivered inside."""

    @script
    def answer(actor: Scripted) -> int:
        return 40

    @script
    async def story(actor: Scripted) -> int:
        async def callback() -> int:
            await anyio.lowlevel.checkpoint()
            await actor.ctx.storage.put("n", 2)
            other = await actor.env.OBJECT.get_by_name("other").run("answer")
            return int(other + await actor.ctx.storage.get("n"))

        return int(await actor.ctx.block_concurrency_while(callback))

    async with host_for(app, clock=ManualClock()) as host:
        assert await host.env.OBJECT.get_by_name("a").run("story") == 42


@shows(ORDER)
async def test_concurrent_sections_run_one_after_the_other() -> None:
    """In the order they were asked for, each to its end."""
    log: list[str] = []

    @script
    async def section(actor: Scripted, name: str) -> None:
        async def callback() -> None:
            log.append(f"{name} begins")
            await anyio.lowlevel.checkpoint()
            log.append(f"{name} ends")

        await actor.ctx.block_concurrency_while(callback)

    async with host_for(app, clock=ManualClock()) as host, in_flight() as calls:
        stub = host.env.OBJECT.get_by_name("a")
        for name in ("one", "two", "three"):
            await calls.start(name, stub.run("section", name))
    assert log == [
        f"{name} {what}" for name in ("one", "two", "three") for what in ("begins", "ends")
    ]


@shows(ORDER)
async def test_two_sections_of_one_handler_run_in_the_order_of_the_calls() -> None:
    """Even if the second is awaited first."""
    log: list[int] = []

    @script
    async def story(actor: Scripted) -> None:
        first = actor.ctx.block_concurrency_while(lambda: log.append(1))
        second = actor.ctx.block_concurrency_while(lambda: log.append(2))
        await second
        await first

    async with host_for(app, clock=ManualClock()) as host:
        await host.env.OBJECT.get_by_name("a").run("story")
    assert log == [1, 2]


async def nest(actor: Scripted, depth: int) -> str:
    """So many sections, each inside the one before."""
    if depth == 0:
        return "the bottom"

    return str(await actor.ctx.block_concurrency_while(lambda: nest(actor, depth - 1)))


@shows(NESTED)
async def test_sections_nest_to_depth_64() -> None:
    """The 65th is an error like any other, which breaks nothing when it is caught."""

    @script
    async def story(actor: Scripted, depth: int) -> str:
        return await nest(actor, depth)

    @script
    async def caught(actor: Scripted) -> str:
        async def innermost() -> str:
            with pytest.raises(DurableObjectError, match="nested too deeply"):
                await actor.ctx.block_concurrency_while(lambda: None)
            return "caught"

        async def deeper(depth: int) -> str:
            call = (lambda: deeper(depth - 1)) if depth else innermost
            return str(await actor.ctx.block_concurrency_while(call))

        return await deeper(63)

    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.OBJECT.get_by_name("a")
        assert await stub.run("story", 64) == "the bottom"
        assert await stub.run("caught") == "caught"
        assert await stub.run("story", 64) == "the bottom"


@shows(NESTED)
async def test_a_handler_waits_for_the_inner_section_too() -> None:
    """An inner one that nobody awaits still ends before the outer one gives the gate back."""
    log: list[str] = []
    go = anyio.Event()

    @script
    async def story(actor: Scripted) -> None:
        async def inner() -> None:
            await go.wait()
            log.append("inner")

        async def outer() -> None:
            actor.ctx.block_concurrency_while(inner)

        await actor.ctx.block_concurrency_while(outer)
        log.append("story")

    @script
    def visit(actor: Scripted) -> None:
        log.append("visit")

    async with host_for(app, clock=ManualClock()) as host, in_flight() as calls:
        stub = host.env.OBJECT.get_by_name("a")
        await calls.start("story", stub.run("story"))
        await calls.start("visit", stub.run("visit"))
        assert "visit" not in log
        go.set()
    assert log.index("inner") < log.index("visit")


async def fails_late() -> None:
    """A callback whose error comes after a wait."""
    await anyio.lowlevel.checkpoint()
    raise KeyError("broken")


def fails_at_once() -> None:
    """One that fails synchronously."""
    raise KeyError("broken")


@shows(FAILURE)
@mistake(2)
@pytest.mark.parametrize("callback", [fails_late, fails_at_once])
async def test_mistake_2_an_except_clause_around_it_does_not_save_the_object(
    callback: Callable[[], Any],
) -> None:
    """The call never settles inside: callers get the callback's error, the next instance is new."""
    survived: list[str] = []

    @script
    async def story(actor: Scripted) -> None:
        try:
            await actor.ctx.block_concurrency_while(callback)
        except Exception:
            survived.append("caught")
        survived.append("went on")

    @script
    def visit(actor: Scripted) -> int:
        return id(actor)

    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.OBJECT.get_by_name("a")
        await stub.run("visit")
        with pytest.raises(KeyError, match="broken") as caught:
            await stub.run("story")
        assert getattr(caught.value, "durable_object_reset", False)
        with pytest.raises(KeyError, match="broken"):
            await stub.run("visit")
        await host.env.OBJECT.get_by_name("a").run("visit")
    assert survived == []


@shows(FAILURE)
async def test_its_failure_reaches_everything_that_waits() -> None:
    """Calls that queued behind it get the same error: none of them runs in the broken instance."""
    ran: list[str] = []
    go = anyio.Event()

    @script
    async def story(actor: Scripted) -> None:
        async def callback() -> None:
            await go.wait()
            raise ValueError("start-up failed")

        await actor.ctx.block_concurrency_while(callback)

    @script
    def visit(actor: Scripted) -> None:
        ran.append("visit")

    async with host_for(app, clock=ManualClock()) as host, in_flight() as calls:
        stub = host.env.OBJECT.get_by_name("a")
        await calls.start("story", stub.run("story"))
        await calls.start("queued", stub.run("visit"))
        go.set()
    assert [str(error) for error in calls.ended.values()] == ["start-up failed"] * 2
    assert ran == []


@shows(TIMEOUT, NEVER)
async def test_after_30_seconds_the_object_is_reset() -> None:
    """Not before; the error is an overload and a reset, with Cloudflare's text."""
    clock = ManualClock()

    @script
    async def story(actor: Scripted) -> None:
        await actor.ctx.block_concurrency_while(anyio.Event().wait)

    async with host_for(app, clock=clock) as host, in_flight() as calls:
        await calls.start("story", host.env.OBJECT.get_by_name("a").run("story"))
        await clock.advance(29.9)
        assert calls.ended == {}
        await clock.advance(0.2)
        error = calls.ended["story"]
        assert (type(error), str(error)) == (OverloadedError, TIMED_OUT)
        assert (error.overloaded, error.durable_object_reset) == (True, True)


@shows(TIMEOUT)
async def test_the_30_seconds_begin_with_the_callback() -> None:
    """A section that had to wait for another has its own thirty."""
    clock = ManualClock()
    gates = {"one": anyio.Event(), "two": anyio.Event()}

    @script
    async def section(actor: Scripted, name: str) -> str:
        await actor.ctx.block_concurrency_while(gates[name].wait)
        return name

    async with host_for(app, clock=clock) as host, in_flight() as calls:
        stub = host.env.OBJECT.get_by_name("a")
        await calls.start("one", stub.run("section", "one"))
        await calls.start("two", stub.run("section", "two"))
        await clock.advance(20)
        gates["one"].set()
        await clock.advance(20)
        gates["two"].set()
    assert calls.ended == {"one": "one", "two": "two"}


@shows(DEADLOCK)
async def test_a_call_to_oneself_is_a_deadlock_inside_and_none_outside() -> None:
    """Outside the object is open while it waits for its own answer; inside the limit ends it."""
    clock = ManualClock()

    @script
    def answer(actor: Scripted) -> int:
        return 42

    @script
    async def outside(actor: Scripted) -> Any:
        return await actor.env.OBJECT.get_by_name("a").run("answer")

    @script
    async def inside(actor: Scripted) -> Any:
        me = actor.env.OBJECT.get_by_name("a")
        return await actor.ctx.block_concurrency_while(lambda: me.run("answer"))

    async with host_for(app, clock=clock) as host, in_flight() as calls:
        stub = host.env.OBJECT.get_by_name("a")
        assert await stub.run("outside") == 42
        await calls.start("inside", stub.run("inside"))
        await clock.advance(29.9)
        assert calls.ended == {}
        await clock.advance(0.2)
        assert str(calls.ended["inside"]) == TIMED_OUT


@shows(OUTLIVING)
async def test_what_is_started_inside_and_outlives_it_goes_on_as_an_ordinary_task() -> None:
    """It runs inside while the section lasts, and keeps nobody out afterwards."""
    log: list[str] = []
    go = anyio.Event()

    async def long() -> None:
        log.append("begins")
        await go.wait()
        log.append("ends")

    @script
    async def story(actor: Scripted) -> None:
        async def callback() -> None:
            actor.ctx.wait_until(long())
            await anyio.wait_all_tasks_blocked()

        await actor.ctx.block_concurrency_while(callback)
        log.append("section is over")

    @script
    def visit(actor: Scripted) -> None:
        log.append("visit")

    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.OBJECT.get_by_name("a")
        await stub.run("story")
        await stub.run("visit")
        assert log == ["begins", "section is over", "visit"]
        go.set()
        await host.evict(stub)
    assert log[-1] == "ends"
