"""Alarms, as semantics.md 6 has them; no test waits, the clock is moved."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

from roomhost.bindings import App
from roomhost.runtime import AlarmInfo, DurableObject, DurableObjectError, Host, StorageError
from roomhost.runtime.alarm_retry import Retries, after_failure, delay_seconds, is_counted
from roomhost.runtime.testing import ManualClock, host_for

from ..helpers.disk import Disk
from ..helpers.scripted import Scripted, app, script

pytestmark = pytest.mark.anyio

MINUTE_MS = 60_000


@pytest.fixture
def clock() -> ManualClock:
    """It stands still."""
    return ManualClock()


@pytest.fixture(autouse=True)
def runs() -> list[tuple[int, AlarmInfo]]:
    """When alarms ran, in milliseconds since the start, and what they were told."""
    return []


def record(clock: ManualClock, runs: list[tuple[int, AlarmInfo]]) -> None:
    """The usual scripts: an alarm that notes its run, and calls of each alarm function."""
    start = clock.now_ms()

    @script
    async def alarm(actor: Scripted, info: AlarmInfo) -> None:
        runs.append((clock.now_ms() - start, info))

    @script
    async def set_alarm(actor: Scripted, when: Any) -> None:
        await actor.ctx.storage.set_alarm(when)

    @script
    async def get_alarm(actor: Scripted) -> int | None:
        return await actor.ctx.storage.get_alarm()

    @script
    async def delete_alarm(actor: Scripted) -> None:
        await actor.ctx.storage.delete_alarm()


async def test_an_alarm_runs_once_at_its_time_and_never_before(
    clock: ManualClock, runs: list[tuple[int, AlarmInfo]]
) -> None:
    """It is told when it was due; afterwards there is none."""
    record(clock, runs)
    due = clock.now_ms() + MINUTE_MS
    async with host_for(app, clock=clock) as host:
        stub = host.env.OBJECT.get_by_name("a")
        await stub.run("set_alarm", due)
        assert await stub.run("get_alarm") == due
        await clock.advance(59.999)
        assert runs == []
        await clock.advance(0.001)
        assert runs == [(MINUTE_MS, AlarmInfo(due, 0, False))]
        assert await stub.run("get_alarm") is None
        await clock.advance(3_600)
        assert len(runs) == 1


async def test_a_new_alarm_replaces_the_old_one(
    clock: ManualClock, runs: list[tuple[int, AlarmInfo]]
) -> None:
    """Earlier or later; deleted it does not run; a datetime is a time too."""
    record(clock, runs)
    now = clock.now_ms()
    async with host_for(app, clock=clock) as host:
        stub = host.env.OBJECT.get_by_name("a")
        for minutes in (3, 1, 2):
            await stub.run("set_alarm", now + minutes * MINUTE_MS)
        other = host.env.OBJECT.get_by_name("b")
        await other.run("set_alarm", datetime.fromtimestamp(now / 1000, UTC) + timedelta(minutes=1))
        await other.run("delete_alarm")
        await other.run("delete_alarm")
        await clock.advance(600)
        assert [at for at, _ in runs] == [2 * MINUTE_MS]


async def test_a_time_that_has_passed_is_now(
    clock: ManualClock, runs: list[tuple[int, AlarmInfo]]
) -> None:
    """`get_alarm` shows now, and it runs as soon as possible."""
    record(clock, runs)
    async with host_for(app, clock=clock) as host:
        await host.env.OBJECT.get_by_name("a").run("set_alarm", 5.9)
        await clock.advance(0)
        assert runs == [(0, AlarmInfo(clock.now_ms()))]


@pytest.mark.parametrize("when", [None, "soon", True, float("nan"), float("inf"), 0, -5, 2**53])
async def test_what_is_no_time_is_refused(clock: ManualClock, when: Any) -> None:
    """A TypeError, and no alarm is set."""
    record(clock, [])
    async with host_for(app, clock=clock) as host:
        stub = host.env.OBJECT.get_by_name("a")
        with pytest.raises(TypeError):
            await stub.run("set_alarm", when)
        assert await stub.run("get_alarm") is None


class NoHandler(DurableObject):
    """Has no alarm handler."""

    async def arm(self) -> None:
        await self.ctx.storage.set_alarm(4_000_000_000_000)


async def test_a_class_without_a_handler_cannot_set_one(clock: ManualClock) -> None:
    """The error says what is missing."""
    async with host_for(App(name="none", bindings={"OBJECT": NoHandler}), clock=clock) as host:
        with pytest.raises(TypeError, match=r"must have an alarm\(\) handler"):
            await host.env.OBJECT.get_by_name("a").arm()


async def test_while_it_runs_there_is_no_alarm_and_others_may_run(clock: ManualClock) -> None:
    """Not exclusive: a call comes in the middle, and sees none."""
    record(clock, [])
    release = anyio.Event()
    ended: list[str] = []

    @script
    async def alarm(actor: Scripted, info: AlarmInfo) -> None:
        assert await actor.ctx.storage.get_alarm() is None
        await release.wait()
        ended.append("alarm")

    async with host_for(app, clock=clock) as host:
        stub = host.env.OBJECT.get_by_name("a")
        await stub.run("set_alarm", clock.now_ms() + 1)
        await clock.advance(1)
        assert await stub.run("get_alarm") is None
        assert ended == []
        release.set()
        await clock.advance(0)
        assert ended == ["alarm"]


async def test_an_alarm_set_by_the_handler_runs_after_it(
    clock: ManualClock, runs: list[tuple[int, AlarmInfo]]
) -> None:
    """Each run arms the next: like a clock."""
    record(clock, runs)

    @script
    async def alarm(actor: Scripted, info: AlarmInfo) -> None:
        runs.append((clock.now_ms(), info))
        if len(runs) < 4:
            await actor.ctx.storage.set_alarm(info.scheduled_time + 1_000)

    start = clock.now_ms()
    async with host_for(app, clock=clock) as host:
        await host.env.OBJECT.get_by_name("a").run("set_alarm", start + 1_000)
        await clock.advance(60)
        assert [at - start for at, _ in runs] == [1_000, 2_000, 3_000, 4_000]
        assert all(not info.is_retry for _, info in runs)


async def test_a_failing_alarm_runs_seven_times(clock: ManualClock) -> None:
    """After 2, 4, ... 64 s, each up to a quarter longer; between runs it shows its time; what the
    runs wrote stays; then it is dropped."""
    record(clock, [])
    times: list[int] = []
    infos: list[AlarmInfo] = []

    @script
    async def alarm(actor: Scripted, info: AlarmInfo) -> None:
        times.append(clock.now_ms())
        infos.append(info)
        await actor.ctx.storage.put("runs", await actor.ctx.storage.get("runs", 0) + 1)
        raise ValueError("no")

    @script
    async def runs_stored(actor: Scripted) -> Any:
        return await actor.ctx.storage.get("runs")

    due = clock.now_ms() + 1
    async with host_for(app, clock=clock) as host:
        stub = host.env.OBJECT.get_by_name("a")
        await stub.run("set_alarm", due)
        await clock.advance(1)
        assert await stub.run("get_alarm") == due
        await clock.advance(3_600)
        waits = [(later - earlier) / 1000 for earlier, later in zip(times, times[1:], strict=False)]
        assert len(waits) == 6
        for wait, least in zip(waits, (2, 4, 8, 16, 32, 64), strict=True):
            assert least <= wait <= least * 1.25 + 0.001
        assert [info.retry_count for info in infos] == list(range(7))
        assert [info.is_retry for info in infos] == [False] + [True] * 6
        assert {info.scheduled_time for info in infos} == {due}
        assert await stub.run("get_alarm") is None
        assert await stub.run("runs_stored") == 7


async def test_a_retry_that_succeeds_ends_it(clock: ManualClock) -> None:
    """No further run."""
    record(clock, [])
    counts: list[int] = []

    @script
    async def alarm(actor: Scripted, info: AlarmInfo) -> None:
        counts.append(info.retry_count)
        if info.retry_count < 2:
            raise ValueError("not yet")

    async with host_for(app, clock=clock) as host:
        await host.env.OBJECT.get_by_name("a").run("set_alarm", clock.now_ms())
        await clock.advance(3_600)
        assert counts == [0, 1, 2]


@pytest.mark.parametrize("step", ["set", "delete", "abandon"])
async def test_what_the_failing_handler_did_to_its_alarm_stands(
    clock: ManualClock, step: str
) -> None:
    """A new alarm replaces the retry and counts from 0; a deleted one is not retried, an abandoned
    one neither."""
    record(clock, [])
    counts: list[int] = []

    @script
    async def alarm(actor: Scripted, info: AlarmInfo) -> None:
        counts.append(info.retry_count)
        if len(counts) > 1:
            return
        if step == "set":
            await actor.ctx.storage.set_alarm(clock.now_ms() + MINUTE_MS)
        elif step == "delete":
            await actor.ctx.storage.delete_alarm()
        else:
            actor.ctx.abort("give it up", retry_alarm=False)
        raise ValueError("and then it failed")

    async with host_for(app, clock=clock) as host:
        await host.env.OBJECT.get_by_name("a").run("set_alarm", clock.now_ms())
        await clock.advance(50)
        assert counts == [0]
        await clock.advance(3_600)
        assert counts == ([0, 0] if step == "set" else [0])
        assert await host.env.OBJECT.get_by_name("a").run("get_alarm") is None


async def test_an_aborted_alarm_is_retried(clock: ManualClock) -> None:
    """It counts as a failed run."""
    record(clock, [])
    counts: list[int] = []

    @script
    async def alarm(actor: Scripted, info: AlarmInfo) -> None:
        counts.append(info.retry_count)
        if info.retry_count == 0:
            actor.ctx.abort("oops")

    async with host_for(app, clock=clock) as host:
        await host.env.OBJECT.get_by_name("a").run("set_alarm", clock.now_ms())
        await clock.advance(60)
        assert counts == [0, 1]


async def test_an_alarm_wakes_its_object_which_knows_its_name(clock: ManualClock) -> None:
    """After an eviction, and by the name it was set under."""
    record(clock, [])
    names: list[str | None] = []

    @script
    async def alarm(actor: Scripted, info: AlarmInfo) -> None:
        names.append(actor.ctx.id.name)

    async with host_for(app, clock=clock) as host:
        for name in ("lobby", "n" * 1_024, "n" * 1_025):
            await host.env.OBJECT.get_by_name(name).run("set_alarm", clock.now_ms() + MINUTE_MS)
        by_id = host.env.OBJECT.get(
            host.env.OBJECT.id_from_string(str(host.env.OBJECT.id_from_name("lobby")))
        )
        await clock.advance(11)
        await by_id.run("set_alarm", clock.now_ms() + MINUTE_MS)
        await clock.advance(20)
        assert host.statistics().activations == 0
        await clock.advance(60)
        assert sorted(names, key=str) == sorted(["lobby", "n" * 1_024, None], key=str)


async def test_overdue_alarms_run_when_the_host_starts(
    clock: ManualClock, runs: list[tuple[int, AlarmInfo]], tmp_path: Path
) -> None:
    """After a crash, too; those that are not due keep waiting."""
    record(clock, runs)
    due = clock.now_ms() + 1_000
    async with host_for(app, clock=clock, data_dir=tmp_path) as host:
        await host.env.OBJECT.get_by_name("a").run("set_alarm", due)
        await host.env.OBJECT.get_by_name("b").run("set_alarm", due + 10 * MINUTE_MS)
        await host.crash()
    await clock.advance(120)
    assert runs == []
    async with host_for(app, clock=clock, data_dir=tmp_path):
        await clock.advance(0)
        assert [info for _, info in runs] == [AlarmInfo(due)]
        await clock.advance(600)
        assert len(runs) == 2


async def test_a_crash_before_the_commit_of_its_success_runs_it_again(
    clock: ManualClock, tmp_path: Path
) -> None:
    """The deletion is durable together with the handler's writes, or not at all."""
    record(clock, [])
    ran: list[str] = []

    @script
    async def alarm(actor: Scripted, info: AlarmInfo) -> None:
        ran.append("run")
        await actor.ctx.storage.put("n", await actor.ctx.storage.get("n", 0) + 1)

    @script
    async def stored(actor: Scripted) -> Any:
        return await actor.ctx.storage.get("n")

    disk = Disk()
    async with host_for(app, clock=clock, data_dir=tmp_path, wrap_commit=disk.wrap) as host:
        await host.env.OBJECT.get_by_name("a").run("set_alarm", clock.now_ms() + 1)
        disk.hold()
        async with anyio.create_task_group() as group:
            group.start_soon(clock.advance, 1)
            await disk.reached()
            assert ran == ["run"]
            disk.failing = True
            disk.release()
            await host.crash()
            group.cancel_scope.cancel()
    async with host_for(app, clock=clock, data_dir=tmp_path) as host:
        await clock.advance(0)
        assert ran == ["run", "run"]
        assert await host.env.OBJECT.get_by_name("a").run("stored") == 1


