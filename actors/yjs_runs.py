"""A value for each clock of each client, where neighbours mostly have the same one."""

from __future__ import annotations

from bisect import bisect_right
from typing import Generic, TypeVar

T = TypeVar("T")


class Runs(Generic[T]):
    """Runs of clocks with one value, by client; clocks come in order, and keep the value they had."""

    __slots__ = ("_runs",)

    def __init__(self) -> None:
        # By client: where runs begin, their values, and the clock after the last one.
        self._runs: dict[int, tuple[list[int], list[T], list[int]]] = {}

    def at(self, client: int, clock: int) -> T | None:
        """The value of a clock; None: it has none."""
        runs = self._runs.get(client)
        if runs is None or clock >= runs[2][0]:
            return None

        place = bisect_right(runs[0], clock) - 1
        return None if place < 0 else runs[1][place]

    def fill(self, client: int, start: int, end: int, value: T) -> None:
        """Give a value to those clocks from `start` to before `end` that come after all others."""
        starts, values, last = self._runs.setdefault(client, ([], [], [0]))
        if end <= last[0]:
            return

        if not values or values[-1] != value:
            starts.append(max(start, last[0]))
            values.append(value)
        last[0] = end
