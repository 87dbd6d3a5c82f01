"""Abort, and stubs after a reset."""

from __future__ import annotations

from typing import Any

import anyio
import anyio.lowlevel
import pytest

from roomhost.runtime import (
    AlarmInfo,
    DurableObjectError,
    Request,
    Response,
    WebSocket,
    WebSocketClosed,
)
from roomhost.runtime.testing import ManualClock, host_for

from ..helpers.in_flight import in_flight
from ..helpers.mortal import Mortal, app, opened
from ..helpers.scripted import script
from .feature import Feature, mistake, shows

pytestmark = pytest.mark.anyio

AT_ONCE = Feature(
    "ctx.abort: at once, not to be caught",
    "3.4, 9.6",
    differs="on trio a handler woken in the same moment runs up to its next await or storage call",
)
REASON = Feature("ctx.abort: the reason reaches callers", "3.4, 2.4")
WRITES = Feature("ctx.abort: what stays stored", "3.4")
TASKS = Feature("ctx.abort: background work ends", "3.4")
SOCKETS = Feature("ctx.abort: sockets drop with 1006", "3.4, 7.9")
ALARM = Feature("ctx.abort: retryAlarm", "3.4, 6.3")
BROKEN = Feature("stubs after a reset", "2.6, 9.7")


@shows(AT_ONCE)
@mistake(11)
async def test_mistake_11_abort_cannot_be_caught_and_nothing_after_it_runs() -> None:
    """No `except Exception`, no statement after it; the caller gets the reset's error."""
    log: list[str] = []

    @script
    async def story(actor: Mortal) -> None:
        try:
            actor.ctx.abort("stop")
        except Exception:
            log.append("caught")
        log.append("went on")

    async with host_for(app, clock=ManualClock()) as host:
        with pytest.raises(DurableObjectError, match="stop"):
            await host.env.OBJECT.get_by_name("a").run("story")
    assert log == []


@shows(AT_ONCE)
@mistake(11)
async def test_mistake_11_code_that_was_queued_before_abort_never_runs() -> None:
    """Neither calls that stand before the gate nor a section that waits for its turn."""
    log: list[str] = []
    go = anyio.Event()

    @script
    async def story(actor: Mortal) -> None:
        async def callback() -> None:
            await go.wait()
            actor.ctx.block_concurrency_while(lambda: log.append("section"))
            actor.ctx.abort("stop")

        await actor.ctx.block_concurrency_while(callback)

    @script
    def visit(actor: Mortal) -> None:
        log.append("visit")

    async with host_for(app, clock=ManualClock()) as host, in_flight() as calls:
        stub = host.env.OBJECT.get_by_name("a")
        await calls.start("story", stub.run("story"))
        await calls.start("visit", stub.run("visit"))
        go.set()
    assert [str(error) for error in calls.ended.values()] == ["stop", "stop"]
    assert log == []


@shows(AT_ONCE, TASKS)
@mistake(11)
async def test_mistake_11_a_handler_woken_together_with_abort_writes_nothing() -> None:
    """It gets no further than its next storage call, and is gone with its instance."""
    log: list[str] = []
    wake = anyio.Event()

    @script
    async def waits(actor: Mortal) -> None:
        await wake.wait()
        await actor.ctx.storage.put("late", True)
        log.append("wrote")

    @script
    def story(actor: Mortal) -> None:
        wake.set()
        actor.ctx.abort("stop")

    async with host_for(app, clock=ManualClock()) as host:
        async with in_flight() as calls:
            stub = host.env.OBJECT.get_by_name("a")
            await calls.start("waits", stub.run("waits"))
            await calls.start("story", stub.run("story"))
        assert [str(error) for error in calls.ended.values()] == ["stop", "stop"]
        assert await host.env.OBJECT.get_by_name("a").stored() == {}
    assert log == []


@shows(WRITES)
@mistake(11)
async def test_mistake_11_writes_of_the_aborting_turn_are_dropped_and_earlier_ones_stay() -> None:
    """Those of the turn were not committed; what an earlier reply confirmed was."""

    @script
    async def story(actor: Mortal) -> None:
        await actor.ctx.storage.put("earlier", 1)
        await actor.ctx.storage.sync()
        await actor.ctx.storage.put("later", 2)
        await actor.ctx.storage.delete("earlier")
        actor.ctx.abort("stop")

    async with host_for(app, clock=ManualClock()) as host:
        with pytest.raises(DurableObjectError, match="stop"):
            await host.env.OBJECT.get_by_name("a").run("story")
        assert await host.env.OBJECT.get_by_name("a").stored() == {"earlier": 1}


@shows(WRITES)
async def test_abort_in_a_transaction_drops_all_of_it() -> None:
    """What the transaction wrote before it was aborted is not stored."""

    @script
    async def story(actor: Mortal) -> None:
        async def callback(txn: Any) -> None:
            await txn.put("a", 1)
            await anyio.lowlevel.checkpoint()
            actor.ctx.abort("stop")

        await actor.ctx.storage.transaction(callback)

    async with host_for(app, clock=ManualClock()) as host:
        with pytest.raises(DurableObjectError, match="stop"):
            await host.env.OBJECT.get_by_name("a").run("story")
        assert await host.env.OBJECT.get_by_name("a").stored() == {}


DEFAULT_REASON = "Application called abort() to reset Durable Object."


