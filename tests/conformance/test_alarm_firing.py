"""Alarms: running.

semantics.md 6.2: when the handler runs, what it is told, and what it may do to its own alarm.
"""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from roomhost.runtime import AlarmInfo

from ..helpers.disk import Disk
from ..helpers.scripted import script
from .alarms import START_MS, Alarmed, at, stage
from .feature import Feature, mistake, shows

pytestmark = pytest.mark.anyio

TIME = Feature("alarm: runs at its time, never before", "6.2")
INFO = Feature("alarm(alarmInfo): scheduledTime, retryCount, isRetry", "6.2")
HIDDEN = Feature("getAlarm: null while the handler runs", "6.2")
AGAIN = Feature("setAlarm in the handler: the next run", "6.2")
MEANWHILE = Feature("setAlarm while the handler runs: after it, the latest", "6.2")
ONE = Feature("alarm: one run at a time", "6.2")
NOT_EXCLUSIVE = Feature("alarm: other events run while its handler waits", "4.2, 6.2")
DELETED = Feature("deleteAlarm: before, during and in the handler", "6.2")
SAME = Feature("setAlarm: the same time again changes nothing", "6.2")
STARTS = Feature("alarm: starts the object", "6.2")
ORDER = Feature("alarm: of many objects", "6.2")
NO_HANDLER = Feature("alarm: no handler when it is due", "6.3")
NAME = Feature("alarm: ctx.id.name", "1.3, 6.4")
COMMIT = Feature("alarm: deleted with the handler's last commit", "6.2")
RUN_NOW = Feature(
    "runDurableObjectAlarm (test hook)",
    "3.5",
    differs="`host.run_due_alarms()` runs those that are due and the retries that wait, no others",
)


@mistake(26)
@shows(TIME)
async def test_mistake_26_an_alarm_never_runs_before_its_time() -> None:
    """Not a millisecond early, not even when due alarms are asked to run; then once."""
    async with stage() as s:
        await s.object().set_alarm(at(10))
        await s.clock.advance(9.999)
        assert await s.host.run_due_alarms() == 0
        assert s.seconds == []
        await s.clock.advance(0.001)
        await s.clock.advance(3_600)
        assert s.seconds == [10]
        assert await s.object().get_alarm() is None


@mistake(26)
@shows(TIME)
async def test_mistake_26_an_alarm_that_was_moved_runs_at_its_new_time() -> None:
    """Later or earlier, the time it had first is forgotten."""
    async with stage() as s:
        for name, first, then in (("later", 10, 30), ("earlier", 20, 5)):
            await s.object(name).set_alarm(at(first))
            await s.object(name).set_alarm(at(then))
        await s.clock.advance(29)
        assert s.seconds == [5]
        await s.clock.advance(1)
        assert s.seconds == [5, 30]


@shows(TIME)
async def test_a_time_in_the_past_runs_without_time_moving_on() -> None:
    """As soon as it is set."""
    async with stage() as s:
        await s.object().set_alarm(at(-60))
        await s.clock.advance(0)
        assert s.seconds == [0]


@shows(INFO)
async def test_the_handler_is_told_which_alarm_it_runs_for() -> None:
    """The time it was set for, though the clock may have gone on; no retry."""
    async with stage() as s:
        await s.object().set_alarm(at(10))
        await s.clock.advance(10)
        (info,) = s.infos
        assert (info.scheduled_time, info.retry_count, info.is_retry) == (at(10), 0, False)


@mistake(27)
@shows(HIDDEN)
async def test_mistake_27_get_alarm_is_none_while_the_handler_runs() -> None:
    """For the handler and for every other caller, and after it."""
    seen: list[int | None] = []
    go_on = anyio.Event()
    async with stage() as s:

        @script
        async def alarm(actor: Alarmed, info: AlarmInfo) -> None:
            seen.append(await actor.get_alarm())
            await go_on.wait()
            seen.append(await actor.get_alarm())

        await s.object().set_alarm(at(1))
        await s.clock.advance(1)
        assert await s.object().get_alarm() is None
        go_on.set()
        await s.clock.advance(0)
        assert seen == [None, None]
        assert await s.object().get_alarm() is None


