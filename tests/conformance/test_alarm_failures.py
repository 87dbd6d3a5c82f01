"""Alarms: which failures count.

semantics.md 6.3: an abort, the time limit, the user's errors and the disk's.
"""

from __future__ import annotations

import anyio
import pytest

from roomhost.runtime import AlarmInfo, DurableObjectError, OverloadedError, StorageError

from ..helpers.disk import Disk
from ..helpers.scripted import script
from .alarms import SEVEN_RUNS, Alarmed, at, stage
from .feature import Feature, shows

pytestmark = pytest.mark.anyio

ABORT = Feature("ctx.abort in an alarm: a failed run", "3.4, 6.3")
NO_RETRY = Feature("ctx.abort(reason, {retryAlarm: false})", "3.4, 6.3")
LIMIT = Feature("alarm: 15 minutes", "6.3")
COUNTED = Feature("alarm: which failures count", "6.3, 9.2")
UNCOUNTED = Feature("alarm: failures of the storage do not count", "6.3, 9.2")
NEWER = Feature("alarm: abandoning it leaves a newer one", "6.3")
BACK_OFF = Feature("alarm: back-off of each kind of failure", "6.3")


@shows(ABORT, COUNTED)
async def test_an_abort_in_the_handler_is_a_failed_run() -> None:
    """Retried by a new instance; what the run wrote in that turn is not there."""
    instances: set[Alarmed] = set()
    async with stage() as s:

        @script
        async def alarm(actor: Alarmed, info: AlarmInfo) -> None:
            s.note(info)
            instances.add(actor)
            if not info.is_retry:
                await actor.put("k", "lost")
                actor.ctx.abort("give me a new start")

        await s.object().set_alarm(at(0))
        await s.clock.advance(3)
        assert [info.retry_count for info in s.infos] == [0, 1]
        assert len(instances) == 2
        assert await s.object().get("k") is None


@shows(ABORT)
async def test_an_abort_by_another_call_is_a_failed_run() -> None:
    """The handler goes no further and is retried."""

    @script
    def abort(actor: Alarmed) -> None:
        actor.ctx.abort("by a call")

    async with stage() as s:

        @script
        async def alarm(actor: Alarmed, info: AlarmInfo) -> None:
            s.note(info)
            if not info.is_retry:
                await anyio.sleep_forever()

        await s.object().set_alarm(at(0))
        await s.clock.advance(0)
        with pytest.raises(DurableObjectError, match="by a call"):
            await s.object().run("abort")
        await s.clock.advance(3)
        assert [info.retry_count for info in s.infos] == [0, 1]
        assert await s.object().get_alarm() is None


@shows(NO_RETRY)
async def test_an_abort_can_abandon_the_alarm() -> None:
    """It is not retried, and it is gone."""
    async with stage() as s:

        @script
        def alarm(actor: Alarmed, info: AlarmInfo) -> None:
            s.note(info)
            actor.ctx.abort("never again", retry_alarm=False)

        await s.object().set_alarm(at(0))
        await s.clock.advance(0)
        assert await s.object().get_alarm() is None
        await s.clock.advance(3_600)
        assert s.seconds == [0]


@shows(NO_RETRY)
async def test_an_alarm_that_another_object_abandons_is_not_ours() -> None:
    """The error of a call to an object that aborts so is an error like any other."""

    @script
    def abort(actor: Alarmed) -> None:
        actor.ctx.abort("not my alarm", retry_alarm=False)

    async with stage() as s:

        @script
        async def alarm(actor: Alarmed, info: AlarmInfo) -> None:
            s.note(info)
            if not info.is_retry:
                await actor.env.OBJECT.get_by_name("b").run("abort")

        await s.object().set_alarm(at(0))
        await s.clock.advance(3)
        assert [info.retry_count for info in s.infos] == [0, 1]


@pytest.mark.parametrize("inside", [True, False], ids=["in the handler", "by a call"])
@shows(NO_RETRY, NEWER)
async def test_an_abandoned_alarm_leaves_a_newer_one(inside: bool) -> None:
    """Set during the run and durable, it runs at its time."""
    go_on = anyio.Event()
    async with stage() as s:

        @script
        async def alarm(actor: Alarmed, info: AlarmInfo) -> None:
            s.note(info)
            if info.scheduled_time == at(0):
                if inside:
                    await actor.set_alarm(at(60))
                    await actor.ctx.storage.sync()
                await go_on.wait()
                actor.ctx.abort("not this one", retry_alarm=False)

        await s.object().set_alarm(at(0))
        await s.clock.advance(0)
        if not inside:
            await s.object().set_alarm(at(60))
        go_on.set()
        await s.clock.advance(0)
        assert await s.object().get_alarm() == at(60)
        await s.clock.advance(60)
        assert s.infos[1:] == [AlarmInfo(at(60), 0, is_retry=False)]


