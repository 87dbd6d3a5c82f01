"""Inputs from a grammar, new ones each time, for every decoder."""

from __future__ import annotations

import pytest

from .search import search
from .table import TARGETS

EXAMPLES = 300
# An event loop, or a document, is behind these.
SLOW = {"http": 150, "web-socket-frames": 150, "yjs-updates": 150, "state-vectors": 150}


@pytest.mark.parametrize("name", TARGETS)
def test_no_input_fails(name: str) -> None:
    """It is refused as the contract says, or is what it says; and takes memory in its proportion."""
    search(TARGETS[name], SLOW.get(name, EXAMPLES))
