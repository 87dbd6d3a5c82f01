"""The wall clock of a run: the loop's virtual time, and steps of it."""

from __future__ import annotations

import asyncio
from random import Random

from roomhost.runtime.clock import Clock

START_MS = 1_700_000_000_000
ROUNDING_SECONDS = 0.000_001  # so that no sum of floats is early
NOTICED_SECONDS = 1.0  # a step is noticed within this, as the system's clock says


class SimulatedClock(Clock):
    """`steps_ms`: what all steps so far come to."""

    def __init__(self, loop: asyncio.AbstractEventLoop, rng: Random) -> None:
        self._loop = loop
        self._rng = rng
        self._sleepers: dict[asyncio.Future[None], None] = {}
        self.steps_ms = 0

    def now_ms(self) -> int:
        return START_MS + self.steps_ms + int(self._loop.time() * 1_000)

    async def sleep_until(self, when_ms: int) -> None:
        while (left_ms := when_ms - self.now_ms()) > 0:
            sleeper = self._loop.create_future()
            timer = self._loop.call_later(left_ms / 1_000, _wake, sleeper)
            self._sleepers[sleeper] = None
            try:
                await sleeper
            finally:
                timer.cancel()
                del self._sleepers[sleeper]

    def monotonic_ms(self) -> int:
        return int(self._loop.time() * 1_000)

    async def sleep_until_monotonic(self, when_ms: int) -> None:
        left_ms = when_ms - self.monotonic_ms()
        if left_ms > 0:
            await asyncio.sleep(left_ms / 1_000 + ROUNDING_SECONDS)

    def step(self, change_ms: int) -> None:
        """Somebody sets the clock; who sleeps notices within a second."""
        self.steps_ms += change_ms
        for sleeper in self._sleepers:
            self._loop.call_later(self._rng.random() * NOTICED_SECONDS, _wake, sleeper)


def _wake(sleeper: asyncio.Future[None]) -> None:
    if not sleeper.done():
        sleeper.set_result(None)
