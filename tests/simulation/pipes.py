"""One direction of a simulated connection: bytes in their order, later, cut anywhere, or never."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextvars import Context
from dataclasses import dataclass
from enum import Enum

LATENCY_SECONDS = 0.003  # at most, of a piece on a good network
TRICKLE_SECONDS = 0.4  # likewise on a slow one
LAG_SECONDS = 3.0  # that an end may come behind the data
WINDOW_BYTES = (
    256,
    4_096,
)  # that are on their way at most, before who writes has to wait: one of them


@dataclass(frozen=True)
class Conditions:
    """What befalls the connections of a network; each is a share of them, 0 to 1.

    `slow`: bytes trickle; `bursts`: everything that waits comes at once, cut at any byte; `stalls`:
    the client takes nothing for a while; `partitions`: nothing arrives any more, and nobody is told;
    `resets`: the connection breaks, in the middle of whatever is on its way; `hasty`: a client
    leaves as soon as it has come.
    """

    slow: float = 0.1
    bursts: float = 0.3
    stalls: float = 0.1
    partitions: float = 0.1
    resets: float = 0.15
    hasty: float = 0.05


CALM = Conditions(0, 0, 0, 0, 0, 0)


class Flow(Enum):
    """How far a direction is."""

    OPEN = "open"  # Next: ENDING, ENDED, SILENT.
    ENDING = "the end comes behind the data"  # Next: ENDED, SILENT.
    ENDED = "the end was told"  # No next.
    SILENT = "nothing arrives any more"  # No next.


class Pipe:
    """Carries bytes to `take(data)` and in the end calls `ended(reset)`, both in the loop's callbacks
    with `context`; `roomy()` is called when there is room again for more."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        rng: random.Random,
        *,
        slow: bool,
        bursts: bool,
        context: Context,
    ) -> None:
        self.take: Callable[[bytes], None] = lambda data: None
        self.ended: Callable[[bool], None] = lambda reset: None
        self.roomy: Callable[[], None] = lambda: None
        self.paused = False
        self.flow = Flow.OPEN
        self._loop = loop
        self._rng = rng
        self._slow = slow
        self._window = rng.choice(WINDOW_BYTES)
        self._bursts = bursts
        self._context = context
        self._data = bytearray()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def room(self) -> int:
        """How many bytes it takes now."""
        return self._window - len(self._data)

    @property
    def is_silent(self) -> bool:
        """Whether nothing arrives any more."""
        return self.flow is Flow.SILENT

    def write(self, data: bytes) -> None:
        """Put bytes on their way; on one that has ended they are lost."""
        if self.flow in (Flow.OPEN, Flow.SILENT):
            self._data += data
            self._go_on()

    def finish(self) -> None:
        """Let the end come behind the data, perhaps long after."""
        if self.flow is Flow.OPEN:
            self.flow = Flow.ENDING
            self._go_on()

    def reset(self, seconds: float = 0.0) -> None:
        """Let the end come after `seconds`, before whatever has not arrived by then."""
        if self.flow not in (Flow.ENDED, Flow.SILENT):
            self._loop.call_later(seconds, self._end, True, context=self._context)

    def silence(self) -> None:
        """Let nothing arrive any more."""
        if self.flow is not Flow.ENDED:
            self.flow = Flow.SILENT
            self._stop()

    def pause(self) -> None:
        """Whoever takes the bytes wants no more for now."""
        self.paused = True
        self._stop()

    def resume(self) -> None:
        """It goes on."""
        self.paused = False
        self._go_on()

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _go_on(self) -> None:
        if self._timer is not None or self.paused or self.flow in (Flow.ENDED, Flow.SILENT):
            return

        if self._data or self.flow is Flow.ENDING:
            self._timer = self._loop.call_later(self._delay(), self._arrive, context=self._context)

    def _delay(self) -> float:
        if not self._data and self._rng.random() < 0.2:
            return self._rng.uniform(0, LAG_SECONDS)
        return self._rng.uniform(0, TRICKLE_SECONDS if self._slow else LATENCY_SECONDS)

    def _arrive(self) -> None:
        self._timer = None
        if not self._data:
            self._end(False)
            return

        size = len(self._data)
        if not self._bursts and self._rng.random() < 0.5:
            size = self._rng.randint(1, size)
        piece = bytes(self._data[:size])
        del self._data[:size]
        self._go_on()
        self.take(piece)
        self.roomy()

    def _end(self, reset: bool) -> None:
        if self.flow not in (Flow.ENDED, Flow.SILENT):
            self.flow = Flow.ENDED
            self._data.clear()
            self._stop()
            self.ended(reset)
