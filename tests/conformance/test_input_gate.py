"""Input gate.

What may happen to an object between two lines of its code, told by actors.
"""

from __future__ import annotations

from typing import Any

import anyio
import anyio.lowlevel
import pytest

from roomhost.runtime import AlarmInfo, Host, WebSocket
from roomhost.runtime.testing import ManualClock, host_for

from ..helpers.disk import Disk
from ..helpers.in_flight import in_flight
from ..helpers.mortal import Mortal, opened
from ..helpers.mortal import app as mortal_app
from ..helpers.scripted import Scripted, app, script
from .feature import Feature, mistake, shows

pytestmark = pytest.mark.anyio

ATOMIC = Feature("input gate: get, change, put is atomic", "4.2")
INTERLEAVES = Feature("input gate: handlers interleave where they really wait", "4.2, 2.5")
CONCURRENCY = Feature("allowConcurrency, noCache", "4.2", differs="accepted, and without effect")
STORAGE_FIRST = Feature("input gate: nothing runs between storage calls", "4.1, 4.2")
ALL_INBOUND = Feature("input gate: timers, replies, alarms and WebSocket events wait too", "4.2")
FIFO = Feature("input gate: events enter in the order they came", "4.1, 2.5")
ALARM = Feature("alarm() is not exclusive", "4.2, 6.2")
REENTRANT = Feature("an object can be called by whom it waits for", "3.2, 4.1")
PER_OBJECT = Feature("gates are per object", "4.1")

CALLS = 20


async def twenty(host: Host, name: str) -> int:
    """That many calls of a script at once; returns what is stored in the end."""

    @script
    async def count(actor: Scripted) -> int:
        return int(await actor.ctx.storage.get("n", 0))

    stub = host.env.OBJECT.get_by_name("a")
    async with anyio.create_task_group() as group:
        for _ in range(CALLS):
            group.start_soon(stub.run, name)
    return int(await stub.run("count"))


@shows(ATOMIC)
async def test_twenty_concurrent_increments_make_twenty() -> None:
    """Between `get` and `put` nothing else of the object runs, nor a lock is needed."""

    @script
    async def increment(actor: Scripted) -> None:
        n = await actor.ctx.storage.get("n", 0)
        await actor.ctx.storage.put("n", n + 1)

    async with host_for(app, clock=ManualClock()) as host:
        assert await twenty(host, "increment") == CALLS


@shows(CONCURRENCY)
async def test_allow_concurrency_changes_no_result() -> None:
    """Storage answers at once, so there is nothing to allow."""

    @script
    async def increment(actor: Scripted) -> None:
        n = await actor.ctx.storage.get("n", 0, allow_concurrency=True, no_cache=True)
        await actor.ctx.storage.put("n", n + 1, allow_concurrency=True, no_cache=True)

    async with host_for(app, clock=ManualClock()) as host:
        assert await twenty(host, "increment") == CALLS


@shows(INTERLEAVES)
@mistake(7)
@pytest.mark.parametrize("waits_for", ["an event", "another object"])
async def test_mistake_7_a_real_wait_between_get_and_put_loses_updates(waits_for: str) -> None:
    """The gate is not held for the whole handler: all twenty saw the same value."""
    go = anyio.Event()
    arrived: list[None] = []

    async def all_are_here() -> None:
        arrived.append(None)
        if len(arrived) == CALLS:
            go.set()
        await go.wait()

    @script
    async def answer(actor: Scripted) -> None:
        await all_are_here()

    @script
    async def increment(actor: Scripted) -> None:
        n = await actor.ctx.storage.get("n", 0)
        if waits_for == "an event":
            await all_are_here()
        else:
            await actor.env.OBJECT.get_by_name("other").run("answer")
        await actor.ctx.storage.put("n", n + 1)

    async with host_for(app, clock=ManualClock()) as host:
        assert await twenty(host, "increment") == 1


@shows(STORAGE_FIRST)
@mistake(6)
async def test_mistake_6_a_queued_call_does_not_run_between_storage_calls() -> None:
    """A second call that came meanwhile starts when the first really waits, or ends."""
    log: list[str] = []

    @script
    async def story(actor: Scripted) -> None:
        me = actor.env.OBJECT.get_by_name("a")
        call = me.run("visit")
        for number in range(20):
            await actor.ctx.storage.get(f"key {number}")
            log.append("storage")
        await call

    @script
    def visit(actor: Scripted) -> None:
        log.append("visit")

    async with host_for(app, clock=ManualClock()) as host:
        await host.env.OBJECT.get_by_name("a").run("story")
    assert log == ["storage"] * 20 + ["visit"]


