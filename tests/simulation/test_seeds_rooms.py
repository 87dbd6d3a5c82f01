"""Seeds of the workload `rooms`."""

from __future__ import annotations

import pytest

from .seeds import chunks, wrong


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seeds", chunks(250, 25), ids=str)
def test_nothing_is_wrong(seeds: range) -> None:
    """Whatever runs next, and whatever fails."""
    assert list(wrong("rooms", seeds)) == []