@shows(LIMIT, COUNTED)
async def test_a_run_has_fifteen_minutes() -> None:
    """Then the object is reset, callers in flight are told why, and the run counts as failed."""
    async with stage() as s:

        @script
        async def alarm(actor: Alarmed, info: AlarmInfo) -> None:
            s.note(info)
            if not info.is_retry:
                await anyio.sleep_forever()

        @script
        async def wait(actor: Alarmed) -> None:
            await anyio.sleep_forever()

        await s.object().set_alarm(at(0))
        await s.clock.advance(899)
        async with anyio.create_task_group() as group:

            async def call() -> None:
                with pytest.raises(DurableObjectError, match="allowed execution time") as error:
                    await s.object().run("wait")
                assert error.value.durable_object_reset

            group.start_soon(call)
            await s.clock.advance(1)
        await s.clock.advance(3)
        assert [info.retry_count for info in s.infos] == [0, 1]


@shows(COUNTED)
async def test_an_error_in_a_critical_section_of_the_handler_counts() -> None:
    """It resets the object each time, and after seven runs the alarm is given up."""
    async with stage() as s:

        @script
        async def alarm(actor: Alarmed, info: AlarmInfo) -> None:
            s.note(info)

            async def fail() -> None:
                raise ValueError("inside")

            await actor.ctx.block_concurrency_while(fail)

        await s.object().set_alarm(at(0))
        await s.clock.advance(SEVEN_RUNS * 1.25)
        assert [info.retry_count for info in s.infos] == [0, 1, 2, 3, 4, 5, 6]
        assert await s.object().get_alarm() is None


@shows(COUNTED)
async def test_a_constructor_that_raises_is_a_failed_run() -> None:
    """The handler was not reached, but the code is the user's."""
    starts = 0
    async with stage() as s:
        await s.object().set_alarm(at(60))
        await s.host.evict(s.object())

        @script
        def construct(actor: Alarmed) -> None:
            nonlocal starts
            starts += 1
            if starts <= 2:
                raise ValueError("not yet")

        await s.clock.advance(100)
        assert starts == 3
        assert s.infos == [AlarmInfo(at(60), 2, is_retry=True)]


@pytest.mark.parametrize("flag", ["retryable", "overloaded", "storage", "class"])
@shows(COUNTED)
async def test_an_error_that_the_handler_raises_counts_whatever_it_is(flag: str) -> None:
    """With the gates intact the failure is the handler's own: that of a call it made, say."""
    async with stage() as s:

        @script
        def alarm(actor: Alarmed, info: AlarmInfo) -> None:
            s.note(info)
            if flag == "storage":
                raise StorageError("of some other object")
            if flag == "class":
                raise OverloadedError("somebody else")
            error = DurableObjectError("of another object")
            setattr(error, flag, True)
            raise error

        await s.object().set_alarm(at(0))
        await s.clock.advance(SEVEN_RUNS * 1.25)
        assert [info.retry_count for info in s.infos] == [0, 1, 2, 3, 4, 5, 6]
        assert await s.object().get_alarm() is None


@shows(UNCOUNTED)
async def test_a_broken_disk_does_not_count() -> None:
    """More than seven runs, each a retry with count 0, further and further apart, to 1,024 s."""
    disk = Disk()
    async with stage(wrap_commit=disk.wrap) as s:

        @script
        async def alarm(actor: Alarmed, info: AlarmInfo) -> None:
            s.note(info)
            await actor.put("runs", len(s.seconds))

        await s.object().set_alarm(at(0))
        disk.failing = True
        await s.clock.advance(2**12)
        assert len(s.seconds) > 10
        assert {info.retry_count for info in s.infos} == {0}
        assert [info.is_retry for info in s.infos[:3]] == [False, True, True]
        delays = [later - earlier for earlier, later in zip(s.seconds, s.seconds[1:], strict=False)]
        for number, delay in enumerate(delays):
            base = 2 ** min(number + 1, 10)
            assert base <= delay <= base * 1.25
        assert await s.object().get_alarm() == at(0)
        disk.failing = False
        await s.clock.advance(1_280)
        assert await s.object().get_alarm() is None
        assert await s.object().get("runs") == len(s.seconds)


@shows(UNCOUNTED, BACK_OFF)
async def test_the_back_off_begins_anew_when_the_kind_of_failure_changes() -> None:
    """Three runs fail for the disk, then two for the handler: 2, 4, 8, then 2 and 4 seconds."""
    disk = Disk()
    async with stage(wrap_commit=disk.wrap) as s:

        @script
        async def alarm(actor: Alarmed, info: AlarmInfo) -> None:
            s.note(info)
            disk.failing = len(s.seconds) <= 3
            await actor.put("k", len(s.seconds))
            if not disk.failing and len(s.seconds) <= 5:
                raise ValueError

        await s.object().set_alarm(at(0))
        await s.clock.advance(60)
        delays = [later - earlier for earlier, later in zip(s.seconds, s.seconds[1:], strict=False)]
        for delay, base in zip(delays, (2, 4, 8, 2, 4), strict=True):
            assert base <= delay <= base * 1.25
        assert [info.retry_count for info in s.infos] == [0, 0, 0, 0, 1, 2]