@shows(AGAIN)
async def test_a_handler_sets_the_next_alarm() -> None:
    """An object that ticks: each run is a first run of a new alarm."""
    async with stage() as s:

        @script
        async def alarm(actor: Alarmed, info: AlarmInfo) -> None:
            s.note(info)
            await actor.set_alarm(info.scheduled_time + 10_000)

        await s.object().set_alarm(at(10))
        await s.clock.advance(45)
        assert s.seconds == [10, 20, 30, 40]
        assert {info.retry_count for info in s.infos} == {0}
        assert await s.object().get_alarm() == at(50)


@shows(AGAIN)
async def test_a_handler_may_set_an_alarm_for_now() -> None:
    """The run is followed by another at the same moment, though the time is the same."""
    async with stage() as s:

        @script
        async def alarm(actor: Alarmed, info: AlarmInfo) -> None:
            s.note(info)
            if len(s.seconds) < 3:
                await actor.set_alarm(info.scheduled_time)

        await s.object().set_alarm(at(10))
        await s.clock.advance(10)
        assert s.seconds == [10, 10, 10]
        assert await s.object().get_alarm() is None


@mistake(31)
@shows(MEANWHILE)
async def test_mistake_31_an_alarm_set_during_a_run_is_kept() -> None:
    """By another call; of several only the latest, and it is seen at once."""
    go_on = anyio.Event()
    async with stage() as s:

        @script
        async def alarm(actor: Alarmed, info: AlarmInfo) -> None:
            s.note(info)
            if len(s.seconds) == 1:
                await go_on.wait()

        await s.object().set_alarm(at(10))
        await s.clock.advance(10)
        await s.object().set_alarm(at(60))
        await s.object().set_alarm(at(30))
        assert await s.object().get_alarm() == at(30)
        go_on.set()
        await s.clock.advance(100)
        assert s.seconds == [10, 30]


@mistake(31)
@shows(ONE, MEANWHILE)
async def test_mistake_31_two_runs_of_one_object_never_overlap() -> None:
    """An alarm that is due during a run waits for its end, however long."""
    running = 0
    go_on = anyio.Event()
    async with stage() as s:

        @script
        async def alarm(actor: Alarmed, info: AlarmInfo) -> None:
            nonlocal running
            s.note(info)
            running += 1
            assert running == 1
            if len(s.seconds) == 1:
                await go_on.wait()
            running -= 1

        await s.object().set_alarm(at(10))
        await s.clock.advance(10)
        await s.object().set_alarm(at(20))
        await s.clock.advance(50)
        assert s.seconds == [10]
        go_on.set()
        await s.clock.advance(0)
        assert s.seconds == [10, 60]
        assert s.infos[1].scheduled_time == at(20)


@shows(NOT_EXCLUSIVE)
async def test_calls_are_served_while_a_handler_waits() -> None:
    """An alarm holds the object no longer than any other handler does."""
    go_on = anyio.Event()
    async with stage() as s:

        @script
        async def alarm(actor: Alarmed, info: AlarmInfo) -> None:
            await go_on.wait()
            s.note(info)

        await s.object().set_alarm(at(1))
        await s.clock.advance(1)
        await s.object().put("k", "written during the alarm")
        assert s.seconds == []
        go_on.set()
        await s.clock.advance(0)
        assert s.seconds == [1]
        assert await s.object().get("k") == "written during the alarm"


@shows(NOT_EXCLUSIVE)
async def test_an_alarm_waits_for_a_critical_section() -> None:
    """It comes through the input gate like everything else."""
    go_on = anyio.Event()

    @script
    async def block(actor: Alarmed) -> None:
        await actor.ctx.block_concurrency_while(go_on.wait)

    async with stage() as s:
        await s.object().set_alarm(at(1))
        async with anyio.create_task_group() as group:
            group.start_soon(s.object().run, "block")
            await s.clock.advance(2)
            assert s.seconds == []
            go_on.set()
        await s.clock.advance(0)
        assert s.seconds == [2]


