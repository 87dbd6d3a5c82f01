"""The wall clock of a run: never early, and its steps are noticed."""

from __future__ import annotations

import asyncio
from random import Random

from .clock import NOTICED_SECONDS, START_MS, SimulatedClock
from .loop import SimulatedLoop
from .test_loop import run


def test_a_sleep_ends_at_its_time() -> None:
    """`now_ms` is that, or later: for any number of milliseconds, whatever they are as a float."""

    async def check(loop: SimulatedLoop) -> None:
        clock = SimulatedClock(loop, Random(1))
        assert clock.now_ms() == START_MS
        rng = Random(2)
        for _ in range(200):
            when = clock.now_ms() + rng.randint(0, 10_000)
            await clock.sleep_until(when)
            assert 0 <= clock.now_ms() - when <= 1

    run(check)


def test_a_step_forward_ends_a_sleep_soon() -> None:
    """Within a second, as with the system's clock."""

    async def check(loop: SimulatedLoop) -> None:
        clock = SimulatedClock(loop, Random(1))
        sleep = loop.create_task(clock.sleep_until(START_MS + 3_600_000))
        await asyncio.sleep(1)
        assert not sleep.done()
        clock.step(3_600_000)
        await sleep
        assert loop.time() <= 1 + NOTICED_SECONDS

    run(check)


def test_a_step_back_makes_a_sleep_longer() -> None:
    """It ends when the clock shows its time, not before."""

    async def check(loop: SimulatedLoop) -> None:
        clock = SimulatedClock(loop, Random(1))
        sleep = loop.create_task(clock.sleep_until(START_MS + 5_000))
        await asyncio.sleep(1)
        clock.step(-3_600_000)
        await sleep
        assert clock.now_ms() >= START_MS + 5_000
        assert loop.time() >= 3_605

    run(check)


def test_monotonic_time_knows_no_steps() -> None:
    """Who waits for so long waits that long, however the clock is set meanwhile."""

    async def check(loop: SimulatedLoop) -> None:
        clock = SimulatedClock(loop, Random(1))
        for change in (-3_600_000, 3_600_000):
            begun, wall = clock.monotonic_ms(), loop.time()
            sleep = loop.create_task(clock.sleep(5))
            await asyncio.sleep(1)
            clock.step(change)
            await sleep
            assert 5_000 <= clock.monotonic_ms() - begun <= 5_001
            assert 5 <= loop.time() - wall < 5.01

    run(check)


def test_a_cancelled_sleep_is_forgotten() -> None:
    """Nothing of it is left to be woken."""

    async def check(loop: SimulatedLoop) -> None:
        clock = SimulatedClock(loop, Random(1))
        sleep = loop.create_task(clock.sleep_until(START_MS + 5_000))
        await asyncio.sleep(1)
        sleep.cancel()
        await asyncio.wait([sleep])
        assert not clock._sleepers

    run(check)
