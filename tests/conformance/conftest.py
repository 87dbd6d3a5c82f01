"""What the suite shares: no script of another test."""

from __future__ import annotations

import pytest

from ..helpers.scripted import Scripted


@pytest.fixture(autouse=True)
def no_scripts() -> None:
    """Scripts are the test's own."""
    Scripted.scripts.clear()
