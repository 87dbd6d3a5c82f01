"""Whether a figure grows, told apart from noise. Pure: a series is (seconds, value) in the order of time.

The slope is Theil and Sen's, the median of the slopes of all pairs, which a few outliers do not move. Its
interval is by bootstrap over blocks of neighbouring residuals, as what is sampled every few seconds is
no independent noise.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median

from . import limits

Series = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Trend:
    """Of a series: what it gains in a second, at least and at most with `limits.CONFIDENCE`, and over how
    many seconds that was seen."""

    slope: float
    low: float
    high: float
    seconds: float

    @property
    def gain(self) -> float:
        """Over the time that was looked at."""
        return self.slope * self.seconds

    @property
    def least_gain(self) -> float:
        """Likewise, at least."""
        return self.low * self.seconds


def trend(series: Series) -> Trend | None:
    """Of a whole series; None: it is too short to say anything."""
    points = binned(series, limits.BINS)
    if len(points) < limits.LEAST_BINS:
        return None

    slope = theil_sen(points)
    level = median(value - slope * at for at, value in points)
    fitted = [level + slope * at for at, _ in points]
    residuals = [value - fit for (_, value), fit in zip(points, fitted, strict=True)]
    times = [at for at, _ in points]
    source = random.Random(0)
    slopes = sorted(
        theil_sen(list(zip(times, map(sum, zip(fitted, drawn, strict=True)), strict=True)))
        for drawn in resampled(residuals, source)
    )
    cut = round((1 - limits.CONFIDENCE) / 2 * len(slopes))
    return Trend(slope, slopes[cut], slopes[-1 - cut], times[-1] - times[0])


def theil_sen(points: Series) -> float:
    """The median slope; 0 of fewer than two points."""
    slopes = [
        (later - earlier) / (to - since)
        for (since, earlier), (to, later) in combinations(points, 2)
        if to > since
    ]
    return median(slopes) if slopes else 0.0


def resampled(residuals: Sequence[float], source: random.Random) -> Iterator[list[float]]:
    """As many residuals as there are, in blocks drawn from anywhere, again and again."""
    number, block = len(residuals), limits.BLOCK_BINS
    for _ in range(limits.RESAMPLES):
        drawn: list[float] = []
        while len(drawn) < number:
            start = source.randrange(number)
            drawn += [residuals[(start + step) % number] for step in range(block)]
        yield drawn[:number]


def binned(series: Series, count: int) -> list[tuple[float, float]]:
    """The medians of at most so many parts, of the same number of points each."""
    size = -(-len(series) // count) or 1
    parts = [series[at : at + size] for at in range(0, len(series), size)]
    return [
        (median(at for at, _ in part), median(value for _, value in part))
        for part in parts
        if len(part) * 2 >= size
    ]


def last_half(series: Series) -> Series:
    """By time."""
    if not series:
        return series

    middle = (series[0][0] + series[-1][0]) / 2
    return [point for point in series if point[0] >= middle]


def quarter(series: Series, number: int) -> Series:
    """One of four parts of its time, the first is 0."""
    if not series:
        return series

    first, length = series[0][0], (series[-1][0] - series[0][0]) / 4
    return [
        (at, value)
        for at, value in series
        if first + number * length <= at <= first + (number + 1) * length
    ]


def quarters(series: Series) -> tuple[float, float] | None:
    """The medians of its second and its last quarter; None: one of them has no points."""
    second, last = quarter(series, 1), quarter(series, 3)
    if not second or not last:
        return None

    return median(value for _, value in second), median(value for _, value in last)
