"""What every test has: each asynchronous one runs on asyncio, on asyncio with uvloop, and on trio."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, settings

BACKENDS = (
    pytest.param(("asyncio", {"use_uvloop": False}), id="asyncio"),
    pytest.param(("asyncio", {"use_uvloop": True}), id="uvloop"),
    pytest.param(("trio", {}), id="trio"),
)

# A shared machine is slow at odd moments: no deadline for one example.
settings.register_profile(
    "roomhost",
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("roomhost")


@pytest.fixture(params=BACKENDS)
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """The event loop of a test; a test of the server, which has asyncio alone, overrides it."""
    return request.param
