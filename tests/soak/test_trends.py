"""Slopes of series that are made up: what grows is told from what only moves."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import pairwise

import pytest

from . import limits
from .trends import binned, last_half, quarter, quarters, resampled, theil_sen, trend

Figure = Callable[[float], float]


def sampled(value: Figure, count: int = 360, distance: float = 5.0) -> list[tuple[float, float]]:
    """So many samples of a function of the seconds."""
    return [(number * distance, value(number * distance)) for number in range(count)]


def noise(seed: int, size: float) -> Figure:
    """A function that is 100 and moves around it."""
    source = random.Random(seed)
    return lambda _: 100 + source.gauss(0, size)


def test_the_slope_of_a_line_is_its_own() -> None:
    """Whatever a few outliers say."""
    points = [(float(at), 2.0 * at) for at in range(50)]
    points[10] = (10.0, 5_000.0)
    points[40] = (40.0, -5_000.0)
    assert theil_sen(points) == pytest.approx(2.0)
    assert theil_sen(points[:1]) == 0.0


@pytest.mark.parametrize("seed", range(8))
def test_noise_has_no_slope(seed: int) -> None:
    """What it may gain is far below what it moves by."""
    found = trend(sampled(noise(seed, 5.0)))
    assert found is not None
    assert abs(found.gain) < 5.0
    assert found.low <= found.slope <= found.high


def test_a_saw_has_no_slope() -> None:
    """Memory that a collector frees now and then."""
    found = trend(sampled(lambda at: 100 + (at % 240) / 12))
    assert found is not None
    assert abs(found.gain) < 3.0


@pytest.mark.parametrize("seed", range(8))
def test_what_grows_through_the_noise_is_seen(seed: int) -> None:
    """Thirty an hour, and noise of five: certainly more than nothing."""
    move = noise(seed, 5.0)
    found = trend(sampled(lambda at: move(at) + 30 * at / 3_600))
    assert found is not None
    assert found.low > 0
    assert found.gain == pytest.approx(15, abs=4)


def test_too_few_points_say_nothing() -> None:
    """As those of a run of seconds."""
    assert trend(sampled(lambda at: at, count=limits.LEAST_BINS - 1)) is None
    assert trend([]) is None


def test_the_same_series_has_the_same_interval() -> None:
    """The draws are seeded: a verdict can be had again."""
    series = sampled(noise(1, 5.0))
    assert trend(series) == trend(series)


def test_blocks_are_drawn_whole() -> None:
    """Neighbours stay together, as what moves slowly is no independent noise."""
    residuals = [float(number) for number in range(12)]
    for drawn in resampled(residuals, random.Random(3)):
        assert len(drawn) == 12
        for at in range(0, 12, limits.BLOCK_BINS):
            block = drawn[at : at + limits.BLOCK_BINS]
            assert all((later - earlier) % 12 == 1 for earlier, later in pairwise(block))


def test_parts_of_a_series_are_by_time() -> None:
    """Half, quarters, and medians of bins; a rest that is too small for a median is left out."""
    series = sampled(lambda at: at, count=101, distance=1.0)
    assert last_half(series)[0] == (50.0, 50.0)
    assert quarter(series, 1)[0][0] == 25.0
    assert quarters(series) == (37.5, 87.5)
    assert binned(series[:9], 2) == [(2.0, 2.0), (6.5, 6.5)]
    assert binned(series[:11], 5) == [(1.0, 1.0), (4.0, 4.0), (7.0, 7.0), (9.5, 9.5)]
    assert last_half([]) == []
    assert quarters([]) is None