async def test_a_failed_commit_does_not_count_as_a_failed_run(clock: ManualClock) -> None:
    """The disk's fault: it runs again, as for the first time, as often as it takes."""
    record(clock, [])
    counts: list[tuple[int, bool]] = []

    @script
    async def alarm(actor: Scripted, info: AlarmInfo) -> None:
        counts.append((info.retry_count, info.is_retry))

    disk = Disk()
    async with host_for(app, clock=clock, wrap_commit=disk.wrap) as host:
        await host.env.OBJECT.get_by_name("a").run("set_alarm", clock.now_ms())
        disk.failing = True
        await clock.advance(600)
        assert len(counts) == 9
        disk.failing = False
        await clock.advance(3_600)
        assert counts == [(0, False)] + [(0, True)] * 9


async def test_run_due_alarms_runs_retries_too(clock: ManualClock) -> None:
    """What a test calls instead of waiting."""
    record(clock, [])
    counts: list[int] = []

    @script
    async def alarm(actor: Scripted, info: AlarmInfo) -> None:
        counts.append(info.retry_count)
        raise ValueError("no")

    async with host_for(app, clock=clock) as host:
        await host.env.OBJECT.get_by_name("a").run("set_alarm", clock.now_ms() + 1)
        assert await host.run_due_alarms() == 0
        await clock.advance(1)
        for _ in range(3):
            assert await host.run_due_alarms() == 1
        assert counts == [0, 1, 2, 3]


