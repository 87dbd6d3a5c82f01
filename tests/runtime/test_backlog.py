"""What may wait for one object: number, size, age; and who is refused."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import pytest

from roomhost.runtime import OverloadedError, WebSocketPair
from roomhost.runtime.testing import ManualClock, host_for

from ..helpers.scripted import Scripted, app, script

pytestmark = pytest.mark.anyio

LIMITS: dict[str, Any] = {
    "max_queued_events": 3,
    "max_queued_bytes": 1_000,
    "max_queued_seconds": 20.0,
}


@pytest.fixture
async def gate() -> anyio.Event:
    """What the section of a blocked object waits for."""
    return anyio.Event()


@pytest.fixture
async def clock() -> ManualClock:
    """Time stands still."""
    return ManualClock()


@pytest.fixture
async def stub(clock: ManualClock, gate: anyio.Event) -> AsyncIterator[Any]:
    """An object that lets nothing in until `gate` is set."""

    @script
    async def block(actor: Scripted) -> None:
        await actor.ctx.block_concurrency_while(gate.wait)

    @script
    async def note(actor: Scripted, value: Any) -> Any:
        return value

    async with host_for(app, clock=clock, **LIMITS) as host:
        stub = host.env.OBJECT.get_by_name("a")
        blocked = stub.run("block")
        await anyio.wait_all_tasks_blocked()
        yield stub
        gate.set()
        await blocked


async def refusal(call: Any) -> str:
    """Why a call is refused."""
    with pytest.raises(OverloadedError) as caught:
        await call
    assert caught.value.overloaded
    assert not caught.value.durable_object_reset
    return str(caught.value)


async def test_so_many_wait_and_no_more(stub: Any, gate: anyio.Event) -> None:
    """The fourth is refused at once and does not run; when the three are done there is room."""
    calls = [stub.run("note", number) for number in range(3)]
    await anyio.wait_all_tasks_blocked()
    assert "Too many requests queued" in await refusal(stub.run("note", 3))
    gate.set()
    assert [await call for call in calls] == [0, 1, 2]
    assert await stub.run("note", 4) == 4


async def test_so_many_bytes_wait_and_no_more(stub: Any, gate: anyio.Event) -> None:
    """What is small still comes in; a single large one may wait alone."""
    first = stub.run("note", "x" * 900)
    await anyio.wait_all_tasks_blocked()
    assert "Too much data queued" in await refusal(stub.run("note", "x" * 200))
    small = stub.run("note", "y")
    gate.set()
    assert await first == "x" * 900
    assert await small == "y"
    assert await stub.run("note", "z" * 2_000) == "z" * 2_000


async def test_nothing_waits_for_too_long(stub: Any, gate: anyio.Event, clock: ManualClock) -> None:
    """It is refused then, never run later; who came after it waits on."""
    ran: list[str] = []

    @script
    def ran_with(actor: Scripted, value: str) -> None:
        ran.append(value)

    early = stub.run("ran_with", "early")
    await clock.advance(10)
    late = stub.run("ran_with", "late")
    await clock.advance(10)
    assert "queued for too long" in await refusal(early)
    gate.set()
    await late
    assert ran == ["late"]


async def test_what_moved_from_the_queue_to_the_gate_grows_old_there(
    stub: Any, gate: anyio.Event, clock: ManualClock
) -> None:
    """It is not looked for in the queue any more: refused 20 s after it came to the gate, once."""
    slot = stub.__channel__.slot()
    slot._starting_late = True  # as while the batches of a reset instance are on their way
    early = stub.run("note", "early")
    slot._starting_late = False
    await anyio.wait_all_tasks_blocked()
    assert not slot.queue
    await clock.advance(10)
    late = stub.run("note", "late")
    await clock.advance(10)
    assert "queued for too long" in await refusal(early)
    gate.set()
    assert await late == "late"


async def test_a_message_that_cannot_wait_ends_its_socket_but_a_close_always_waits(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The client is told to come back, 1013; a close is never lost. No handler has failed: nobody can
    fill the log with messages that wait."""
    gate, closes = anyio.Event(), list[int]()

    @script
    def enter(actor: Scripted) -> None:
        clients.append(pair := WebSocketPair())
        actor.ctx.accept_web_socket(pair.server)

    @script
    async def block(actor: Scripted) -> None:
        await actor.ctx.block_concurrency_while(gate.wait)

    @script
    def close(actor: Scripted, ws: Any, code: int, *_: Any) -> None:
        closes.append(code)

    clients: list[WebSocketPair] = []
    async with host_for(app, clock=ManualClock(), **LIMITS) as host:
        stub = host.env.OBJECT.get_by_name("a")
        for _ in range(2):
            await stub.run("enter")
        blocked = stub.run("block")
        await anyio.wait_all_tasks_blocked()
        talker, leaver = (pair.client for pair in clients)
        talker.accept()
        leaver.accept()
        for number in range(4):
            talker.send(str(number))
        with pytest.raises(Exception, match="1013 overloaded"):
            await talker.receive()
        leaver.close(4_000, "bye")
        gate.set()
        await blocked
        await anyio.wait_all_tasks_blocked()
        assert closes == [4_000]
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_calls_that_wait_for_the_disk_grow_old_too(clock: ManualClock) -> None:
    """A new instance may not start while the batches of a reset one are on their way."""
    from roomhost.runtime.backlog import Backlog
    from roomhost.runtime.events import RpcEvent
    from roomhost.runtime.object_id import IdFactory
    from roomhost.runtime.settings import make_settings

    timers = RecordedTimers()
    backlog = Backlog(make_settings(LIMITS), timers)  # type: ignore[arg-type]
    event = RpcEvent(IdFactory("key").from_name("a"), "method", (), {}, 10)
    removed: list[Any] = []
    assert backlog.take(event, 0) is None
    backlog.hold(event, removed.append)
    (wait_seconds, expire), *rest = timers.set
    assert (wait_seconds, rest) == (20.0, [])
    expire()
    assert removed == [event]
    assert event.finished


class RecordedTimers:
    """Notes what is to be called when."""

    def __init__(self) -> None:
        self.set: list[tuple[float, Callable[[], object]]] = []

    def after(self, seconds: float, callback: Callable[[], object]) -> Any:
        self.set.append((seconds, callback))
        return self

    def cancel(self) -> None:
        """Nothing is called by itself."""
