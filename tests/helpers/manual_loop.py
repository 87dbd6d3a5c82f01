"""An event loop whose timers a test moves: what a protocol of the server is given as its loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any


class ManualTimer:
    """A timer that is due at a time of its loop."""

    def __init__(self, due: float, call: Callable[[], object]) -> None:
        self.due = due
        self.call = call
        self.cancelled = False

    def cancel(self) -> None:
        """It does not run any more."""
        self.cancelled = True


class ManualLoop:
    """The running loop, but for the time. `armed` is set whenever a timer is made."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._now = 1_000.0
        self._timers: list[ManualTimer] = []
        self.armed = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)

    @property
    def waiting(self) -> list[float]:
        """In how many seconds each timer is due."""
        return sorted(timer.due - self._now for timer in self._timers if not timer.cancelled)

    def time(self) -> float:
        """Now, seconds."""
        return self._now

    def call_later(self, delay: float, call: Callable[..., object], *rest: Any) -> ManualTimer:
        """Run `call` in `delay` seconds."""
        return self.call_at(self._now + delay, call, *rest)

    def call_at(self, when: float, call: Callable[..., object], *rest: Any) -> ManualTimer:
        """Run `call` then."""
        timer = ManualTimer(when, lambda: call(*rest))
        self._timers.append(timer)
        self.armed.set()
        return timer

    def advance(self, seconds: float) -> None:
        """Move the time, and run what is due, in its order."""
        until = self._now + seconds
        while due := [t for t in self._timers if not t.cancelled and t.due <= until]:
            timer = min(due, key=lambda timer: timer.due)
            self._timers.remove(timer)
            self._now = max(self._now, timer.due)
            timer.call()
        self._now = until
