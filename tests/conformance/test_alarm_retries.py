"""Alarms: failure and retry.

semantics.md 6.3: what counts as a failure, when the handler runs again, and when it is given up.
"""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from roomhost.runtime import AlarmInfo

from ..helpers.scripted import script
from .alarms import SEVEN_RUNS, Alarmed, Stage, at, stage
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
async def test_mistake_29_an_alarm_set_for_the_same_time_replaces_the_retry_too() -> None:
    """For now, by a handler that raises at the moment its alarm was due: no wait, no count."""
    async with stage() as s:

        @script
        async def alarm(actor: Alarmed, info: AlarmInfo) -> None:
            s.note(info)
            if len(s.seconds) < 3:
                await actor.set_alarm(s.clock.now_ms())
                raise ValueError

        await s.object().set_alarm(at(10))
        await s.clock.advance(10)
        assert s.infos == [AlarmInfo(at(10), 0, is_retry=False)] * 3
        assert await s.object().get_alarm() is None


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
