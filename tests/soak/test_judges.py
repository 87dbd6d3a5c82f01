"""The judges, on series that are made up: each catches what it is for, and lets noise pass."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from . import limits
from .judges import (
    MIB,
    Mark,
    is_announced,
    judge_bound,
    judge_complaints,
    judge_errors,
    judge_happened,
    judge_latency,
    judge_map,
    judge_memory,
    judge_number,
    judge_queue,
    judge_samples,
)

HOUR = 3_600


def hour(value: Callable[[float], float], seconds: int = HOUR) -> list[tuple[float, float]]:
    """A figure, sampled each five seconds."""
    return [(float(at), value(at)) for at in range(0, seconds, 5)]


def moving(seed: int, level: float, size: float) -> Callable[[float], float]:
    """Around a level."""
    source = random.Random(seed)
    return lambda _: level + source.gauss(0, size)


@pytest.mark.parametrize("seed", range(5))
def test_memory_that_leaks_is_caught(seed: int) -> None:
    """Forty MiB an hour, through noise of ten and a collector's saw of twenty."""
    move = moving(seed, 300, 10)
    leak = hour(lambda at: move(at) + 40 * at / HOUR + at % 100 / 5)
    assert judge_memory("memory", leak).mark is Mark.FAILED


@pytest.mark.parametrize("seed", range(5))
def test_memory_that_only_moves_is_good(seed: int) -> None:
    """The same noise without the leak; and what grows while it warms up, and then does not."""
    move = moving(seed, 300, 10)
    assert judge_memory("memory", hour(lambda at: move(at) + at % 100 / 5)).mark is Mark.GOOD
    warm = hour(lambda at: move(at) + 100 * min(at, HOUR / 3) / HOUR)
    assert judge_memory("memory", warm).mark is Mark.GOOD


def test_memory_that_is_all_noise_is_undecided() -> None:
    """It seems to grow, and may as well not: that is said, and not guessed."""
    source = random.Random(4)
    steps = [source.choice((-25.0, 25.0)) for _ in range(12)]
    walk = hour(lambda at: 300 + sum(steps[: int(at // 300)]))
    marks = {judge_memory("memory", walk).mark, judge_memory("memory", walk[:5]).mark}
    assert Mark.UNDECIDED in marks


@pytest.mark.parametrize("what", ["descriptors", "threads"])
def test_descriptors_that_are_lost_are_caught(what: str) -> None:
    """One in ten seconds; a few more are nothing."""
    assert judge_number(what, hour(lambda at: 5_000 + at / 5)).mark is Mark.FAILED
    assert judge_number(what, hour(lambda at: 5_000 + 5 * (at > HOUR / 2))).mark is Mark.GOOD


@pytest.mark.parametrize("seed", range(5))
def test_a_queue_that_grows_is_caught(seed: int) -> None:
    """However it moves; one that moves around what it was is good, and a short one always."""
    move = moving(seed, 0, 100)
    assert judge_queue("queue", hour(lambda at: move(at) + at), 200).mark is Mark.FAILED
    assert judge_queue("queue", hour(lambda at: move(at) + 1_000), 200).mark is Mark.GOOD
    assert judge_queue("queue", hour(lambda at: at / HOUR * 100), 200).mark is Mark.GOOD


@pytest.mark.parametrize("percentile", ["p50", "p99"])
@pytest.mark.parametrize("seed", range(5))
def test_a_latency_that_creeps_is_caught(seed: int, percentile: str) -> None:
    """Ten times as much at the end; noise of a fifth, and a few bad intervals, are none."""
    move = moving(seed, 0, 20)
    creep = hour(lambda at: 100 + move(at) + 900 * at / HOUR)
    assert judge_latency("call", percentile, creep).mark is Mark.FAILED
    steady = hour(lambda at: 100 + move(at) + 5_000 * (at % 500 == 0))
    assert judge_latency("call", percentile, steady).mark is Mark.GOOD
    small = hour(lambda at: 0.5 + at / HOUR)
    assert judge_latency("call", percentile, small).mark is Mark.GOOD
    assert judge_latency("call", percentile, steady[:6]).mark is Mark.UNDECIDED


def test_a_map_that_outgrows_what_is_live_is_caught() -> None:
    """By the backup that was made last."""
    live = [(0.0, 50.0 * MIB), (HOUR / 2, 100.0 * MIB)]
    assert judge_map(hour(lambda at: 150 * MIB), live).mark is Mark.GOOD
    assert judge_map(hour(lambda at: 301 * MIB), live).mark is Mark.FAILED
    assert judge_map(hour(lambda at: 60 * MIB), [(0.0, 1.0 * MIB)]).mark is Mark.GOOD
    assert judge_map(hour(lambda at: 60 * MIB), []).mark is Mark.UNDECIDED


def test_a_bound_is_passed_once_or_never() -> None:
    """One sample is enough."""
    assert judge_bound("log", [(0, 5), (1, 10)], 10).mark is Mark.GOOD
    assert judge_bound("log", [(0, 5), (1, 11), (2, 5)], 10).mark is Mark.FAILED
    assert judge_bound("log", [], 10).mark is Mark.UNDECIDED


def error(what: str, code: Any, at: float) -> dict[str, Any]:
    """As a client tells it."""
    return {"at": at, "what": what, "text": "room-1", "code": code}


def test_only_announced_closes_are_no_errors() -> None:
    """1012 soon after a deploy; not before it, not long after, not another code, nothing but a close."""
    began = 1_000.0
    announced = error("close", 1_012, began + 1)
    assert is_announced(announced, [10.0, began])
    others = (
        error("close", 1_012, began - 1),
        error("close", 1_012, began + limits.ANNOUNCED_SECONDS + 1),
        error("close", 1_006, began + 1),
        error("call", 1_012, began + 1),
    )
    assert not any(is_announced(other, [began]) for other in others)
    assert judge_errors([announced], 1, [began]).mark is Mark.GOOD
    assert judge_errors([announced, others[0]], 2, [began]).mark is Mark.FAILED
    assert judge_errors([announced], 2, [began]).mark is Mark.FAILED, "one was only counted"


def test_what_was_not_looked_at_is_not_good() -> None:
    """A run that was killed has checked nothing."""
    assert judge_complaints("rooms", None).mark is Mark.FAILED
    assert judge_complaints("rooms", ["one is gone"]).mark is Mark.FAILED
    assert judge_complaints("rooms", []).mark is Mark.GOOD
    assert judge_happened("evictions", 0).mark is Mark.FAILED
    assert judge_happened("evictions", 1).mark is Mark.GOOD


def test_samples_without_a_figure_or_with_a_hole_are_told() -> None:
    """A figure that is missing once; a hole may be the machine's."""
    times = [float(at) for at in range(0, 100, 5)]
    assert judge_samples(times, 5, []).mark is Mark.GOOD
    assert judge_samples(times, 5, ["threads"]).mark is Mark.FAILED
    assert judge_samples([*times, 200.0], 5, []).mark is Mark.UNDECIDED
    assert judge_samples([], 5, []).mark is Mark.FAILED
