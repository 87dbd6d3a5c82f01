"""A token bucket of frames (realtime.md 2.13): 50 a second, 100 at once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomhost.actors.errors import RateLimited
from roomhost.actors.rate import Bucket


def taken(bucket: Bucket, now_ms: int) -> int:
    """How many can be taken at once."""
    count = 0
    while True:
        try:
            bucket.take(now_ms)
        except RateLimited:
            return count
        count += 1


def test_the_hundred_and_first_is_refused() -> None:
    """It may come again, after a time that the error says."""
    bucket = Bucket(0)
    assert taken(bucket, 0) == 100
    with pytest.raises(RateLimited) as caught:
        bucket.take(0)
    assert (caught.value.retryable, caught.value.retry_after_ms) == (True, 20)


@pytest.mark.parametrize(("passed_ms", "count"), [(19, 0), (20, 1), (1_000, 50), (10**9, 100)])
def test_fifty_a_second_come_back(passed_ms: int, count: int) -> None:
    """Never more than a hundred."""
    bucket = Bucket(0)
    taken(bucket, 0)
    assert taken(bucket, passed_ms) == count


def test_a_clock_that_goes_back_gives_nothing() -> None:
    """Nor does it take away what is there."""
    bucket = Bucket(10_000)
    assert taken(bucket, 0) == 100
    assert taken(bucket, 10_000) == 0


@given(st.lists(st.integers(0, 60), max_size=300))
def test_whoever_waits_as_long_as_told_is_let_through(steps: list[int]) -> None:
    """And not a millisecond earlier."""
    bucket, now_ms = Bucket(0), 0
    taken(bucket, 0)
    for step in steps:
        now_ms += step
        try:
            bucket.take(now_ms)
        except RateLimited as error:
            assert error.retry_after_ms is not None
            with pytest.raises(RateLimited):
                bucket.take(now_ms + error.retry_after_ms - 1)
            now_ms += error.retry_after_ms
            bucket.take(now_ms)
