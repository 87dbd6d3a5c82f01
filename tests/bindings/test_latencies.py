"""Percentiles in bounded memory."""

from __future__ import annotations

import random

import pytest

from roomhost.bindings.latencies import Latencies


@pytest.mark.parametrize("share", [0.0, 0.5, 0.95, 0.99, 1.0])
def test_percentiles_are_true_to_two_percent(share: float) -> None:
    """Beside those of the whole list, over nine powers of ten."""
    draw = random.Random(7)
    values = [int(10 ** draw.uniform(0, 9)) for _ in range(10_000)]
    latencies = Latencies()
    for value in values:
        latencies.add(value)
    exact = sorted(values)[max(0, round(share * len(values)) - 1)] / 1_000
    found = latencies.percentile(share)
    assert found is not None
    assert found == pytest.approx(exact, rel=0.02)
    assert latencies.total == len(values)
    assert len(latencies.counts) < 30 * 64


def test_nothing_has_no_percentile() -> None:
    """And counts of another process go on here."""
    assert Latencies().percentile(0.5) is None
    again = Latencies({1_000: 3})
    again.add(9_000)
    assert (again.total, again.percentile(0.5), again.percentile(1.0)) == (4, 1.0, 8.96)
