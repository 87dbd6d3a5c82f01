"""Seeds of the workload `alarms`."""

from __future__ import annotations

import pytest

from .seeds import chunks, wrong


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seeds", chunks(400), ids=str)
def test_nothing_is_wrong(seeds: range) -> None:
    """Whatever runs next, and whatever fails."""
    assert list(wrong("alarms", seeds)) == []
