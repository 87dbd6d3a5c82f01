"""Rounds, medians and ratios: how every figure here is made.

The sides of a comparison take turns within one run, round by round, so that a machine that slows
down slows all of them.
"""

from __future__ import annotations

import math
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import anyio

Step = Callable[[], Awaitable[object]]
BATCH = 16  # steps between two looks at the time


@dataclass(slots=True)
class Figure:
    """One thing measured: steps per second, round by round. `per_round` is what else was counted."""

    name: str
    unit: str
    rates: list[float] = field(default_factory=list[float])
    notes: list[str] = field(default_factory=list[str])

    @property
    def median(self) -> float:
        """Of all rounds."""
        return statistics.median(self.rates)

    @property
    def spread(self) -> tuple[float, float]:
        """The slowest round and the fastest."""
        return min(self.rates), max(self.rates)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the scoreboard."""

    letter: str  # of the heading it belongs to, "a" to "k"
    figure: Figure  # ours, or a peer's, which has no bar
    beside: Figure | None = None  # what the ratio is taken against
    bar: float | None = None  # the ratio to reach, or not to exceed where less is better
    less_is_better: bool = False

    @property
    def ratio(self) -> float | None:
        """Ours divided by what it stands beside; None without rounds of both, or beside nothing."""
        if self.beside is None or not self.figure.rates or not self.beside.rates:
            return None

        found = ratio(self.figure, self.beside)
        return found if math.isfinite(found) else None

    @property
    def met(self) -> bool | None:
        """Whether the bar is reached; None where there is none, or nothing to hold against it."""
        found = self.ratio
        if found is None or self.bar is None:
            return None

        return found <= self.bar if self.less_is_better else found >= self.bar


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a comparison. `once`: measures it, and returns a rate and what else is to be said
    of it."""

    figure: Figure
    once: Callable[[], Awaitable[tuple[float, str]]]


Results = list[Row]
Bench = Callable[[int, float], Awaitable[Results]]  # of so many rounds, each of so many seconds


async def take_turns(rounds: int, sides: Sequence[Side]) -> None:
    """Measure each side once a round; every other round in the reverse order, so that none is always
    the one that follows the same other."""
    for number in range(rounds):
        for side in reversed(sides) if number % 2 else sides:
            speed, note = await side.once()
            side.figure.rates.append(speed)
            side.figure.notes.append(note)
            progress(side.figure)


def progress(figure: Figure) -> None:
    """Say on standard error what its last round was, so that one sees it live."""
    note = f"  ({figure.notes[-1]})" if figure.notes and figure.notes[-1] else ""
    print(
        f"{figure.name}: {figure.rates[-1]:,.4g} {figure.unit}{note}", file=sys.stderr, flush=True
    )


async def rate(step: Step, callers: int, seconds: float) -> tuple[float, int]:
    """Steps per second of `callers` that each do one after the other, for about `seconds`; and how
    many steps that were."""
    done = 0
    deadline = time.perf_counter() + seconds

    async def call() -> None:
        nonlocal done
        while time.perf_counter() < deadline:
            for _ in range(BATCH):
                await step()
            done += BATCH

    begun = time.perf_counter()
    async with anyio.create_task_group() as group:
        for _ in range(callers):
            group.start_soon(call)
    return done / (time.perf_counter() - begun), done


def ratio(figure: Figure, reference: Figure) -> float:
    """The median of the ratios of rounds that followed each other."""
    return statistics.median(
        ours / theirs if theirs else math.inf
        for ours, theirs in zip(figure.rates, reference.rates, strict=True)
    )


def target(value: float, figure: Figure) -> Figure:
    """What a figure is to reach by itself, in its own unit: it stands beside it with the bar 1."""
    return Figure("what is asked for", figure.unit, [value] * len(figure.rates))


def skipped(name: str, reason: str) -> Figure:
    """A figure without rounds that says why."""
    return Figure(name, "skipped", notes=[reason])


def many(count: int, word: str) -> str:
    """So many of something."""
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


def quantile(values: Sequence[float], share: float) -> float:
    """The value that this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
