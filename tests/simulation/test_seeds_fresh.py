"""Seeds that are new with each commit, spread over all workloads."""

from __future__ import annotations

import pytest

from .seeds import fresh_seeds, wrong
from .workloads import WORKLOADS


@pytest.mark.timeout(300)
@pytest.mark.parametrize("workload", WORKLOADS)
def test_nothing_is_wrong(workload: str) -> None:
    """In runs that nobody has seen before."""
    names = list(WORKLOADS)
    seeds = fresh_seeds()[names.index(workload) :: len(names)]
    assert list(wrong(workload, seeds)) == []
