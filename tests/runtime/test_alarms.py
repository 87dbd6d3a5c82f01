"""Alarms: when they run, how often, and what a crash leaves of them (semantics.md 6)."""

from __future__ import annotations

# pyright: basic, reportPossiblyUnboundVariable=false, reportOptionalIterable=false
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from roomhost.bindings import App
from roomhost.runtime import AlarmInfo, Host
from roomhost.runtime.testing import ManualClock, host_for

from ..helpers.actors import Clockwork, Disk, Laboratory, app, objects, within

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def handler() -> Iterator[None]:
    """No handler of another test."""
    Clockwork.handler = None
    yield
    Clockwork.handler = None


class Runs:
    """A handler that notes each of its runs: the seconds since the start, and its info."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self._start_ms = clock.now_ms()
        self.at: list[float] = []
        self.infos: list[AlarmInfo] = []
        self.names: list[str | None] = []
        Clockwork.handler = self.note

    def note(self, actor: Clockwork, info: AlarmInfo) -> None:
        """What happens first in each run."""
        self.at.append((self._clock.now_ms() - self._start_ms) / 1_000)
        self.infos.append(info)
        self.names.append(actor.ctx.id.name)


async def begun(runs: Runs, count: int = 1) -> None:
    """Return when so many runs have begun, and gone as far as they can."""
    while len(runs.at) < count:
        await anyio.wait_all_tasks_blocked()
    await anyio.wait_all_tasks_blocked()


async def set_in(host: Host, seconds: float, name: str = "a") -> None:
    """Set the alarm of an object, counted from now."""
    due_ms = host.clock.now_ms() + round(seconds * 1_000)
    await within(objects(host, name), lambda actor: actor.ctx.storage.set_alarm(due_ms))


async def alarm_of(host: Host, name: str = "a") -> int | None:
    """The alarm of an object, as its code sees it."""
    due_ms: int | None = await within(
        objects(host, name), lambda actor: actor.ctx.storage.get_alarm()
    )
    return due_ms


async def test_an_alarm_runs_once_at_its_time_and_never_before() -> None:
    """It is there until then and gone during the run and afterwards."""
    clock = ManualClock()
    runs = Runs(clock)
    seen: list[int | None] = []

    async def note(actor: Clockwork, info: AlarmInfo) -> None:
        runs.note(actor, info)
        seen.append(await actor.ctx.storage.get_alarm())

    Clockwork.handler = note
    async with host_for(app, clock=clock) as host:
        await set_in(host, 10)
        due_ms = await alarm_of(host)
        assert due_ms is not None
        assert due_ms == clock.now_ms() + 10_000
        await clock.advance(9.999)
        assert runs.at == []
        assert await host.run_due_alarms() == 0
        await clock.advance(0.001)
        assert (runs.at, seen) == ([10], [None])
        assert runs.infos == [AlarmInfo(due_ms, 0, False)]
        assert await alarm_of(host) is None
        await clock.advance(100)
        assert runs.at == [10]


async def test_the_last_alarm_set_is_the_only_one() -> None:
    """Moved later, earlier, to the same time, deleted twice, by a datetime, cut to milliseconds."""
    clock = ManualClock()
    runs = Runs(clock)
    async with host_for(app, clock=clock) as host:
        await set_in(host, 10)
        await set_in(host, 20)
        await clock.advance(15)
        assert runs.at == []
        await set_in(host, 1)
        await set_in(host, 1)
        await clock.advance(20)
        assert runs.at == [16]

        async def twice(actor: Laboratory) -> None:
            await actor.ctx.storage.set_alarm(clock.now_ms() + 1)
            await actor.ctx.storage.delete_alarm()
            await actor.ctx.storage.delete_alarm()

        await within(objects(host), twice)
        await clock.advance(20)
        assert runs.at == [16]

        when = datetime.fromtimestamp((clock.now_ms() + 5_000) / 1_000, UTC)
        await within(objects(host), lambda actor: actor.ctx.storage.set_alarm(when))
        assert await alarm_of(host) == clock.now_ms() + 5_000
        fraction = clock.now_ms() + 7_000.9
        await within(objects(host), lambda actor: actor.ctx.storage.set_alarm(fraction))
        assert await alarm_of(host) == clock.now_ms() + 7_000
        await clock.advance(7)
        assert runs.at == [16, 62]


async def test_a_time_that_has_passed_is_now() -> None:
    """It shows as now, and runs without time moving on."""
    clock = ManualClock()
    runs = Runs(clock)

    async def story(actor: Laboratory) -> int | None:
        await actor.ctx.storage.set_alarm(1)
        due_ms: int | None = await actor.ctx.storage.get_alarm()
        return due_ms

    async with host_for(app, clock=clock) as host:
        assert await within(objects(host), story) == clock.now_ms()
        await clock.advance(0)
        assert runs.at == [0]


@pytest.mark.parametrize(
    ("when", "message"),
    [
        (None, "not a valid Date"),
        ("tomorrow", "not a valid Date"),
        (True, "not a valid Date"),
        (float("nan"), "not a valid Date"),
        (float("inf"), "not a valid Date"),
        (float("-inf"), "not a valid Date"),
        (datetime(2030, 1, 1), "tzinfo"),
        (0, "alarm time <= 0"),
        (0.9, "alarm time <= 0"),
        (-5, "alarm time <= 0"),
        (datetime(1969, 1, 1, tzinfo=UTC), "alarm time <= 0"),
        (datetime(2190, 1, 1, tzinfo=UTC), "after 2189"),
        (8_640_000_000_000_000, "after 2189"),
        pytest.param(10**400, "after 2189|not a valid Date", id="400 digits"),
    ],
)
async def test_what_is_no_time_is_a_type_error(when: Any, message: str) -> None:
    """The alarm there was stays as it was."""
    clock = ManualClock()
    async with host_for(app, clock=clock) as host:
        await set_in(host, 10)
        with pytest.raises(TypeError, match=message):
            await within(objects(host), lambda actor: actor.ctx.storage.set_alarm(when))
        assert await alarm_of(host) == clock.now_ms() + 10_000


async def test_a_class_without_a_handler_cannot_set_an_alarm() -> None:
    """A TypeError that says what is missing."""
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.PLAIN.get_by_name("a")
        with pytest.raises(TypeError, match=r"must have an alarm\(\) handler"):
            await within(stub, lambda actor: actor.ctx.storage.set_alarm(2_000_000_000_000))


async def test_a_failing_alarm_runs_seven_times_then_is_dropped() -> None:
    """2, 4, .. 64 s apart, each up to a quarter more. What the runs wrote stays."""
    clock = ManualClock()
    runs = Runs(clock)
    shown: list[int | None] = []

    async def fail(actor: Clockwork, info: AlarmInfo) -> None:
        runs.note(actor, info)
        storage = actor.ctx.storage
        shown.append(await storage.get_alarm())
        await storage.put("runs", await storage.get("runs", 0) + 1)
        raise ValueError("always")

    Clockwork.handler = fail
    async with host_for(app, clock=clock) as host:
        due_ms = clock.now_ms() + 1_000
        await set_in(host, 1)
        await clock.advance(1)
        for retry in range(6):
            assert len(runs.at) == retry + 1
            assert await alarm_of(host) == due_ms
            delay = 2.0 ** (retry + 1)
            await clock.advance(runs.at[-1] + delay - (clock.now_ms() - due_ms) / 1_000 - 1.001)
            assert len(runs.at) == retry + 1
            await clock.advance(delay / 4 + 0.002)
        assert len(runs.at) == 7
        assert await alarm_of(host) is None
        await clock.advance(10_000)
        assert len(runs.at) == 7
        assert await within(objects(host), lambda actor: actor.ctx.storage.get("runs")) == 7
    assert [(info.retry_count, info.is_retry) for info in runs.infos] == [
        (count, count > 0) for count in range(7)
    ]
    assert {info.scheduled_time for info in runs.infos} == {due_ms}
    assert shown == [None] * 7


@pytest.mark.parametrize("change", ["set", "delete", "delete_all", "set and roll back"])
@pytest.mark.parametrize("suspends", [False, True])
async def test_a_handler_that_changes_the_alarm_and_fails_is_not_retried(
    change: str, suspends: bool
) -> None:
    """The new alarm is what is left, from zero; a change that was undone is none."""
    clock = ManualClock()
    runs = Runs(clock)

    async def fail_once(actor: Clockwork, info: AlarmInfo) -> None:
        runs.note(actor, info)
        storage = actor.ctx.storage
        if len(runs.at) > 1:
            return
        if change == "set":
            await storage.set_alarm(clock.now_ms() + 50_000)
        elif change == "delete":
            await storage.delete_alarm()
        elif change == "delete_all":
            await storage.delete_all()
        else:

            async def undone(txn: Any) -> None:
                await txn.set_alarm(clock.now_ms() + 50_000)
                txn.rollback()

            await storage.transaction(undone)
        if suspends:
            await anyio.lowlevel.checkpoint()
        raise ValueError("once")

    Clockwork.handler = fail_once
    async with host_for(app, clock=clock) as host:
        await set_in(host, 1)
        await clock.advance(200)
        expected = {
            "set": [(1, 0, False), (51, 0, False)],
            "delete": [(1, 0, False)],
            "delete_all": [(1, 0, False)],
        }
        seen = [
            (at, info.retry_count, info.is_retry)
            for at, info in zip(runs.at, runs.infos, strict=True)
        ]
        if change in expected:
            assert seen == expected[change]
        else:
            assert [each[1:] for each in seen] == [(0, False), (1, True)]
        assert await alarm_of(host) is None


async def test_an_alarm_set_between_two_runs_starts_anew() -> None:
    """The retry is off, its count forgotten; the other runs at its own time."""
    clock = ManualClock()
    runs = Runs(clock)

    async def fail(actor: Clockwork, info: AlarmInfo) -> None:
        runs.note(actor, info)
        if len(runs.at) < 3:
            raise ValueError("twice")

    Clockwork.handler = fail
    async with host_for(app, clock=clock) as host:
        await set_in(host, 1)
        await clock.advance(4)  # runs at 1 and between 3 and 3.5
        assert len(runs.at) == 2
        await set_in(host, 100)
        await clock.advance(200)
    assert [info.retry_count for info in runs.infos] == [0, 1, 0]
    assert runs.at[2] == 104


async def test_an_alarm_set_by_its_handler_runs_after_it() -> None:
    """At its own time, again and again; or at once, and still never two runs together."""
    clock = ManualClock()
    runs = Runs(clock)
    inside = 0

    async def again(actor: Clockwork, info: AlarmInfo) -> None:
        nonlocal inside
        inside += 1
        assert inside == 1
        runs.note(actor, info)
        if len(runs.at) < 5:
            await actor.ctx.storage.set_alarm(clock.now_ms() + 10_000 * (len(runs.at) % 2))
            await anyio.lowlevel.checkpoint()
        inside -= 1

    Clockwork.handler = again
    async with host_for(app, clock=clock) as host:
        await set_in(host, 1)
        await clock.advance(200)
        assert runs.at == [1, 11, 11, 21, 21]
        assert await alarm_of(host) is None


async def test_other_events_run_in_the_middle_of_an_alarm() -> None:
    """They see no alarm; what they set is kept for after it, and what they delete is not."""
    clock = ManualClock()
    runs = Runs(clock)
    go = anyio.Event()

    async def wait(actor: Clockwork, info: AlarmInfo) -> None:
        runs.note(actor, info)
        actor.memory.append("in the alarm")
        if len(runs.at) == 1:
            await go.wait()

    Clockwork.handler = wait
    async with host_for(app, clock=clock) as host:
        await set_in(host, 1)
        async with anyio.create_task_group() as group:
            group.start_soon(clock.advance, 1)
            await begun(runs)
            assert await within(objects(host), lambda actor: actor.memory) == ["in the alarm"]
            assert await alarm_of(host) is None
            assert host.statistics().alarms_running == 1
            await set_in(host, 30)
            await set_in(host, 20)
            await within(objects(host), lambda actor: actor.ctx.storage.delete_alarm())
            assert await alarm_of(host) is None
            await set_in(host, 0)
            await anyio.wait_all_tasks_blocked()
            assert runs.at == [1]
            go.set()
        await clock.advance(100)
        assert runs.at == [1, 1]


@pytest.mark.parametrize("newer", ["none", "in the turn", "on its way", "on disk"])
async def test_abort_without_a_retry_drops_the_alarm_it_ran_for(newer: str) -> None:
    """And no other: one that the handler had set in an earlier turn is kept, on disk or not yet."""
    clock = ManualClock()
    disk = Disk()
    runs = Runs(clock)

    async def abort(actor: Clockwork, info: AlarmInfo) -> None:
        runs.note(actor, info)
        if len(runs.at) > 1:
            return
        storage = actor.ctx.storage
        if newer != "none":
            await storage.set_alarm(clock.now_ms() + 50_000)
        if newer == "on its way":
            disk.hold()
            await anyio.lowlevel.checkpoint()
        elif newer == "on disk":
            await storage.sync()
        actor.ctx.abort("enough", retry_alarm=False)

    Clockwork.handler = abort
    async with host_for(app, clock=clock, wrap_commit=disk) as host:
        await set_in(host, 1)
        async with anyio.create_task_group() as group:
            group.start_soon(clock.advance, 200)
            await begun(runs)
            disk.release()
        kept = newer in ("on its way", "on disk")
        assert runs.at == ([1, 51] if kept else [1])
        assert await alarm_of(host) is None


async def test_abort_is_a_failure_like_any_other() -> None:
    """The alarm runs again, in a new instance, and counts."""
    clock = ManualClock()
    runs = Runs(clock)

    def abort(actor: Clockwork, info: AlarmInfo) -> None:
        runs.note(actor, info)
        actor.memory.append(len(runs.at))
        assert actor.memory == [len(runs.at)]
        actor.ctx.abort("again")

    Clockwork.handler = abort
    async with host_for(app, clock=clock) as host:
        await set_in(host, 1)
        await clock.advance(1_000)
        assert [info.retry_count for info in runs.infos] == list(range(7))
        assert await alarm_of(host) is None


async def test_giving_up_is_not_undone_by_a_transaction_that_runs_then() -> None:
    """The last run has failed while a transaction is open: its rollback is not the alarm's."""
    clock = ManualClock()
    disk = Disk()
    runs = Runs(clock)
    go = anyio.Event()

    async def fail(actor: Clockwork, info: AlarmInfo) -> None:
        runs.note(actor, info)
        if info.retry_count == 6:
            disk.hold()
            await actor.ctx.storage.put("last", True)
        raise ValueError("always")

    async def transact(actor: Laboratory) -> None:
        async def callback(txn: Any) -> None:
            await go.wait()
            txn.rollback()

        await actor.ctx.storage.transaction(callback)

    Clockwork.handler = fail
    async with host_for(app, clock=clock, wrap_commit=disk) as host:
        await set_in(host, 1)
        async with anyio.create_task_group() as group:
            group.start_soon(clock.advance, 1_000)
            await begun(runs, 7)
            group.start_soon(within, objects(host), transact)
            await anyio.wait_all_tasks_blocked()
            disk.release()
            # Not by `settle`: the clock, which waits for the same, would move on meanwhile.
            while not host.engine.quiet:
                await anyio.lowlevel.checkpoint()
            go.set()
        assert await alarm_of(host) is None
        assert len(runs.at) == 7


