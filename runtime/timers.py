"""Everything in the host that happens at a time: two sleeping tasks, however many timers.

What is due at a moment that people speak of waits by the wall clock, which can be set; what is due in
so many seconds waits by time that only passes (`clock`).
"""

from __future__ import annotations

import heapq
import itertools
from typing import TYPE_CHECKING

import anyio
from anyio import CancelScope

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .backend import Backend, Waiter
    from .clock import Clock


COMPACT_AT_TIMERS = 1_024  # with fewer, cancelled ones just stay until their time


class Timer:
    """One call in the future. `cancel()` as often as you like, also after it was called."""

    __slots__ = ("_callback", "when_ms")

    def __init__(self, when_ms: int, callback: Callable[[], object]) -> None:
        self.when_ms = when_ms
        self._callback: Callable[[], object] | None = callback

    def cancel(self) -> None:
        """Do not call it."""
        self._callback = None

    @property
    def cancelled(self) -> bool:
        """Whether it will not be called (any more)."""
        return self._callback is None

    def fire(self) -> None:
        """Call it, unless it was cancelled; at most once."""
        callback, self._callback = self._callback, None
        if callback is not None:
            callback()


class Timers:
    """The timers of one host, on its clock. Callbacks are short and do not raise."""

    def __init__(self, clock: Clock, backend: Backend) -> None:
        self._clock = clock
        self._of_wall = TimerQueue(clock.now_ms, clock.sleep_until, backend)
        self._passing = TimerQueue(clock.monotonic_ms, clock.sleep_until_monotonic, backend)

    def at(self, when_ms: int, callback: Callable[[], object]) -> Timer:
        """Call `callback()` once the wall clock shows `when_ms`, never before."""
        timer = Timer(when_ms, callback)
        self._of_wall.add(timer)
        return timer

    def after(self, seconds: float, callback: Callable[[], object]) -> Timer:
        """Call `callback()` in `seconds` from now, however the wall clock is set meanwhile."""
        timer = Timer(self._clock.monotonic_ms() + round(seconds * 1000), callback)
        self._passing.add(timer)
        return timer

    def add(self, timer: Timer) -> None:
        """Fire a timer of the caller's own making at its `when_ms`, of monotonic time; it may be added
        again then."""
        self._passing.add(timer)

    async def run(self) -> None:
        """Fire timers until cancelled."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._of_wall.run)
            await self._passing.run()


class TimerQueue:
    """Timers by one time: `now_ms()`, until which `sleep_until(when_ms)` sleeps."""

    def __init__(
        self,
        now_ms: Callable[[], int],
        sleep_until: Callable[[int], Awaitable[None]],
        backend: Backend,
    ) -> None:
        self._now_ms = now_ms
        self._sleep_until = sleep_until
        self._new_waiter = backend.waiter
        self._heap: list[tuple[int, int, Timer]] = []
        self._order = itertools.count()
        self._sleep: CancelScope | None = None
        self._sleeping_until = 0
        self._waiter: Waiter | None = None
        self._compact_at = COMPACT_AT_TIMERS

    def add(self, timer: Timer) -> None:
        """Fire it at its `when_ms`, never before."""
        when_ms = timer.when_ms
        if len(self._heap) >= self._compact_at:
            self._compact()
        heapq.heappush(self._heap, (when_ms, next(self._order), timer))
        if self._sleep is not None and when_ms < self._sleeping_until:
            self._sleep.cancel()
        elif self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def run(self) -> None:
        """Fire timers until cancelled: one sleeping task."""
        while True:
            self._fire_due()
            if not self._heap:
                self._waiter = self._new_waiter()
                await self._waiter
                continue

            with CancelScope() as self._sleep:
                self._sleeping_until = self._heap[0][0]
                await self._sleep_until(self._sleeping_until)
            self._sleep = None

    def _fire_due(self) -> None:
        now_ms = self._now_ms()
        while self._heap and self._heap[0][0] <= now_ms:
            heapq.heappop(self._heap)[2].fire()

    def _compact(self) -> None:
        """Forget cancelled timers: most time-outs are cancelled long before their time."""
        self._heap = [entry for entry in self._heap if not entry[2].cancelled]
        heapq.heapify(self._heap)
        self._compact_at = max(COMPACT_AT_TIMERS, 2 * len(self._heap))
