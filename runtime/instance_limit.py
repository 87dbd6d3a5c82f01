"""How many objects have an instance in memory, and which of them leave when there are too many."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import limits
from .errors import OverloadedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .activation import Activation
    from .clock import Clock
    from .slot import Slot

CROWDED_MS = 100  # that it is not looked again for who is idle, when nobody was


class InstanceLimit:
    """Of one host. `count`: instances in memory; whoever makes or drops one keeps it. `most`: of them;
    whoever makes one asks for room when there are as many."""

    __slots__ = ("_clock", "_crowded_until_ms", "_resident", "count", "most")

    def __init__(self, most: int, clock: Clock, resident: Callable[[], Iterable[Slot]]) -> None:
        """`resident()`: the slots of which something is in memory."""
        self.count = 0
        self.most = most
        self._clock = clock
        self._resident = resident
        self._crowded_until_ms = 0

    def make_room(self) -> None:
        """Have one more instance fit in: those that have been idle longest leave, several at once, so
        that not every new one looks at all of them. OverloadedError: nobody is idle."""
        now_ms = self._clock.monotonic_ms()
        if now_ms >= self._crowded_until_ms:
            idle = [each for slot in self._resident() if (each := _idle(slot)) is not None]
            idle.sort(key=lambda activation: activation.idle_since_ms)
            for activation in idle[: max(1, self.most // limits.EVICTED_SHARE)]:
                activation.evict()
            if self.count < self.most:
                return

            self._crowded_until_ms = now_ms + CROWDED_MS
        raise OverloadedError(
            f"Durable Object is overloaded. {self.most} objects are in memory, and none is idle "
            "(max_instances)."
        )


def _idle(slot: Slot) -> Activation | None:
    activation = slot.running
    return activation if activation is not None and activation.idle else None
