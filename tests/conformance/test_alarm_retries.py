"""Alarms: failure and retry.

semantics.md 6.3: what counts as a failure, when the handler runs again, and when it is given up.
"""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from roomhost.runtime import AlarmInfo, DurableObjectError, OverloadedError, StorageError

from ..helpers.disk import Disk
from ..helpers.scripted import script
from .alarms import Alarmed, Stage, at, stage
from .feature import Feature, mistake, shows

pytestmark = pytest.mark.anyio

SEVEN = Feature("alarm: six retries, then it is dropped", "6.3")
BACK_OFF = Feature("alarm: retries and back-off", "6.3")
INFO = Feature("alarmInfo of a retry", "6.2, 6.3")
BETWEEN = Feature("getAlarm between retries: the original time", "6.3")
WRITES = Feature("alarm: writes of a failed run stay", "6.3")
LIVES = Feature("alarm: an exception does not reset the object", "3.3, 6.3")
REPLACED = Feature("setAlarm, deleteAlarm: instead of the retry", "6.3")
NEWER = Feature("alarm: giving up leaves a newer one", "6.3")
ABORT = Feature("ctx.abort in an alarm: a failed run", "3.4, 6.3")
NO_RETRY = Feature("ctx.abort(reason, {retryAlarm: false})", "3.4, 6.3")
LIMIT = Feature("alarm: 15 minutes", "6.3")
COUNTED = Feature("alarm: which failures count", "6.3, 9.2")
UNCOUNTED = Feature("alarm: failures of the storage do not count", "6.3, 9.2")

SEVEN_RUNS = 2 + 4 + 8 + 16 + 32 + 64


def failing(s: Stage, runs: int = 1_000) -> None:
    """The first `runs` runs of every alarm raise."""

    @script
    def alarm(actor: Alarmed, info: AlarmInfo) -> None:
        s.note(info)
        if len(s.seconds) <= runs:
            raise ValueError(f"run {len(s.seconds)} fails")


@mistake(28)
@shows(SEVEN)
async def test_mistake_28_a_failing_alarm_runs_seven_times() -> None:
    """One run and six retries; then there is no alarm, and nothing runs any more."""
    async with stage() as s:
        failing(s)
        await s.object().set_alarm(at(0))
        await s.clock.advance(SEVEN_RUNS * 1.25)
        assert [info.retry_count for info in s.infos] == [0, 1, 2, 3, 4, 5, 6]
        assert await s.object().get_alarm() is None
        await s.clock.advance(3_600)
        assert len(s.seconds) == 7


@mistake(28)
@shows(BACK_OFF)
async def test_mistake_28_the_delays_double_from_two_seconds_with_jitter() -> None:
    """2, 4, 8, 16, 32, 64 s, each with up to a quarter on top."""
    async with stage() as s:
        failing(s)
        await s.object().set_alarm(at(0))
        await s.clock.advance(SEVEN_RUNS * 1.25)
        delays = [later - earlier for earlier, later in zip(s.seconds, s.seconds[1:], strict=False)]
        for delay, base in zip(delays, (2, 4, 8, 16, 32, 64), strict=True):
            assert base <= delay <= base * 1.25


@mistake(28)
@shows(BACK_OFF)
async def test_mistake_28_the_jitter_differs_from_object_to_object() -> None:
    """So that alarms that failed together do not come back together."""
    async with stage() as s:
        failing(s, runs=20)
        async with anyio.create_task_group() as group:
            for number in range(20):
                group.start_soon(s.object(f"{number}").set_alarm, at(0))
        await s.clock.advance(2.5)
        assert len(s.seconds) == 40
        assert len(set(s.seconds[20:])) > 3


@mistake(28)
@shows(WRITES, LIVES)
async def test_mistake_28_what_a_failed_run_wrote_stays() -> None:
    """Seven failing increments count to seven; the instance lives through them."""
    instances: set[Alarmed] = set()
    async with stage() as s:

        @script
        async def alarm(actor: Alarmed, info: AlarmInfo) -> None:
            s.note(info)
            instances.add(actor)
            await actor.put("runs", (await actor.get("runs") or 0) + 1)
            raise ValueError("after the write")

        await s.object().set_alarm(at(0))
        for _ in range(7):
            await s.host.run_due_alarms()
        assert await s.object().get("runs") == len(s.seconds) == 7
        assert len(instances) == 1


@mistake(27)
@shows(BETWEEN, INFO)
async def test_mistake_27_between_retries_the_alarm_has_its_original_time() -> None:
    """Seen by a call, and told to each retry; in the handler it is hidden, in a retry too."""
    hidden: list[int | None] = []
    async with stage() as s:

        @script
        async def alarm(actor: Alarmed, info: AlarmInfo) -> None:
            s.note(info)
            hidden.append(await actor.get_alarm())
            raise ValueError

        await s.object().set_alarm(at(10))
        await s.clock.advance(10)
        assert await s.object().get_alarm() == at(10)
        await s.clock.advance(10)
        assert await s.object().get_alarm() == at(10)
        assert s.infos == [
            AlarmInfo(at(10), 0, is_retry=False),
            AlarmInfo(at(10), 1, is_retry=True),
            AlarmInfo(at(10), 2, is_retry=True),
        ]
        assert hidden == [None, None, None]


