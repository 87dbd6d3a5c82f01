"""How long nothing has been in an activation, and who waits for that (semantics.md 3.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from .activation import Activation
    from .engine import Engine
    from .timers import Timer


class Idleness:
    """Evicts its activation once nothing was in it for the idle time.

    One timer for the whole time, not one for each event: when it fires it looks whether it was too
    early, because an event came and went meanwhile.
    """

    __slots__ = ("_activation", "_engine", "_since_ms", "_timer", "_waiting")

    def __init__(self, activation: Activation, engine: Engine) -> None:
        self._activation = activation
        self._engine = engine
        self._since_ms = 0
        self._timer: Timer | None = None
        self._waiting: list[Callable[[], object]] = []

    def wait(self, callback: Callable[[], object]) -> None:
        """Call `callback()` once, when it begins or ends."""
        self._waiting.append(callback)

    def begin(self) -> None:
        """Nothing is in the activation from now on, until something is."""
        self._since_ms = self._engine.clock.now_ms()
        if self._timer is None:
            seconds = self._engine.idle_eviction_seconds
            self._timer = self._engine.timers.after(seconds, self._sweep)
        if self._waiting:
            self._tell()

    def end(self) -> None:
        """The activation has ended."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._tell()

    def _sweep(self) -> None:
        self._timer = None
        if not self._activation.idle:
            return

        due_ms = self._since_ms + round(self._engine.idle_eviction_seconds * 1000)
        if due_ms > self._engine.clock.now_ms():
            self._timer = self._engine.timers.at(due_ms, self._sweep)
        else:
            self._activation.evict()

    def _tell(self) -> None:
        waiting, self._waiting = self._waiting, []
        for callback in waiting:
            callback()
