"""Every property notices a host whose gates are broken, so that their silence means something."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import cache

import anyio
import pytest
from hypothesis import Phase, given, settings

from .broken import VARIANTS, Broken
from .checker import PROPERTIES
from .driver import run
from .history import History, histories

EXAMPLES = 400
HANG_SECONDS = 2.0
UVLOOP = {"use_uvloop": True}


@pytest.fixture(autouse=True)
def quiet_logs() -> Iterator[None]:
    """What a broken host logs is no news."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@cache
def examples() -> list[History]:
    """Histories, always the same ones. Hypothesis begins with trivial ones, which come last here."""
    found: list[History] = []

    @settings(max_examples=EXAMPLES, derandomize=True, database=None, phases=(Phase.generate,))
    @given(histories())
    def collect(history: History) -> None:
        found.append(history)

    collect()
    return found[20:] + found[:20]


def name_of(value: object) -> str | None:
    """The id of a parameter."""
    return getattr(value, "__name__", None)


@pytest.mark.parametrize(("broken", "noticed_by"), VARIANTS, ids=name_of)
def test_a_broken_host_is_noticed(broken: Broken, noticed_by: str) -> None:
    """By the property it is meant for, within so many histories."""
    (check,) = [checked for checked in PROPERTIES if checked.__name__ == noticed_by]

    def notices(history: History) -> bool:
        return any(check(anyio.run(run, history, HANG_SECONDS, backend_options=UVLOOP)))

    with broken():
        assert any(map(notices, examples()))


def test_every_property_has_a_broken_host_to_notice() -> None:
    """One that notices none is of no use."""
    assert {name for _, name in VARIANTS} == {checked.__name__ for checked in PROPERTIES}
