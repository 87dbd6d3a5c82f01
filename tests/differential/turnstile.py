"""Who pauses, and when each goes on: one at a time, so that no order is left to chance; turnstile.mjs
is its twin."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

import anyio
import anyio.lowlevel

# Between two moves of a program the loop makes fewer rounds than these, whatever it does.
QUIET_ROUNDS = 40


class Disk(Protocol):
    """What the engine of a host says of its disk."""

    @property
    def quiet(self) -> bool:
        """Whether it has everything that was written."""
        ...

    def when_quiet(self, callback: Callable[[], object]) -> None:
        """Call `callback()` when it has."""
        ...


class Turnstile:
    """What the strands of one program pass when they pause.

    A strand that pauses waits until nobody of its program can get on. Then the first in line goes on
    alone, until it pauses, waits or ends, and after it the next. One that stands at a gate when its
    turn comes does not hold up the line: it may be the next who has to open that gate.
    """

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._line: deque[anyio.Event] = deque()
        self._came = anyio.Event()
        self._moves = 0
        self._ended = False

    def moved(self) -> None:
        """Say that a strand gets on: before each of its steps, and after."""
        self._moves += 1

    async def pause(self) -> None:
        """Wait in line. Cancelled, as by a reset: the place in it is given up."""
        if self._ended:
            await anyio.lowlevel.checkpoint()
            return

        turn = anyio.Event()
        self._line.append(turn)
        self._came.set()
        self.moved()
        try:
            await turn.wait()
        finally:
            if turn in self._line:
                self._line.remove(turn)
            self.moved()

    async def run(self) -> None:
        """Let one after the other go on. Cancelled: whoever is in line, or comes, goes on at once."""
        try:
            while True:
                await self._came.wait()
                await self._quiet()
                if self._line:
                    self._line.popleft().set()
                    self.moved()
                else:
                    self._came = anyio.Event()
        finally:
            self._ended = True
            for turn in self._line:
                turn.set()

    async def settle(self) -> None:
        """Return when nobody can get on, nobody is in line, and the disk has what was written."""
        await self._quiet()
        while self._line:
            await self._quiet()

    async def _quiet(self) -> None:
        """Return when nobody has moved for so long that nobody can."""
        rounds = 0
        while rounds < QUIET_ROUNDS:
            if not self._disk.quiet:
                answered = anyio.Event()
                self._disk.when_quiet(answered.set)
                await answered.wait()
                rounds = 0
            moves = self._moves
            await anyio.lowlevel.checkpoint()
            rounds = rounds + 1 if moves == self._moves else 0
