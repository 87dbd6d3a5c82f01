"""Throughput and latency over the last second or two, from figures that only grow."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

from ..storage import quantile
from . import limits
from .event_kind import EventKind
from .process import memory_bytes
from .records import Sample

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .engine import Engine
    from .meter import Meter


@dataclass(frozen=True, slots=True)
class Reading:
    """The figures at one moment; `durations`: events by the buckets of `DURATION_BOUNDS_SECONDS`."""

    at: float
    durations: Sequence[int]
    commits: int
    batches: int


class Sampling:
    """Compares each reading with the one before; who asks sooner than after a second gets the same
    sample again, so that several may ask."""

    def __init__(self) -> None:
        self._before: Reading | None = None
        self._sample: Sample | None = None

    def sample(self, engine: Engine, meters: Sequence[Meter], now_ms: int) -> Sample:
        """The newest sample; the first one has no rates."""
        at, before = perf_counter(), self._before
        if before is None or self._sample is None or at - before.at >= limits.SAMPLE_SECONDS:
            now = _read(engine, meters, at)
            self._before = now
            self._sample = compare(before or now, now, now_ms, engine.resident_count, meters)
        return self._sample


def compare(
    before: Reading, now: Reading, now_ms: int, resident: int, meters: Sequence[Meter]
) -> Sample:
    """What happened between two readings."""
    seconds = now.at - before.at
    durations = [new - old for new, old in zip(now.durations, before.durations, strict=True)]
    commits, batches = now.commits - before.commits, now.batches - before.batches
    bounds = limits.DURATION_BOUNDS_SECONDS
    return Sample(
        at_ms=now_ms,
        events_per_second=round(sum(durations) / seconds, 1) if seconds else 0.0,
        p50_ms=round(quantile(bounds, durations, 0.5) * 1_000, 3),
        p99_ms=round(quantile(bounds, durations, 0.99) * 1_000, 3),
        commits_per_second=round(commits / seconds, 1) if seconds else 0.0,
        group_size=round(batches / commits, 1) if commits else 0.0,
        memory_bytes=memory_bytes(),
        resident=resident,
        sockets=sum(meter.sockets for meter in meters),
    )


def _read(engine: Engine, meters: Sequence[Meter], at: float) -> Reading:
    durations = [0] * (len(limits.DURATION_BOUNDS_SECONDS) + 1)
    for meter in meters:
        for kind, figures in meter.events.items():
            if kind is not EventKind.TASK:
                durations = [
                    a + b for a, b in zip(durations, figures.durations.counts, strict=True)
                ]
    writer = engine.partition.statistics()
    return Reading(at, durations, writer.commits, writer.batches)