async def test_a_failing_disk_does_not_count_against_an_alarm() -> None:
    """The handler's commit fails ten times: it runs ten times more, always as the first try."""
    clock = ManualClock()
    disk = Disk()
    runs = Runs(clock)

    async def write(actor: Clockwork, info: AlarmInfo) -> None:
        runs.note(actor, info)
        await actor.ctx.storage.put("runs", len(runs.at))
        disk.fail(len(runs.at) <= 10)

    Clockwork.handler = write
    async with host_for(app, clock=clock, wrap_commit=disk) as host:
        await set_in(host, 1)
        await clock.advance(10_000)
        assert [info.retry_count for info in runs.infos] == [0] * 11
        assert [info.is_retry for info in runs.infos] == [False] + [True] * 10
        assert await within(objects(host), lambda actor: actor.ctx.storage.get("runs")) == 11
        assert await alarm_of(host) is None
    gaps = [later - earlier for earlier, later in zip(runs.at, runs.at[1:], strict=False)]
    for number, gap in enumerate(gaps):
        delay = 2 ** min(number + 1, 10)
        assert delay <= gap <= delay * 1.25 + 0.001


async def test_an_alarm_starts_an_evicted_object_under_its_name() -> None:
    """One reached by digits, or without a name, has none."""
    clock = ManualClock()
    runs = Runs(clock)
    async with host_for(app, clock=clock) as host:
        await set_in(host, 100, "named")
        namespace = host.env.OBJECT
        unnamed = namespace.get(namespace.new_unique_id())
        due_ms = clock.now_ms() + 101_000
        await within(unnamed, lambda actor: actor.ctx.storage.set_alarm(due_ms))
        await clock.advance(50)
        assert host.statistics().activations == 0
        await clock.advance(60)
    assert (runs.at, runs.names) == ([100, 101], ["named", None])


