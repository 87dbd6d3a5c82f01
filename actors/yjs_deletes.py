"""The delete set of an update: which ranges of clocks are deleted, by client."""

from __future__ import annotations

from bisect import bisect_right

from .yjs_reader import read_client, read_clock, read_count, read_length

Ranges = dict[int, list[tuple[int, int]]]  # by client: from and up to a clock, in order, apart


def deleted_ranges(update: bytes, at: int) -> Ranges:
    """The delete set that begins at a byte of an update which the guard has let pass."""
    found: Ranges = {}
    clients, at = read_count(update, at, 2)
    for _ in range(clients):
        client, at = read_client(update, at)
        count, at = read_count(update, at, 2)
        ranges: list[tuple[int, int]] = []
        for _ in range(count):
            clock, at = read_clock(update, at)
            length, at = read_length(update, at)
            ranges.append((clock, clock + length))
        found[client] = _joined(ranges)
    return found


def includes(outer: Ranges, inner: Ranges) -> bool:
    """Whether everything that `inner` deletes is deleted by `outer`."""
    for client, ranges in inner.items():
        known = outer.get(client, [])
        for start, end in ranges:
            place = bisect_right(known, start, key=lambda found: found[0])
            if not place or known[place - 1][1] < end:
                return False

    return True


def _joined(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined
