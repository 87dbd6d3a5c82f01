"""Inputs from a grammar, new ones each time, for every decoder."""

from __future__ import annotations

import pytest

from .search import search
from .table import TARGETS

EXAMPLES = 200
# An event loop, or a document, is behind these.
SLOW: dict[str, int] = dict.fromkeys(
    ("http", "web-socket-frames", "yjs-updates", "state-vectors"), 100
)


@pytest.mark.parametrize("name", TARGETS)
def test_no_input_fails(name: str) -> None:
    """It is refused as the contract says, or is what it says; and takes memory in its proportion."""
    search(TARGETS[name], SLOW.get(name, EXAMPLES))