@shows(DELETED)
async def test_delete_alarm_does_not_stop_a_handler_that_runs() -> None:
    """It goes on to its end, once."""
    go_on = anyio.Event()
    async with stage() as s:

        @script
        async def alarm(actor: Alarmed, info: AlarmInfo) -> None:
            await actor.delete_alarm()
            await go_on.wait()
            s.note(info)

        await s.object().set_alarm(at(1))
        await s.clock.advance(1)
        await s.object().delete_alarm()
        go_on.set()
        await s.clock.advance(100)
        assert s.seconds == [1]


@pytest.mark.parametrize("inside", [True, False], ids=["in the handler", "by a call"])
@shows(DELETED)
async def test_delete_alarm_takes_back_what_was_set_during_a_run(inside: bool) -> None:
    """Set and deleted, it leaves one run."""
    go_on = anyio.Event()
    async with stage() as s:

        @script
        async def alarm(actor: Alarmed, info: AlarmInfo) -> None:
            s.note(info)
            await actor.set_alarm(at(20))
            if inside:
                await actor.delete_alarm()
            await go_on.wait()

        await s.object().set_alarm(at(10))
        await s.clock.advance(10)
        if not inside:
            await s.object().delete_alarm()
        go_on.set()
        await s.clock.advance(100)
        assert s.seconds == [10]


@shows(SAME)
async def test_the_same_time_set_twice_is_one_run() -> None:
    """In one call or in two, by an instance or by the next."""
    async with stage() as s:
        await s.object().set_alarm(at(10))
        await s.object().set_alarm(at(10))
        await s.host.evict(s.object())
        await s.object().set_alarm(at(10))
        await s.clock.advance(100)
        assert s.seconds == [10]


@shows(STARTS)
async def test_an_alarm_starts_an_object_that_left_memory() -> None:
    """Constructor first, with what it blocks for; then the handler."""
    order: list[str] = []

    async def load() -> None:
        order.append("load begins")
        await anyio.lowlevel.checkpoint()
        order.append("load ends")

    async with stage() as s:

        @script
        def alarm(actor: Alarmed, info: AlarmInfo) -> None:
            order.append("alarm")

        @script
        def construct(actor: Alarmed) -> None:
            order.append("constructor")
            actor.ctx.block_concurrency_while(load)

        await s.object().set_alarm(at(60))
        await s.clock.advance(30)
        assert s.host.statistics().activations == 0
        order.clear()
        await s.clock.advance(30)
        assert order == ["constructor", "load begins", "load ends", "alarm"]


@shows(ORDER)
async def test_alarms_of_many_objects_run_each_at_its_time() -> None:
    """Set in any order, each runs once; those of one moment all run then."""
    names: list[str | None] = []
    async with stage() as s:

        @script
        def alarm(actor: Alarmed, info: AlarmInfo) -> None:
            s.note(info)
            names.append(actor.ctx.id.name)

        for seconds in (30, 10, 20, 40, 20):
            await s.object(f"{seconds}.{len(names)}").set_alarm(at(seconds))
        await s.object("20 too").set_alarm(at(20))
        await s.clock.advance(100)
        assert s.seconds == [10, 20, 20, 30, 40]
        assert names[0] == "10.0"
        assert set(names[1:3]) == {"20.0", "20 too"}


