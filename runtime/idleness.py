"""How long nothing has been in an activation, and who waits for that (semantics.md 3.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .timers import Timer

if TYPE_CHECKING:
    from collections.abc import Callable

    from .activation import Activation


class Idleness(Timer):
    """Evicts its activation once nothing was in it for the idle time.

    It is one timer for the whole time, not one for each event: when it fires it looks whether it was
    too early, because an event came and went meanwhile. It lets go of the activation when that ends:
    an evicted instance is to be free at once, not when circles are collected.
    """

    __slots__ = ("_activation", "_since_ms", "_ticking", "_waiting", "_waiting_pinned")

    def __init__(self, activation: Activation) -> None:
        self._activation: Activation | None = activation
        self._since_ms = 0
        self._ticking = False
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
        self._since_ms = engine.clock.monotonic_ms()
        if not self._ticking:
            self._tick(activation)
        if self._waiting_pinned is not None or self._waiting is not None:
            self._tell()

    def end(self) -> None:
        """The activation has ended."""
        self._activation = None
        self._tell()

    @property
    def since_ms(self) -> int:
        """When it began last."""
        return self._since_ms

    @property
    def cancelled(self) -> bool:
        """Whether there is nothing left to evict."""
        return self._activation is None

    def fire(self) -> None:
        """The idle time has passed since something was in the activation, but perhaps not the last
        time."""
        self._ticking = False
        activation = self._activation
        if activation is None or not activation.idle:
            return

        engine = activation.engine
        if self._since_ms + engine.idle_eviction_ms > engine.clock.monotonic_ms():
            self._tick(activation)
        else:
            activation.evict()

    def _tick(self, activation: Activation) -> None:
        self._ticking = True
        self.when_ms = self._since_ms + activation.engine.idle_eviction_ms
        activation.engine.timers.add(self)

    def _tell(self) -> None:
        self.pinned()
        waiting, self._waiting = self._waiting, None
        for callback in waiting or ():
            callback()