@shows(STORAGE_FIRST, ALL_INBOUND)
@mistake(5, 6)
async def test_mistake_5_a_timer_of_no_delay_fires_after_twenty_storage_calls() -> None:
    """And it is let in at the first real wait."""
    log: list[str] = []

    async def timer() -> None:
        await anyio.lowlevel.checkpoint()
        log.append("timer")

    @script
    async def story(actor: Scripted) -> None:
        actor.ctx.wait_until(timer())
        for number in range(20):
            await actor.ctx.storage.put(f"key {number}", number)
            await actor.ctx.storage.list()
        log.append("storage")
        await anyio.wait_all_tasks_blocked()
        log.append("story")

    async with host_for(app, clock=ManualClock()) as host:
        await host.env.OBJECT.get_by_name("a").run("story")
    assert log == ["storage", "timer", "story"]


@shows(FIFO)
async def test_calls_enter_in_the_order_they_came() -> None:
    """Fifty that stood before the gate, over several stubs."""
    log: list[int] = []
    go = anyio.Event()

    @script
    async def section(actor: Scripted) -> None:
        await actor.ctx.block_concurrency_while(go.wait)

    @script
    def visit(actor: Scripted, number: int) -> None:
        log.append(number)

    async with host_for(app, clock=ManualClock()) as host, in_flight() as calls:
        await calls.start("section", host.env.OBJECT.get_by_name("a").run("section"))
        for number in range(50):
            stub = host.env.OBJECT.get_by_name("a")
            await calls.start(str(number), stub.run("visit", number))
        assert log == []
        go.set()
    assert log == list(range(50))


@shows(INTERLEAVES)
@mistake(7)
async def test_mistake_7_a_second_call_runs_while_the_first_one_waits() -> None:
    """And ends before it."""
    log: list[str] = []
    go = anyio.Event()

    @script
    async def slow(actor: Scripted) -> None:
        log.append("slow begins")
        await go.wait()
        log.append("slow ends")

    @script
    def quick(actor: Scripted) -> None:
        log.append("quick")

    async with host_for(app, clock=ManualClock()) as host, in_flight() as calls:
        stub = host.env.OBJECT.get_by_name("a")
        await calls.start("slow", stub.run("slow"))
        await stub.run("quick")
        go.set()
    assert log == ["slow begins", "quick", "slow ends"]


@shows(INTERLEAVES)
async def test_two_handlers_never_run_at_once() -> None:
    """Woken together they go on one after the other, each up to its next real wait."""
    inside: list[int] = []
    overlaps: list[int] = []
    go = anyio.Event()

    @script
    async def visit(actor: Scripted, number: int) -> None:
        await go.wait()
        for turn in range(5):
            inside.append(number)
            for _ in range(3):
                await actor.ctx.storage.put(f"{number} {turn}", turn)
            overlaps.extend(other for other in inside if other != number)
            inside.remove(number)
            await anyio.lowlevel.checkpoint()

    async with host_for(app, clock=ManualClock()) as host, in_flight() as calls:
        stub = host.env.OBJECT.get_by_name("a")
        for number in range(4):
            await calls.start(str(number), stub.run("visit", number))
        go.set()
    assert (len(calls.ended), overlaps) == (4, [])


@shows(ALARM)
@mistake(7)
async def test_mistake_7_a_call_runs_in_the_middle_of_an_alarm() -> None:
    """The alarm's handler waits, a call comes and is served."""
    clock = ManualClock()
    log: list[str] = []
    go = anyio.Event()

    @script
    async def alarm(actor: Scripted, info: AlarmInfo) -> None:
        log.append("alarm begins")
        await go.wait()
        log.append("alarm ends")

    @script
    async def start(actor: Scripted) -> None:
        await actor.ctx.storage.set_alarm(clock.now_ms() + 1_000)

    @script
    def visit(actor: Scripted) -> None:
        log.append("visit")

    async with host_for(app, clock=clock) as host:
        stub = host.env.OBJECT.get_by_name("a")
        await stub.run("start")
        await clock.advance(1)
        await stub.run("visit")
        go.set()
        await host.evict(stub)
    assert log == ["alarm begins", "visit", "alarm ends"]


