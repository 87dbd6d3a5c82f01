"""The wall clock is set, an hour ahead or back: alarms follow it, and nothing else does."""

from __future__ import annotations

import pytest

from roomhost.runtime import Clock, limits
from roomhost.runtime.clock import SystemClock
from roomhost.runtime.failed_keys import FailedKeys
from roomhost.runtime.testing import ManualClock, host_for

from ..helpers.actors import Clockwork, app, objects, within
from .test_alarms import Runs, begun, set_in
from .test_failed_keys import STRANGER, guess, scope
from .test_watchdog import Fakes

pytestmark = pytest.mark.anyio

HOUR = 3_600.0


@pytest.fixture
def clock() -> ManualClock:
    """A clock moved by hand."""
    return ManualClock()


@pytest.fixture
def runs(clock: ManualClock) -> Runs:
    """The runs of alarms."""
    return Runs(clock)


async def test_an_alarm_comes_when_the_wall_clock_says_so(clock: ManualClock, runs: Runs) -> None:
    """At once after a step that passes its time; and never before it, after a step back."""
    async with host_for(app, clock=clock) as host:
        await set_in(host, HOUR)
        await clock.step(HOUR + 1)
        await begun(runs)
        assert runs.at == [HOUR + 1]
        await set_in(host, 10)
        await clock.step(-HOUR)
        await clock.advance(HOUR)
        assert len(runs.at) == 1
        await clock.advance(10)
        await begun(runs, 2)


@pytest.mark.parametrize("step", [HOUR, -HOUR])
async def test_a_retry_waits_its_seconds(clock: ManualClock, runs: Runs, step: float) -> None:
    """Two, and a quarter at most, whatever the wall clock shows then."""

    def fail(actor: Clockwork, info: object) -> None:
        runs.note(actor, info)  # type: ignore[arg-type]
        if len(runs.at) == 1:
            raise ValueError

    async with host_for(app, clock=clock) as host:
        Clockwork.handler = fail
        await set_in(host, 1)
        await clock.advance(1)
        await begun(runs)
        await clock.step(step)
        await clock.advance(1.9)
        assert len(runs.at) == 1
        if step > 0:
            await clock.advance(0.7)
            await begun(runs, 2)


@pytest.mark.parametrize("step", [HOUR, -HOUR])
async def test_an_idle_instance_is_evicted_after_its_time(clock: ManualClock, step: float) -> None:
    """Neither at the step nor an hour late."""
    async with host_for(app, clock=clock) as host:
        await within(objects(host, "a"), lambda actor: None)
        await clock.step(step)
        await clock.advance(9.9)
        assert host.engine.resident_count == 1
        await clock.advance(0.1)
        assert host.engine.resident_count == 0


@pytest.mark.parametrize("step", [HOUR, -HOUR])
async def test_a_guesser_waits_a_minute(clock: ManualClock, step: float) -> None:
    """Not less by a step forward, nor more by one back."""
    failed = FailedKeys(clock, [])
    guess(failed, STRANGER)
    await clock.step(step)
    assert failed.is_blocked(scope(STRANGER))
    await clock.advance(limits.FAILED_KEY_SECONDS)
    assert not failed.is_blocked(scope(STRANGER))


def test_a_process_that_was_stopped_does_not_blame_the_disk() -> None:
    """However long it slept between two looks: it counts looks, each a second after the last."""
    fakes = Fakes()
    fakes.submit()
    fakes.pass_seconds(20)
    fakes.sleep(HOUR)
    fakes.pass_seconds(8)
    assert fakes.stuck == 0
    fakes.pass_seconds(2)
    assert fakes.stuck == 1


async def test_monotonic_time_passes_with_the_machine() -> None:
    """It never sleeps less than it should."""
    clock = SystemClock()
    due = clock.monotonic_ms() + 20
    await clock.sleep_until_monotonic(due)
    assert clock.monotonic_ms() >= due
    await clock.sleep(0.01)
    assert clock.monotonic_ms() >= due + 10


async def test_a_clock_of_ones_own_has_one_time() -> None:
    """Who makes a clock need not know of two."""

    class Still(Clock):
        def now_ms(self) -> int:
            return 5

        async def sleep_until(self, when_ms: int) -> None:
            assert when_ms == 1_005

    assert Still().monotonic_ms() == 5
    await Still().sleep(1)
