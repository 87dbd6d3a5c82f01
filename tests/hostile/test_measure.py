"""A good client is served beside ten thousand that are silent, and beside the rest at full strength."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from .attacks import ATTACKS
from .measure import measured

pytestmark = pytest.mark.anyio

SPARE = 1_000  # files of the host and of whoever attacks that are no connections of the attack


async def test_ten_thousand_half_open_connections_are_in_nobodys_way(tmp_path: Path) -> None:
    """Half of them silent, half in the middle of an upgrade; as many as files can be had."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    count = min(10_000, most - SPARE)
    figures = await measured("silent", count, tmp_path, times=50)
    assert figures.memory[1] < 1_000
    print(figures)


@pytest.mark.parametrize("name", ["pings", "churn"])
async def test_a_good_client_is_served_beside(name: str, tmp_path: Path) -> None:
    """One that floods at full speed from another process."""
    figures = await measured(name, 4 if name == "pings" else 500, tmp_path, times=30)
    assert figures.refusals.get("flood", 0) > 0 or name != "pings"
    assert name in ATTACKS
    print(figures)
