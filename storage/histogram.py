"""How often a figure had which size: what is added waits in a list, and is sorted into buckets many at
a time, as that is cheaper by half than one after the other."""

from __future__ import annotations

from bisect import bisect_right
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_WAITING = 512


class Histogram:
    """`bounds`: the greatest of each bucket, in order; beyond the last is one bucket more.

    Added to by one thread, and read by any: then the newest figures may be missing.
    """

    __slots__ = ("_counts", "_sorting", "_total", "bounds", "waiting")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.waiting: list[float] = []  # added, and not sorted
        self._counts = [0] * (len(bounds) + 1)
        self._total = 0.0
        self._sorting = Lock()  # who reads sorts too, and nothing may be counted twice

    @property
    def counts(self) -> list[int]:
        """How many are in each bucket."""
        self.sort()
        return list(self._counts)

    @property
    def total(self) -> float:
        """The sum of all."""
        self.sort()
        return self._total

    @property
    def count(self) -> int:
        """How many there are."""
        return sum(self._counts) + len(self.waiting)

    def add(self, number: float) -> None:
        """One more. Who adds for each event does it without this call: `waiting.append`, and `sort` when
        `MAX_WAITING` wait."""
        self.waiting.append(number)
        if len(self.waiting) >= MAX_WAITING:
            self.sort()

    def sort(self) -> None:
        """Sort what waits into the buckets."""
        with self._sorting:
            self._sort()

    def _sort(self) -> None:
        waiting = sorted(self.waiting)
        if not waiting:
            return

        del self.waiting[: len(waiting)]  # what another thread has added meanwhile stays
        self._total += sum(waiting)
        below = 0
        for bucket, bound in enumerate(self.bounds):
            at = bisect_right(waiting, bound, below)
            self._counts[bucket] += at - below
            below = at
            if below == len(waiting):
                return

        self._counts[-1] += len(waiting) - below


def quantile(bounds: Sequence[float], counts: Sequence[int], share: float) -> float:
    """The number that `share` of all are below, as far as the buckets tell: within one, numbers are taken
    to be spread evenly, and beyond the last bound to be that. 0 without any."""
    rest = share * sum(counts)
    lowest = 0.0
    for bound, count in zip(bounds, counts, strict=False):
        if count and rest <= count:
            return lowest + (bound - lowest) * rest / count

        rest -= count
        lowest = bound
    return lowest if any(counts) else 0.0
