"""Whether what one update deletes is deleted by another."""

from __future__ import annotations

from bisect import bisect_right

Ranges = dict[int, list[tuple[int, int]]]  # by client: from and up to a clock, in order, apart


def includes(outer: Ranges, inner: Ranges) -> bool:
    """Whether everything that `inner` deletes is deleted by `outer`."""
    for client, ranges in inner.items():
        known = outer.get(client, [])
        for start, end in ranges:
            place = bisect_right(known, start, key=lambda found: found[0])
            if not place or known[place - 1][1] < end:
                return False

    return True
