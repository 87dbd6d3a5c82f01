"""Wall time as a parameter: what the host asks for the time and for sleep."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import anyio

from . import limits

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class Clock(ABC):
    """The time of one host, in milliseconds since the epoch.

    Everything that waits in the host waits through its clock: alarms, retries, idle eviction and
    time-outs. Pass `roomhost.runtime.testing.ManualClock` to move all of them by hand.
    """

    @abstractmethod
    def now_ms(self) -> int:
        """The current time, in whole milliseconds since the epoch."""

    @abstractmethod
    async def sleep_until(self, when_ms: int) -> None:
        """Return once `now_ms() >= when_ms`, never before; at once when that is so already."""

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