@shows(NO_HANDLER)
async def test_an_alarm_without_a_handler_is_dropped_with_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is not tried again."""
    async with stage() as s:
        stub = s.host.env.MUTE.get_by_name("early")
        assert await stub.get_alarm() == at(1)
        await s.clock.advance(1)
        assert "run a scheduled alarm without a handler" in caplog.text
        caplog.clear()
        # Still in memory, so the constructor has not set the next one.
        assert await stub.get_alarm() is None
        await s.clock.advance(5)
        assert caplog.text == ""


@mistake(31)
@shows(NAME)
async def test_mistake_31_the_name_is_there_in_the_alarm() -> None:
    """In the handler, and in the constructor that runs before it, after the object left memory."""
    names: list[str | None] = []
    async with stage() as s:

        @script
        def alarm(actor: Alarmed, info: AlarmInfo) -> None:
            names.append(actor.ctx.id.name)

        @script
        def construct(actor: Alarmed) -> None:
            names.append(actor.ctx.id.name)

        await s.object("größe").set_alarm(at(60))
        names.clear()
        await s.clock.advance(60)
        assert names == ["größe", "größe"]


@shows(NAME)
async def test_the_name_outlives_an_alarm_set_by_a_nameless_instance() -> None:
    """Reached by its id alone, the object has no name, but what is stored of it keeps one."""
    names: list[str | None] = []
    async with stage() as s:

        @script
        def alarm(actor: Alarmed, info: AlarmInfo) -> None:
            names.append(actor.ctx.id.name)

        await s.object("ann").set_alarm(at(60))
        await s.host.evict(s.object("ann"))
        space = s.host.env.OBJECT
        nameless = space.get(space.id_from_string(str(space.id_from_name("ann"))))
        await nameless.set_alarm(at(90))
        await s.host.evict(nameless)
        await s.clock.advance(90)
        assert names == ["ann"]


@shows(NAME)
async def test_a_unique_object_has_an_alarm_and_no_name() -> None:
    """Its id is what it was."""
    ids: list[tuple[str, Any]] = []
    async with stage() as s:

        @script
        def alarm(actor: Alarmed, info: AlarmInfo) -> None:
            ids.append((str(actor.ctx.id), actor.ctx.id.name))

        unique = s.host.env.OBJECT.new_unique_id()
        await s.host.env.OBJECT.get(unique).set_alarm(at(60))
        await s.clock.advance(60)
        assert ids == [(str(unique), None)]


@mistake(30)
@shows(COMMIT)
async def test_mistake_30_a_handler_whose_commit_fails_keeps_its_alarm() -> None:
    """The deletion is in the commit of what the handler wrote: both, or neither and a retry."""
    disk = Disk()
    async with stage(wrap_commit=disk.wrap) as s:

        @script
        async def alarm(actor: Alarmed, info: AlarmInfo) -> None:
            s.note(info)
            await actor.put("runs", len(s.seconds))

        await s.object().set_alarm(at(10))
        disk.failing = True
        await s.clock.advance(10)
        disk.failing = False
        assert await s.object().get_alarm() == at(10)
        assert await s.object().get("runs") is None
        await s.clock.advance(3)
        assert await s.object().get_alarm() is None
        assert await s.object().get("runs") == 2


@shows(COMMIT, ONE)
async def test_a_run_has_ended_when_its_writes_are_on_disk() -> None:
    """The alarm that follows does not begin before."""
    disk = Disk()
    async with stage(wrap_commit=disk.wrap) as s:

        @script
        async def alarm(actor: Alarmed, info: AlarmInfo) -> None:
            s.note(info)
            if len(s.seconds) == 1:
                await actor.set_alarm(START_MS)

        await s.object().set_alarm(at(60))
        disk.hold()
        async with anyio.create_task_group() as group:
            group.start_soon(s.clock.advance, 60)
            await disk.reached()
            await anyio.wait_all_tasks_blocked()
            assert s.seconds == [60]
            assert s.host.statistics().alarms_running == 1
            disk.release()
        assert s.seconds == [60, 60]


@shows(RUN_NOW)
async def test_due_alarms_can_be_run_and_awaited() -> None:
    """It returns how many it started, when their handlers have ended."""
    async with stage() as s:

        @script
        async def alarm(actor: Alarmed, info: AlarmInfo) -> None:
            s.note(info)
            if not info.is_retry:
                raise ValueError("the first run fails")

        assert await s.host.run_due_alarms() == 0
        await s.object().set_alarm(at(5))
        await s.clock.advance(5)
        assert await s.host.run_due_alarms() == 1
        assert s.seconds == [5, 5]
        assert await s.object().get_alarm() is None
