"""The actors of rooms run on what `runtime` gives them, which is tested on every event loop: here on
asyncio and on trio; uvloop is under those that a server serves."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(("asyncio", {"use_uvloop": False}), id="asyncio"),
        pytest.param("trio", id="trio"),
    ],
)
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """The event loop of a test; one of the server overrides it."""
    return request.param
