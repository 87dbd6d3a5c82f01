"""What an update deletes, by client: compared, cut, written."""

from __future__ import annotations

from bisect import bisect_right

from .varints import write_varuint

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


def up_to(ranges: Ranges, clocks: dict[int, int]) -> Ranges:
    """Those before the clocks of a document."""
    cut: Ranges = {}
    for client, found in ranges.items():
        end = clocks.get(client, 0)
        known = [(first, min(last, end)) for first, last in found if first < end]
        if known:
            cut[client] = known
    return cut


def written(ranges: Ranges) -> bytes:
    """The delete set at the end of an update."""
    parts = [write_varuint(len(ranges))]
    for client, found in ranges.items():
        parts.append(write_varuint(client) + write_varuint(len(found)))
        parts += [write_varuint(first) + write_varuint(last - first) for first, last in found]
    return b"".join(parts)
