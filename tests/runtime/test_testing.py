"""What users test their actors with: the clock, the host that crashes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from roomhost.runtime import DurableObjectError, HostError, SystemClock
from roomhost.runtime.backend import current_backend
from roomhost.runtime.testing import ManualClock, host_for
from roomhost.runtime.timers import Timers

from ..helpers.disk import Disk
from ..helpers.scripted import Scripted, app, script

pytestmark = pytest.mark.anyio


async def test_sleepers_wake_in_the_order_of_their_deadlines() -> None:
    """Each at its own time, and only as far as time was moved."""
    clock = ManualClock(start_ms=1_000)
    woken: list[tuple[int, int]] = []

    async def sleep(until_ms: int) -> None:
        await clock.sleep_until(until_ms)
        woken.append((until_ms, clock.now_ms()))

    async with anyio.create_task_group() as group:
        for until_ms in (3_000, 1_500, 2_000, 500):
            group.start_soon(sleep, until_ms)
        await anyio.wait_all_tasks_blocked()
        assert woken == [(500, 1_000)]
        await clock.advance(1)
        assert woken[1:] == [(1_500, 1_500), (2_000, 2_000)]
        await clock.advance(1)
    assert woken[3:] == [(3_000, 3_000)]


async def test_time_does_not_go_back() -> None:
    """A ValueError, and nothing moves."""
    clock = ManualClock(start_ms=5)
    with pytest.raises(ValueError, match="time moves forward"):
        await clock.advance(-1)
    assert clock.now_ms() == 5


async def test_advance_returns_when_what_was_due_is_on_disk(tmp_path: Path) -> None:
    """A crash right after it loses nothing of it."""

    @script
    async def arm(actor: Scripted) -> None:
        await actor.ctx.storage.set_alarm(clock.now_ms() + 1_000)

    @script
    async def alarm(actor: Scripted, info: Any) -> None:
        await actor.ctx.storage.put("ran", True)

    @script
    async def ran(actor: Scripted) -> Any:
        return await actor.ctx.storage.get("ran")

    clock = ManualClock()
    async with host_for(app, clock=clock, data_dir=tmp_path) as host:
        await host.env.OBJECT.get_by_name("a").run("arm")
        await clock.advance(1)
        await host.crash()
    async with host_for(app, clock=clock, data_dir=tmp_path) as host:
        assert await host.env.OBJECT.get_by_name("a").run("ran") is True


async def test_a_crash_fails_callers_and_ends_the_host() -> None:
    """With an error that may be retried; afterwards nothing can be asked of it."""

    @script
    async def wait(actor: Scripted) -> None:
        await anyio.sleep_forever()

    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.OBJECT.get_by_name("a")
        call = stub.run("wait")
        await anyio.wait_all_tasks_blocked()
        await host.crash()
        with pytest.raises(DurableObjectError, match="connection lost") as lost:
            await call
        assert lost.value.retryable
        with pytest.raises(HostError):
            host.statistics()


async def test_a_crash_fails_the_call_that_nothing_had_begun_with_yet() -> None:
    """It was delivered and no instance was there: its caller hears, the host ends."""
    async with host_for(app, clock=ManualClock()) as host:
        call = host.env.OBJECT.get_by_name("a").run("unknown")
        await host.crash()
        with pytest.raises(DurableObjectError, match="connection lost") as lost:
            await call
        assert lost.value.retryable


async def test_leaving_the_host_runs_the_call_that_nothing_had_begun_with_yet() -> None:
    """What was accepted is in flight, though no instance is there: it ends, and is on disk."""

    @script
    async def put(actor: Scripted) -> str:
        await actor.ctx.storage.put("n", 1)
        return "put"

    async with host_for(app, clock=ManualClock()) as host:
        call = host.env.OBJECT.get_by_name("a").run("put")
    assert await call == "put"


async def test_leaving_the_host_runs_the_call_that_waits_for_batches_of_a_reset_instance() -> None:
    """The new instance may not start while the disk is held; when it may, the call runs."""
    disk = Disk()

    @script
    async def put_and_abort(actor: Scripted) -> None:
        await actor.ctx.storage.put("n", 1)
        await anyio.lowlevel.checkpoint()
        actor.ctx.abort("enough")

    @script
    async def get(actor: Scripted) -> Any:
        return await actor.ctx.storage.get("n")

    async with host_for(app, clock=ManualClock(), wrap_commit=disk.wrap) as host:
        disk.hold()
        with pytest.raises(DurableObjectError, match="enough"):
            await host.env.OBJECT.get_by_name("a").run("put_and_abort")
        call = host.env.OBJECT.get_by_name("a").run("get")
        await disk.reached()
        disk.release()
    assert await call == 1


async def test_settings_are_checked() -> None:
    """By name."""
    with pytest.raises(HostError, match="idle_seconds is unknown"):
        async with host_for(app, idle_seconds=3):
            pass


async def test_an_earlier_timer_does_not_wait_for_a_later_one() -> None:
    """Set while the task sleeps; cancelled ones are never called, however many there are."""
    clock = ManualClock()
    timers = Timers(clock, current_backend())
    fired: list[str] = []
    async with anyio.create_task_group() as group:
        group.start_soon(timers.run)
        await anyio.wait_all_tasks_blocked()
        timers.after(10, lambda: fired.append("late"))
        await anyio.wait_all_tasks_blocked()
        timers.after(5, lambda: fired.append("early"))
        for _ in range(5_000):
            timers.after(1, lambda: fired.append("never")).cancel()
        await anyio.wait_all_tasks_blocked()
        await clock.advance(5)
        await anyio.wait_all_tasks_blocked()
        assert fired == ["early"]
        await clock.advance(5)
        await anyio.wait_all_tasks_blocked()
        assert fired == ["early", "late"]
        group.cancel_scope.cancel()


async def test_the_system_clock_shows_the_time_and_sleeps_until_one() -> None:
    """Never shorter."""
    clock = SystemClock()
    due = clock.now_ms() + 20
    await clock.sleep_until(due)
    assert clock.now_ms() >= due
    await clock.sleep_until(0)
