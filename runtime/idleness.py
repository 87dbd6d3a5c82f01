"""How long nothing has been in an activation, and who waits for that (semantics.md 3.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from .activation import Activation
    from .timers import Timer


class Idleness:
    """Evicts its activation once nothing was in it for the idle time.

    One timer for the whole time, not one for each event: when it fires it looks whether it was too
    early, because an event came and went meanwhile. Nothing of it is left once the activation has
    ended: an evicted instance is to be free at once, not when circles are collected.
    """

    __slots__ = ("_activation", "_since_ms", "_timer", "_waiting", "_waiting_pinned")

    def __init__(self, activation: Activation) -> None:
        self._activation: Activation | None = activation
        self._since_ms = 0
        self._timer: Timer | None = None
        self._waiting: list[Callable[[], object]] | None = None
        self._waiting_pinned: list[Callable[[], object]] | None = (
            None  # content while sockets pin it
        )

    def wait(self, callback: Callable[[], object], *, pinned: bool) -> None:
        """Call `callback()` once, when it begins or ends; with `pinned` also when it would begin but
        for what pins the instance."""
        if pinned:
            self._waiting_pinned = [*(self._waiting_pinned or ()), callback]
        else:
            self._waiting = [*(self._waiting or ()), callback]

    def pinned(self) -> None:
        """Nothing but what pins it is in the activation."""
        waiting, self._waiting_pinned = self._waiting_pinned, None
        for callback in waiting or ():
            callback()

    def begin(self) -> None:
        """Nothing is in the activation from now on, until something is."""
        activation = self._activation
        if activation is None:
            return

        engine = activation.engine
        self._since_ms = engine.clock.now_ms()
        if self._timer is None:
            self._timer = engine.timers.at(self._since_ms + engine.idle_eviction_ms, self._sweep)
        if self._waiting_pinned is not None or self._waiting is not None:
            self._tell()

    def end(self) -> None:
        """The activation has ended."""
        self._activation = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._tell()

    def _sweep(self) -> None:
        self._timer = None
        activation = self._activation
        if activation is None or not activation.idle:
            return

        due_ms = self._since_ms + activation.engine.idle_eviction_ms
        if due_ms > activation.engine.clock.now_ms():
            self._timer = activation.engine.timers.at(due_ms, self._sweep)
        else:
            activation.evict()

    def _tell(self) -> None:
        self.pinned()
        waiting, self._waiting = self._waiting, None
        for callback in waiting or ():
            callback()
