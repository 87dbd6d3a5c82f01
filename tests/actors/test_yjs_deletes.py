"""What updates delete: compared, cut, and written as it was read."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from roomhost.actors.yjs_deletes import includes, up_to, written
from roomhost.actors.yjs_structs import merged, read_deletes

RANGE = st.tuples(st.integers(0, 30), st.integers(1, 10)).map(lambda pair: (pair[0], sum(pair)))
RANGES = st.dictionaries(st.integers(1, 3), st.lists(RANGE, min_size=1).map(merged))


def clocks(ranges: dict[int, list[tuple[int, int]]]) -> set[tuple[int, int]]:
    """Every clock that is deleted, by its client."""
    return {
        (client, clock)
        for client, found in ranges.items()
        for first, last in found
        for clock in range(first, last)
    }


@given(RANGES, RANGES)
def test_one_includes_another_if_it_has_all_its_clocks(
    outer: dict[int, list[tuple[int, int]]], inner: dict[int, list[tuple[int, int]]]
) -> None:
    """Whatever the ranges that these are in."""
    assert includes(outer, inner) is (clocks(inner) <= clocks(outer))


@given(RANGES, st.dictionaries(st.integers(1, 3), st.integers(0, 40)))
def test_what_is_cut_is_what_a_document_knows(
    ranges: dict[int, list[tuple[int, int]]], known: dict[int, int]
) -> None:
    """Those clocks that are before its own."""
    cut = up_to(ranges, known)
    assert clocks(cut) == {
        (client, clock) for client, clock in clocks(ranges) if clock < known.get(client, 0)
    }


@given(RANGES)
def test_what_is_written_is_read_again(ranges: dict[int, list[tuple[int, int]]]) -> None:
    """As the end of an update."""
    assert read_deletes(written(ranges), 0) == ranges
