"""Both sides, started once for a run."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from .driver import Roomhost, roomhost
from .process import Workerd


@pytest.fixture(scope="package", autouse=True)
def quiet() -> Iterator[None]:
    """Errors and resets are what the programs are about; in other tests they are news."""
    logger = logging.getLogger("roomhost.runtime")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(level)


@pytest.fixture(scope="session")
def workerd() -> Iterator[Workerd]:
    """The real thing, or the reason why it is not there."""
    with Workerd() as process:
        yield process


@pytest.fixture(scope="session")
def host() -> Iterator[Roomhost]:
    """This project's host, on asyncio."""
    with roomhost("asyncio", {}) as running:
        yield running
