"""Time as a parameter: what the host asks for the time and for sleep.

There are two times. Wall time is what people and stored data speak of: alarms, tokens, when a member
was seen. Somebody may set it, so it can leap. Monotonic time only ever passes: whatever waits "for so
long" waits by it, and a step of the wall clock neither ends such a wait nor makes it longer.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import anyio

from . import limits

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class Clock(ABC):
    """The time of one host, in milliseconds.

    Everything that waits in the host waits through its clock: alarms, retries, idle eviction and
    time-outs. Pass `roomhost.runtime.testing.ManualClock` to move all of them by hand. A clock of
    your own has the first two methods; its wall time is then its monotonic time too.
    """

    @abstractmethod
    def now_ms(self) -> int:
        """The current time, in whole milliseconds since the epoch."""

    @abstractmethod
    async def sleep_until(self, when_ms: int) -> None:
        """Return once `now_ms() >= when_ms`, never before; at once when that is so already."""

    def monotonic_ms(self) -> int:
        """How much time has passed since some moment, in whole milliseconds: never less than before,
        however the wall clock is set."""
        return self.now_ms()

    async def sleep_until_monotonic(self, when_ms: int) -> None:
        """Return once `monotonic_ms() >= when_ms`, never before; at once when that is so already."""
        await self.sleep_until(when_ms)

    async def sleep(self, seconds: float) -> None:
        """Return once so many seconds have passed."""
        await self.sleep_until_monotonic(self.monotonic_ms() + round(seconds * 1000))

    def attach(self, settle: Callable[[], Awaitable[None]]) -> None:  # noqa: B027
        """A host starts to use this clock; `settle` returns when the host has nothing left to run.

        A clock that moves by itself has no use for it.
        """

    def detach(self, settle: Callable[[], Awaitable[None]]) -> None:  # noqa: B027
        """The host of `settle` has stopped."""


class SystemClock(Clock):
    """The machine's wall clock. A step of it, forward or back, is noticed within a second."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    async def sleep_until(self, when_ms: int) -> None:
        while (left_ms := when_ms - self.now_ms()) > 0:
            # Slices, because the wall clock may be set while we sleep on the monotonic one.
            await anyio.sleep(min(left_ms / 1000, limits.CLOCK_SLICE_SECONDS))

    def monotonic_ms(self) -> int:
        return time.monotonic_ns() // 1_000_000

    async def sleep_until_monotonic(self, when_ms: int) -> None:
        while (left_ms := when_ms - self.monotonic_ms()) > 0:
            await anyio.sleep(left_ms / 1000)
