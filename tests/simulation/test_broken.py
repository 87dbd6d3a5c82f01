"""Every check of the core's workloads notices what it is there for."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from . import run
from .broken import VARIANTS, Variant
from .checks import activations, alarms, linear, money, outputs
from .run import simulate

SEEDS = range(1, 61)
MAX_STEPS = 10_000  # of a run, which has some hundred when nothing is broken
CHECKS = (
    activations.begin_in_order,
    activations.one_at_a_time,
    alarms.all_ran,
    alarms.never_after_deletion,
    alarms.never_early,
    alarms.one_run_at_a_time,
    alarms.retries_wait,
    alarms.whole_alarms,
    linear.linearizable,
    money.books_balance,
    money.everything_arrived,
    money.sum_is_invariant,
    outputs.outputs_are_durable,
    outputs.turns_are_whole,
)


@pytest.fixture(autouse=True)
def short_runs(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One that does not end is cut off soon, and what a broken host logs is no news."""
    monkeypatch.setattr(run, "MAX_STEPS", MAX_STEPS)
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def name_of(variant: Variant) -> str:
    """The id of a parameter."""
    return f"{variant.broken.__name__}-{variant.noticed.replace(' ', '_')}"


@pytest.mark.parametrize("variant", VARIANTS, ids=name_of)
def test_what_is_broken_is_noticed(variant: Variant) -> None:
    """By its check, within so many seeds."""
    with variant.broken():
        assert any(
            complaint.startswith(variant.noticed)
            for seed in SEEDS
            for complaint in simulate(variant.workload, seed).complaints
        )


def test_every_check_has_noticed_something() -> None:
    """One that notices nothing is of no use."""
    assert {check.__name__ for check in CHECKS} <= {variant.noticed for variant in VARIANTS}
