"""Faults: when they strike, and that each kind does."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from .faults import NO_FAULTS, Fault, Faults, Nemesis, Plan, Temptation
from .run import simulate
from .workloads.tallies import Tallies

EVERY = Faults(clock_step=1.0)
CERTAIN = Temptation(1.0, 3)


@pytest.mark.timeout(300)
def test_each_kind_happens() -> None:
    """Over 200 seeds nothing is left out, also of what follows from others."""
    happened: Counter[str] = Counter()
    for seed in range(200):
        result = simulate(lambda: Tallies(EVERY), seed)
        assert result.complaints == ()
        happened += result.faults
    assert {fault.value for fault in Fault} <= set(happened), happened


def struck(faults: Faults, seed: int) -> list[tuple[int, Fault]]:
    """What strikes at which step."""
    at: list[tuple[int, Fault]] = []
    number = 0

    def strike(fault: Fault) -> None:
        at.append((number, fault))

    nemesis = Nemesis(faults, Random(seed), strike)
    for number in range(5_000):
        nemesis.step(number)
    return at


def test_a_run_has_at_most_so_many() -> None:
    """And so many of those that stop a host; none where none is wanted."""
    for seed in range(50):
        found = [fault for _, fault in struck(Faults(most=5, crashes=1), seed)]
        assert len(found) <= 5
        stops = (Fault.CRASH, Fault.RESTART, Fault.BROKEN_DISK)
        assert sum(fault in stops for fault in found) <= 1
        assert struck(NO_FAULTS, seed) == []


def test_kinds_that_are_not_wanted_do_not_happen() -> None:
    """A weight of 0."""
    drawn = [fault.value for fault in Fault if fault.value in Faults.__dataclass_fields__]
    nothing: dict[str, Any] = dict.fromkeys(drawn, 0.0)
    assert struck(replace(Faults(), **nothing), 1) == []


def test_a_crash_comes_where_something_begins() -> None:
    """What is tempting brings the next fault forward, and makes it a crash."""
    at: list[Fault] = []
    nemesis = Nemesis(Faults(most=20), Random(1), at.append)
    nemesis.tempted(CERTAIN, 10)
    for number in range(10, 14):
        nemesis.step(number)
    assert at == [Fault.CRASH]


def test_no_crash_comes_when_there_were_enough() -> None:
    """However tempting."""
    at: list[Fault] = []
    nemesis = Nemesis(Faults(most=20, crashes=1), Random(1), at.append)
    for number in range(0, 400, 10):
        nemesis.tempted(CERTAIN, number)
        for step in range(10):
            nemesis.step(number + step)
    assert at[0] is Fault.CRASH
    assert Fault.CRASH not in at[1:]


def test_a_plan_strikes_at_its_steps() -> None:
    """Each once, in order, and not when it is over."""
    at: list[Fault] = []
    plan = Plan({3: Fault.EVICT, 1: Fault.CRASH, 9: Fault.DEPLOY}, at.append)
    for number in range(5):
        plan.step(number)
    assert at == [Fault.CRASH, Fault.EVICT]
    plan.active = False
    plan.step(10)
    assert at == [Fault.CRASH, Fault.EVICT]
