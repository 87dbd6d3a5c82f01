"""Every check of the workloads of rooms and documents notices what it is there for."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from .run import simulate
from .workloads.broken_rooms import VARIANTS, Broken
from .workloads.document_checks import CHECKS as DOCUMENT_CHECKS
from .workloads.room_checks import CHECKS as ROOM_CHECKS
from .world import Workload

SEEDS = range(1, 61)


@pytest.mark.parametrize(
    ("broken", "workload", "check"),
    VARIANTS,
    ids=[f"{check}-{broken.__name__}" for broken, _, check in VARIANTS],
)
def test_what_is_broken_is_found(
    broken: Broken, workload: Callable[[], Workload], check: str
) -> None:
    """By its check, within so many seeds."""
    with broken():
        assert any(
            complaint.startswith(f"{check}: ")
            for seed in SEEDS
            for complaint in simulate(workload, seed).complaints
        )


def test_every_check_has_found_something() -> None:
    """One that nothing has shown to work would say nothing."""
    names = {check.__name__ for check in (*ROOM_CHECKS, *DOCUMENT_CHECKS)}
    assert names == {check for _, _, check in VARIANTS}
