"""Every hostile test is of a server, on the event loop that `roomhost serve` has."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture(scope="module")
def anyio_backend() -> Any:
    """A server has asyncio alone."""
    return ("asyncio", {"use_uvloop": True})