async def test_alarms_survive_a_restart(tmp_path: Path) -> None:
    """One that is overdue runs at once, the other at its time, a deleted one never; with names."""
    clock = ManualClock()
    runs = Runs(clock)
    async with host_for(app, clock=clock, data_dir=tmp_path) as host:
        await set_in(host, 10, "overdue")
        await set_in(host, 100, "later")
        await set_in(host, 10, "deleted")
        await within(objects(host, "deleted"), lambda actor: actor.ctx.storage.delete_alarm())
        await host.crash()
    await clock.advance(50)
    assert runs.at == []
    async with host_for(app, clock=clock, data_dir=tmp_path) as host:
        await clock.advance(0)
        assert (runs.at, runs.names) == ([50], ["overdue"])
        await clock.advance(50)
    assert (runs.at, runs.names) == ([50, 100], ["overdue", "later"])


async def test_an_alarm_whose_success_was_not_stored_runs_again(tmp_path: Path) -> None:
    """The crash comes between the handler's end and its commit: all it wrote is lost with it."""
    clock = ManualClock()
    disk = Disk()
    runs = Runs(clock)

    async def count(actor: Clockwork, info: AlarmInfo) -> None:
        runs.note(actor, info)
        storage = actor.ctx.storage
        await storage.put("count", await storage.get("count", 0) + 1)

    Clockwork.handler = count
    async with host_for(app, clock=clock, data_dir=tmp_path, wrap_commit=disk) as host:
        await set_in(host, 10)
        disk.hold()
        async with anyio.create_task_group() as group:
            group.start_soon(clock.advance, 10)
            await begun(runs)
            assert runs.at == [10]
            disk.fail()
            disk.release()
            await host.crash()
            group.cancel_scope.cancel()
    disk.fail(False)
    async with host_for(app, clock=clock, data_dir=tmp_path, wrap_commit=disk) as host:
        await clock.advance(0)
        assert [info.is_retry for info in runs.infos] == [False, False]
        assert await within(objects(host), lambda actor: actor.ctx.storage.get("count")) == 1
        assert await alarm_of(host) is None
        await clock.advance(1_000)
        await host.crash()
    async with host_for(app, clock=clock, data_dir=tmp_path) as host:
        await clock.advance(1_000)
    assert len(runs.at) == 2


