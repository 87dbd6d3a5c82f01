"""Random histories of real hosts break none of the promises."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, note, settings

from .checker import complaints
from .driver import run
from .history import History, histories

pytestmark = pytest.mark.anyio

EXAMPLES = int(os.environ.get("CONSISTENCY_EXAMPLES", "60"))


@pytest.mark.timeout(60 + 2 * EXAMPLES)
@settings(max_examples=EXAMPLES)
@given(histories())
async def test_no_history_breaks_a_promise(history: History) -> None:
    """Whatever callers, handlers, the disk and the host do, in whatever order."""
    events = await run(history)
    found = complaints(events)
    if found:
        note("\n".join(map(str, events)))
    assert found == []