class Target:
    """What can come to a `Mortal` from outside, each way logging its name when it is let in."""

    def __init__(self, host: Host, clock: ManualClock, log: list[str]) -> None:
        self.stub = host.env.OBJECT.get_by_name("a")
        self.clock = clock
        self.answer, self.due = anyio.Event(), anyio.Event()

        @script
        def visit(actor: Mortal) -> None:
            log.append("call")

        @script
        async def start_alarm(actor: Mortal) -> None:
            await actor.ctx.storage.set_alarm(clock.now_ms() + 1_000)

        @script
        def alarm(actor: Mortal, info: AlarmInfo) -> None:
            log.append("alarm")

        @script
        def message(actor: Mortal, ws: WebSocket, text: str | bytes) -> None:
            log.append("message")

        @script
        def close(actor: Mortal, *_: Any) -> None:
            log.append("close")

        @script
        async def slow_answer(actor: Mortal) -> None:
            await self.answer.wait()

        @script
        async def caller(actor: Mortal) -> None:
            await actor.env.OBJECT.get_by_name("other").run("slow_answer")
            log.append("reply")

        @script
        async def timer(actor: Mortal) -> None:
            await self.due.wait()
            log.append("timer")


@shows(ALL_INBOUND)
@mistake(5)
@pytest.mark.parametrize("kind", ["call", "alarm", "message", "close", "reply", "timer"])
async def test_mistake_5_nothing_of_any_kind_enters_a_section(kind: str) -> None:
    """Calls, alarms, socket events, replies and timers: each waits, and then comes in."""
    clock = ManualClock()
    log: list[str] = []
    go = anyio.Event()

    @script
    async def section(actor: Mortal) -> None:
        await actor.ctx.block_concurrency_while(go.wait)
        log.append("section ends")

    async with host_for(mortal_app, clock=clock) as host, in_flight() as calls:
        target = Target(host, clock, log)
        stub = target.stub
        ws = await opened(stub)
        await stub.run("start_alarm")
        await calls.start("reply", stub.run("caller"))
        await calls.start("timer", stub.run("timer"))
        await calls.start("section", stub.run("section"))
        if kind == "call":
            await calls.start("call", stub.run("visit"))
        elif kind == "alarm":
            await clock.advance(1)
        elif kind == "message":
            ws.send("hello")
        elif kind == "close":
            ws.close(1000)
        elif kind == "reply":
            target.answer.set()
        else:
            target.due.set()
        await anyio.wait_all_tasks_blocked()
        assert log == []
        go.set()
        await anyio.wait_all_tasks_blocked()
        assert log == ["section ends", kind]
        target.answer.set()
        target.due.set()
        await clock.advance(1)


@shows(REENTRANT)
async def test_an_object_can_be_called_back_by_the_one_it_waits_for() -> None:
    """While it awaits the call its gate is open."""

    @script
    def answer(actor: Scripted) -> str:
        return "from the first"

    @script
    async def relay(actor: Scripted) -> Any:
        return await actor.env.OBJECT.get_by_name("a").run("answer")

    @script
    async def story(actor: Scripted) -> Any:
        return await actor.env.OBJECT.get_by_name("b").run("relay")

    async with host_for(app, clock=ManualClock()) as host:
        assert await host.env.OBJECT.get_by_name("a").run("story") == "from the first"


@shows(PER_OBJECT)
async def test_a_section_of_one_object_does_not_hold_another() -> None:
    """Nor does its disk."""
    go = anyio.Event()

    @script
    async def section(actor: Scripted) -> None:
        await actor.ctx.block_concurrency_while(go.wait)

    @script
    async def visit(actor: Scripted) -> str:
        return str(await actor.ctx.storage.get("n", "served"))

    async with host_for(app, clock=ManualClock()) as host, in_flight() as calls:
        await calls.start("section", host.env.OBJECT.get_by_name("a").run("section"))
        assert await host.env.OBJECT.get_by_name("b").run("visit") == "served"
        go.set()


@shows(STORAGE_FIRST)
@mistake(6)
async def test_mistake_6_a_slow_disk_makes_no_room_for_another_event() -> None:
    """With the disk held, get and put still answer at once, and twenty calls count to twenty."""
    disk = Disk()

    @script
    async def increment(actor: Scripted) -> None:
        n = await actor.ctx.storage.get("n", 0)
        await actor.ctx.storage.put("n", n + 1)

    @script
    async def peek(actor: Scripted) -> Any:
        seen.append(await actor.ctx.storage.get("n", 0))

    seen: list[Any] = []
    async with host_for(app, clock=ManualClock(), wrap_commit=disk.wrap) as host:
        async with in_flight() as calls:
            stub = host.env.OBJECT.get_by_name("a")
            await stub.run("peek")
            disk.hold()
            for number in range(CALLS):
                await calls.start(str(number), stub.run("increment"))
            await calls.start("peek", stub.run("peek"))
            assert (seen, calls.ended) == ([0, CALLS], {})
            disk.release()
        assert len(calls.ended) == CALLS + 1
