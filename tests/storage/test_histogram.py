"""Figures in buckets."""

from __future__ import annotations

from bisect import bisect_left

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomhost.storage import MAX_WAITING, Histogram, quantile

BOUNDS = (1.0, 2.0, 5.0, 10.0)


@given(st.lists(st.floats(0, 20), max_size=2_000))
def test_each_is_in_the_bucket_of_the_first_bound_that_it_does_not_pass(
    numbers: list[float],
) -> None:
    """However many there are, whenever they are looked at."""
    histogram = Histogram(BOUNDS)
    counts = [0] * (len(BOUNDS) + 1)
    for number in numbers:
        histogram.add(number)
        counts[bisect_left(BOUNDS, number)] += 1
    assert histogram.count == len(numbers)
    assert histogram.counts == counts
    assert histogram.total == pytest.approx(sum(numbers))
    assert histogram.count == len(numbers)


def test_no_more_wait_than_may() -> None:
    """Then they are sorted."""
    histogram = Histogram(BOUNDS)
    for _ in range(MAX_WAITING - 1):
        histogram.add(1.0)
    assert len(histogram.waiting) == MAX_WAITING - 1
    histogram.add(1.0)
    assert histogram.waiting == []
    assert histogram.counts[0] == MAX_WAITING


def test_what_is_added_while_it_sorts_stays() -> None:
    """The list is the same one for its whole life: who adds keeps it at hand."""
    histogram = Histogram(BOUNDS)
    waiting = histogram.waiting
    waiting.append(3.0)
    histogram.sort()
    waiting.append(4.0)
    assert histogram.counts == [0, 0, 2, 0, 0]


@pytest.mark.parametrize(
    ("counts", "share", "number"),
    [
        ([0, 0, 0, 0, 0], 0.5, 0.0),
        ([4, 0, 0, 0, 0], 0.5, 0.5),
        ([0, 4, 0, 0, 0], 0.5, 1.5),
        ([2, 0, 2, 0, 0], 0.5, 1.0),
        ([2, 0, 2, 0, 0], 0.75, 3.5),
        ([0, 0, 0, 0, 3], 0.99, 10.0),
    ],
)
def test_a_quantile_lies_within_its_bucket(counts: list[int], share: float, number: float) -> None:
    """Spread evenly; beyond the last bound it is that."""
    assert quantile(BOUNDS, counts, share) == pytest.approx(number)
