"""The rows of calls: that they count what happened, not how fast it was."""

from __future__ import annotations

import pytest

from roomhost.bindings import limits
from roomhost.bindings.bench_load import Load, activation, calls, memory, rate
from roomhost.bindings.bench_target import target_of
from roomhost.runtime.testing import host_for

from ..helpers.bench_app import app

KEEP = target_of(app, "BOARD", 'keep:["key", 1]')
PUBLISH = target_of(app, "COLLAB", None)


async def test_callers_take_the_steps_in_turns() -> None:
    """Each step of each caller is counted."""
    done: list[str] = []

    async def left() -> None:
        done.append("left")

    async def right() -> None:
        done.append("right")

    speed, latencies = await rate([left, right], 3, 0.001)
    assert latencies.total == len(done) >= 3
    assert abs(done.count("left") - done.count("right")) <= 1
    assert speed > 0


async def test_calls_say_what_they_committed() -> None:
    """Every call of a method that writes is one batch."""
    async with host_for(app) as host:
        for target in (KEEP, PUBLISH):
            row = await calls(host, target, Load(4, 2, 0.01))
            assert row.name == f"{target.label}, 4 callers, 2 rooms"
            assert row.latencies is not None
            assert row.counted["batches"] >= row.latencies.total >= 4
            assert f"{row.counted['commits']:,} fsyncs" in row.note


async def test_cold_rooms_are_measured_and_memory_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each activation is one of a room that was evicted."""
    monkeypatch.setattr(limits, "BENCH_MEMORY_OBJECTS", 100)
    monkeypatch.setattr(limits, "BENCH_COLD_OBJECTS", 4)
    async with host_for(app) as host:
        row = await activation(host, PUBLISH, 0.001, prepare=KEEP)
        assert row.latencies is not None
        assert row.latencies.total >= 1
        assert row.counted["objects"] == 4
        kept = await memory(host, KEEP)
        assert kept is None or kept.counted["objects"] == 100
