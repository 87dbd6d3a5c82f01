"""What the tests of the bindings share."""

from __future__ import annotations

import pytest

from ..helpers.scripted import Scripted


@pytest.fixture(autouse=True)
def no_scripts() -> None:
    """No script of another test."""
    Scripted.scripts.clear()