async def test_five_thousand_alarms_due_at_once_all_run_once() -> None:
    """And thousands that fail do not keep the others from running."""
    clock = ManualClock()
    counts: dict[str | None, int] = {}

    async def count(actor: Clockwork, info: AlarmInfo) -> None:
        name = actor.ctx.id.name
        counts[name] = counts.get(name, 0) + 1
        if name is not None and name.startswith("bad") and not info.is_retry:
            raise ValueError("first time")

    Clockwork.handler = count
    names = [f"{'bad' if number % 3 == 0 else 'good'} {number}" for number in range(5_000)]
    async with host_for(app, clock=clock) as host:
        async with anyio.create_task_group() as group:
            for name in names:
                group.start_soon(set_in, host, 5, name)
        await clock.advance(5)
        assert counts == dict.fromkeys(names, 1)
        assert await host.run_due_alarms() == sum(name.startswith("bad") for name in names)
        assert counts == {name: 2 if name.startswith("bad") else 1 for name in names}


async def test_alarms_of_a_class_that_is_gone_stop_nobody(tmp_path: Path) -> None:
    """Neither those of a binding the application dropped, nor of a class that lost its handler."""
    clock = ManualClock()
    runs = Runs(clock)
    old = App(
        name="laboratory", bindings={"OBJECT": Clockwork, "GONE": Clockwork, "CHANGED": Clockwork}
    )
    new = App(name="laboratory", bindings={"OBJECT": Clockwork, "CHANGED": Laboratory})
    async with host_for(old, clock=clock, data_dir=tmp_path) as host:
        for binding in ("GONE", "CHANGED"):
            for number in range(1_100):
                due_ms = clock.now_ms() + 1_000
                stub = host.env[binding].get_by_name(f"{number}")
                await within(
                    stub, lambda actor, due_ms=due_ms: actor.ctx.storage.set_alarm(due_ms), due_ms
                )
        await set_in(host, 2)
        await host.crash()
    async with host_for(new, clock=clock, data_dir=tmp_path) as host:
        await clock.advance(5)
        assert len(runs.at) == 1
        assert host.statistics().alarms_running == 0
        with anyio.move_on_after(10) as scope:
            await host.run_due_alarms()
        assert not scope.cancelled_caught
