"""What the tests of the runtime share."""

from __future__ import annotations

import pytest

from ..helpers import lives
from ..helpers.scripted import Scripted


@pytest.fixture(autouse=True)
def no_scripts() -> None:
    """No script of another test."""
    Scripted.scripts.clear()
    lives.forget()