async def test_thousands_of_alarms_due_at_once_all_run(clock: ManualClock) -> None:
    """More than may run at the same time."""
    ran: set[str] = set()

    @script
    async def arm(actor: Scripted, due: int) -> None:
        await actor.ctx.storage.set_alarm(due)

    @script
    async def alarm(actor: Scripted, info: AlarmInfo) -> None:
        assert str(actor.ctx.id) not in ran
        ran.add(str(actor.ctx.id))

    async with host_for(app, clock=clock) as host:
        await arm_many(host, clock.now_ms() + 1_000, 3_000)
        await clock.advance(1)
        assert len(ran) == 3_000


async def arm_many(host: Host, due: int, count: int) -> None:
    """The same alarm for many objects."""
    stubs = [host.env.OBJECT.get_by_name(str(number)) for number in range(count)]
    for call in [stub.run("arm", due) for stub in stubs]:
        await call


def test_the_rule_counts_the_handlers_failures_alone() -> None:
    """Seven runs for the handler's own; the host's for ever, 1,024 s apart at most; the back-off
    starts again when the kind of failure changes."""
    retries: Retries | None = Retries()
    for _ in range(6):
        assert retries is not None
        retries = after_failure(retries, counted=True)
    assert retries is not None
    assert (retries.counted, delay_seconds(retries, 0), delay_seconds(retries, 1)) == (6, 64, 80)
    assert after_failure(retries, counted=True) is None

    for _ in range(50):
        following = after_failure(retries, counted=False)
        assert following is not None
        retries = following
    assert (retries.counted, delay_seconds(retries, 0)) == (6, 1_024)
    assert delay_seconds(after_failure(Retries(1, 1, 1, True), counted=False) or Retries(), 0) == 2

    retryable = DurableObjectError("the host stops")
    retryable.retryable = True
    assert not is_counted(retryable)
    assert not is_counted(StorageError("disk"))
    assert is_counted(ValueError("the handler's"))