@shows(REASON)
@pytest.mark.parametrize(
    ("reason", "kind", "text"),
    [
        (None, DurableObjectError, DEFAULT_REASON),
        ("why", DurableObjectError, "why"),
        (LookupError("why"), LookupError, "why"),
    ],
)
async def test_every_caller_in_flight_gets_the_reason(
    reason: str | Exception | None, kind: type[Exception], text: str
) -> None:
    """As a reset. A call gets no `remote`: it says that the handler itself raised."""

    @script
    async def waits(actor: Mortal) -> None:
        await anyio.sleep_forever()

    @script
    def story(actor: Mortal) -> None:
        actor.ctx.abort(reason)

    async with host_for(app, clock=ManualClock()) as host, in_flight() as calls:
        await calls.start("waits", host.env.OBJECT.get_by_name("a").run("waits"))
        await calls.start("story", host.env.OBJECT.get_by_name("a").run("story"))
        for error in calls.ended.values():
            assert (type(error), str(error)) == (kind, text)
            assert (error.durable_object_reset, error.remote) == (True, False)
        assert set(calls.ended) == {"waits", "story"}


@shows(REASON)
async def test_a_fetch_in_flight_gets_the_reason_as_a_remote_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Over `fetch` the same reset carries `remote`."""

    async def fetch(self: Mortal, request: Request) -> Response:
        self.ctx.abort("why")

    monkeypatch.setattr(Mortal, "fetch", fetch)
    async with host_for(app, clock=ManualClock()) as host:
        with pytest.raises(DurableObjectError, match="why") as caught:
            await host.env.OBJECT.get_by_name("a").fetch("http://x/")
    assert (caught.value.durable_object_reset, caught.value.remote) == (True, True)


@shows(TASKS)
async def test_wait_until_ends_with_an_abort() -> None:
    """Work in the background is cancelled at its await."""
    log: list[str] = []

    async def background() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            log.append("ended")

    @script
    async def story(actor: Mortal) -> None:
        actor.ctx.wait_until(background())
        await anyio.wait_all_tasks_blocked()
        assert log == []
        actor.ctx.abort()

    async with host_for(app, clock=ManualClock()) as host:
        with pytest.raises(DurableObjectError, match="abort"):
            await host.env.OBJECT.get_by_name("a").run("story")
        await anyio.wait_all_tasks_blocked()
        assert log == ["ended"]


@shows(SOCKETS)
@pytest.mark.parametrize("path", ["/", "/standard"])
async def test_sockets_of_both_kinds_drop_with_1006(path: str) -> None:
    """The client sees a loss; no close handler runs."""
    closed: list[int] = []

    @script
    def close(actor: Mortal, ws: WebSocket, code: int, reason: str, was_clean: bool) -> None:
        closed.append(code)

    @script
    def story(actor: Mortal) -> None:
        actor.ctx.abort()

    async with host_for(app, clock=ManualClock()) as host:
        ws = await opened(host.env.OBJECT.get_by_name("a"), path)
        with pytest.raises(DurableObjectError, match="abort"):
            await host.env.OBJECT.get_by_name("a").run("story")
        with pytest.raises(WebSocketClosed) as ended:
            await ws.receive()
        assert (ended.value.code, ended.value.was_clean, closed) == (1006, False, [])


@shows(ALARM)
async def test_an_aborted_alarm_is_retried_as_a_failed_one() -> None:
    """Two seconds later at the earliest, in a new instance, counted."""
    clock = ManualClock()
    runs: list[tuple[int, bool, int]] = []

    @script
    def alarm(actor: Mortal, info: AlarmInfo) -> None:
        runs.append((info.retry_count, info.is_retry, len(actor.memory)))
        actor.memory.append("ran")
        if info.retry_count < 1:
            actor.ctx.abort("in the alarm")

    @script
    async def story(actor: Mortal) -> None:
        await actor.ctx.storage.set_alarm(clock.now_ms() + 1_000)

    async with host_for(app, clock=clock) as host:
        await host.env.OBJECT.get_by_name("a").run("story")
        await clock.advance(1)
        assert runs == [(0, False, 0)]
        await clock.advance(3)
    assert runs == [(0, False, 0), (1, True, 0)]


@shows(ALARM)
@pytest.mark.parametrize("newer", [False, True])
async def test_without_retry_alarm_it_is_abandoned_and_a_newer_one_kept(newer: bool) -> None:
    """One that was stored meanwhile stays, and runs as a first run."""
    clock = ManualClock()
    runs: list[tuple[int, int]] = []
    start_ms = clock.now_ms()

    @script
    async def alarm(actor: Mortal, info: AlarmInfo) -> None:
        runs.append((info.scheduled_time - start_ms, info.retry_count))
        if len(runs) == 1:
            if newer:
                await actor.ctx.storage.set_alarm(start_ms + 60_000)
                await actor.ctx.storage.sync()
            actor.ctx.abort("give up", retry_alarm=False)

    @script
    async def story(actor: Mortal) -> None:
        await actor.ctx.storage.set_alarm(start_ms + 1_000)

    async with host_for(app, clock=clock) as host:
        await host.env.OBJECT.get_by_name("a").run("story")
        await clock.advance(3_600)
    assert runs == ([(1_000, 0), (60_000, 0)] if newer else [(1_000, 0)])


@shows(BROKEN)
@mistake(4)
async def test_mistake_4_a_stub_is_broken_for_good_by_a_reset() -> None:
    """Every later call over it fails with the same error; a new stub has a new instance."""

    @script
    def story(actor: Mortal) -> None:
        actor.ctx.abort("why")

    async with host_for(app, clock=ManualClock()) as host:
        old = host.env.OBJECT.get_by_name("a")
        assert await old.remember(1) == [1]
        with pytest.raises(DurableObjectError, match="why"):
            await old.run("story")
        new = host.env.OBJECT.get_by_name("a")
        assert await new.remember(2) == [2]
        for call in (old.remember, old.stored):
            with pytest.raises(DurableObjectError, match="why") as caught:
                await call(*([3] if call is old.remember else []))
            assert caught.value.durable_object_reset
        assert await new.remember(4) == [2, 4]
