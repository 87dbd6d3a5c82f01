"""Latencies by their size, in bounded memory: percentiles to 2 %, however many there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

PRECISION_BITS = 6  # of a value that are kept: the rest is at most 1/64 of it


class Latencies:
    """Counts of durations, by their leading bits. There are a few thousand at the most."""

    __slots__ = ("counts", "total")

    def __init__(self, counts: Mapping[int, int] | None = None) -> None:
        self.counts: dict[int, int] = dict(counts or {})
        self.total = sum(self.counts.values())

    def add(self, nanoseconds: int) -> None:
        """One more."""
        shift = nanoseconds.bit_length() - PRECISION_BITS - 1
        key = nanoseconds >> shift << shift if shift > 0 else nanoseconds
        self.counts[key] = self.counts.get(key, 0) + 1
        self.total += 1

    def percentile(self, share: float) -> float | None:
        """The microseconds that this share of them did not exceed; None: there are none."""
        rank, seen = share * self.total, 0
        for nanoseconds in sorted(self.counts):
            seen += self.counts[nanoseconds]
            if seen >= rank:
                return nanoseconds / 1_000

        return None
