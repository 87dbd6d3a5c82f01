"""What every test has: each asynchronous one runs on asyncio, on asyncio with uvloop, and on trio."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

BACKENDS = (
    pytest.param(("asyncio", {"use_uvloop": False}), id="asyncio"),
    pytest.param(("asyncio", {"use_uvloop": True}), id="asyncio+uvloop"),
    pytest.param("trio", id="trio"),
)

# A shared machine is slow at odd moments: no deadline for one example.
settings.register_profile(
    "roomhost",
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
# Where it sees CI, Hypothesis would try the same examples in every run. We want new ones each
# time; a failure prints the blob that repeats it.
settings.register_profile("ci", settings.get_profile("roomhost"), derandomize=False, database=None)
settings.load_profile("ci" if os.environ.get("CI") else "roomhost")


@pytest.fixture(scope="module", params=BACKENDS)
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """The event loop of a test; a test of the server, which has asyncio alone, overrides it."""
    return request.param