@shows(BACK_OFF)
async def test_a_retry_that_succeeds_is_the_last() -> None:
    """No alarm is left; the next one set is a first run again."""
    async with stage() as s:
        failing(s, runs=2)
        await s.object().set_alarm(at(0))
        await s.clock.advance(100)
        assert len(s.seconds) == 3
        assert await s.object().get_alarm() is None
        await s.object().set_alarm(at(200))
        await s.clock.advance(100)
        assert s.infos[3] == AlarmInfo(at(200), 0, is_retry=False)


@mistake(28)
@shows(BACK_OFF)
async def test_mistake_28_the_count_of_retries_is_not_in_the_object() -> None:
    """It goes on across evictions, and nothing of it is stored with the object."""

    @script
    async def entries(actor: Alarmed) -> dict[str, Any]:
        return await actor.ctx.storage.list()

    async with stage() as s:
        failing(s, runs=3)
        await s.object().set_alarm(at(0))
        for _ in range(3):
            await s.host.run_due_alarms()
            await s.host.evict(s.object())
        await s.host.run_due_alarms()
        assert [info.retry_count for info in s.infos] == [0, 1, 2, 3]
        assert await s.object().run("entries") == {}


@mistake(29)
@shows(REPLACED)
async def test_mistake_29_an_alarm_set_in_a_handler_that_raises_replaces_the_retry() -> None:
    """It runs at its own time, as a first run."""
    async with stage() as s:

        @script
        async def alarm(actor: Alarmed, info: AlarmInfo) -> None:
            s.note(info)
            if len(s.seconds) == 1:
                await actor.set_alarm(at(60))
                raise ValueError

        await s.object().set_alarm(at(10))
        await s.clock.advance(10)
        assert await s.object().get_alarm() == at(60)
        await s.clock.advance(100)
        assert s.seconds == [10, 60]
        assert s.infos[1] == AlarmInfo(at(60), 0, is_retry=False)


@mistake(29)
@shows(REPLACED)
async def test_mistake_29_delete_alarm_in_a_handler_that_raises_cancels_the_retry() -> None:
    """It failed, and that was its last run."""
    async with stage() as s:

        @script
        async def alarm(actor: Alarmed, info: AlarmInfo) -> None:
            s.note(info)
            await actor.delete_alarm()
            raise ValueError

        await s.object().set_alarm(at(10))
        await s.clock.advance(10)
        assert await s.object().get_alarm() is None
        await s.clock.advance(3_600)
        assert s.seconds == [10]


@shows(REPLACED)
async def test_a_call_between_retries_replaces_or_cancels_the_retry() -> None:
    """The new alarm waits for its time and counts from 0; a deleted one does not come back."""
    async with stage() as s:
        failing(s, runs=2)
        await s.object("moved").set_alarm(at(0))
        await s.object("deleted").set_alarm(at(0))
        await s.clock.advance(1)
        await s.object("moved").set_alarm(at(60))
        await s.object("deleted").delete_alarm()
        await s.clock.advance(3_600)
        assert s.seconds == [0, 0, 60]
        assert s.infos[2] == AlarmInfo(at(60), 0, is_retry=False)


@shows(NEWER)
async def test_giving_up_leaves_an_alarm_that_was_set_during_the_last_run() -> None:
    """Only the alarm it ran for is dropped."""
    go_on = anyio.Event()
    async with stage() as s:

        @script
        async def alarm(actor: Alarmed, info: AlarmInfo) -> None:
            s.note(info)
            if info.retry_count == 6:
                await go_on.wait()
            if info.scheduled_time == at(0):
                raise ValueError

        await s.object().set_alarm(at(0))
        await s.clock.advance(SEVEN_RUNS * 1.25)
        await s.object().set_alarm(at(500))
        go_on.set()
        await s.clock.advance(0)
        assert await s.object().get_alarm() == at(500)
        await s.clock.advance(500)
        assert s.infos[7] == AlarmInfo(at(500), 0, is_retry=False)


@shows(SEVEN)
async def test_giving_up_leaves_everything_else() -> None:
    """Entries stay, the object answers, another alarm can be set."""
    async with stage() as s:
        failing(s, runs=7)
        await s.object().put("k", "v")
        await s.object().set_alarm(at(0))
        await s.clock.advance(SEVEN_RUNS * 1.25)
        assert await s.object().get("k") == "v"
        await s.object().set_alarm(at(0))
        await s.clock.advance(0)
        assert s.infos[7].retry_count == 0


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
