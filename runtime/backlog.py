"""What waits for one object, and how much of it may: number, size and age (semantics.md 3.6).

Only calls and messages are refused. What an object must learn whatever happens (an alarm, the close
of a socket) waits without a limit; there is one of each for every alarm and socket.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from .errors import OverloadedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from .events import Event
    from .settings import HostSettings
    from .timers import Timers


class Backlog:
    """The events of one object that were delivered and have not begun.

    `take` each when it is delivered, `leave` when it is about to begin or has failed, and `hold` it
    when it cannot begin at once.
    """

    __slots__ = ("_bytes", "_held", "_settings", "_timers")

    def __init__(self, settings: HostSettings, timers: Timers) -> None:
        self._settings = settings
        self._timers = timers
        self._bytes = 0
        self._held = 0  # at the gate, so no longer in the queue

    @property
    def held(self) -> int:
        """How many wait at the gate, so no longer in the queue."""
        return self._held

    def take(self, event: Event, queued: int) -> OverloadedError | None:
        """Count an event in, `queued` others being in the queue; or the error that refuses it."""
        settings = self._settings
        if queued + self._held >= settings.max_queued_events:
            return OverloadedError("Durable Object is overloaded. Too many requests queued.")

        if event.size:
            # A single one of any size may wait: its own limit is another one.
            if self._bytes and self._bytes + event.size > settings.max_queued_bytes:
                return OverloadedError("Durable Object is overloaded. Too much data queued.")
            self._bytes += event.size
        return None

    def hold(self, event: Event, give_up: Callable[[Event], object]) -> None:
        """The event has to wait: when it does so for too long, `give_up(event)` and fail it."""
        if event.refusable:
            expire = partial(self._expire, event, give_up)
            event.overdue = self._timers.after(self._settings.max_queued_seconds, expire)

    def at_gate(self, event: Event, change: int) -> None:
        """An event that was taken waits at the gate (1), or does so no longer (-1)."""
        if event.refusable:
            self._held += change

    def leave(self, event: Event) -> None:
        """The event waits no longer."""
        self._bytes -= event.size
        event.size = 0
        if event.overdue is not None:
            event.overdue.cancel()
            event.overdue = None

    def _expire(self, event: Event, give_up: Callable[[Event], object]) -> None:
        give_up(event)
        self.leave(event)
        event.fail(waited_too_long())


def waited_too_long() -> OverloadedError:
    """The error of an event that could not begin in time."""
    return OverloadedError("Durable Object is overloaded. Requests queued for too long.")
