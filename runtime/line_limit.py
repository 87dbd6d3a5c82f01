"""So many lines of one kind a second: what fails for everybody at once must not fill the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class LineLimit:
    """`per_second` lines; `now()`: seconds that only pass."""

    __slots__ = ("_left", "_left_out", "_now", "_per_second", "_second")

    def __init__(self, per_second: int, now: Callable[[], float]) -> None:
        self._per_second = per_second
        self._now = now
        self._second = 0
        self._left = 0
        self._left_out = 0

    def take(self) -> int | None:
        """How many lines were left out since the last one that was not; None: leave this one out."""
        second = int(self._now())
        if second != self._second:
            self._second, self._left = second, self._per_second
        if self._left == 0:
            self._left_out += 1
            return None

        self._left -= 1
        left_out, self._left_out = self._left_out, 0
        return left_out
