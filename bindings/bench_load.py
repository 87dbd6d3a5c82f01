"""Callers, each with one call after the other, for a while: what `roomhost bench` loads a host with."""

from __future__ import annotations

import gc
import itertools
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from . import limits
from .bench_rows import Row
from .latencies import Latencies

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from ..runtime import Host
    from .bench_target import Target

    Step = Callable[[], Awaitable[object]]

STATUS = Path("/proc/self/status")  # of Linux


@dataclass(frozen=True, slots=True)
class Load:
    """How many do something at once, and for how long."""

    callers: int
    rooms: int
    seconds: float


async def rate(steps: Sequence[Step], callers: int, seconds: float) -> tuple[float, Latencies]:
    """Steps per second, and how long each took. The callers take the steps in turns."""
    turns = itertools.cycle(steps)
    latencies = Latencies()
    now = time.perf_counter_ns
    begun = now()
    deadline = begun + int(seconds * 1e9)

    async def call() -> None:
        before = now()
        while before < deadline:
            await next(turns)()
            after = now()
            latencies.add(after - before)
            before = after

    async with anyio.create_task_group() as group:
        for _ in range(callers):
            group.start_soon(call)
    return latencies.total * 1e9 / (now() - begun), latencies


async def once(steps: Sequence[Step]) -> None:
    """Each of them, several at a time, so that they share what waits for the disk."""
    turns = iter(steps)

    async def call() -> None:
        for step in turns:
            await step()

    async with anyio.create_task_group() as group:
        for _ in range(limits.BENCH_AT_ONCE):
            group.start_soon(call)


async def calls(host: Host, target: Target, load: Load) -> Row:
    """Calls to some rooms, with what they committed."""
    steps = [target.step(host, f"room-{number}") for number in range(load.rooms)]
    await once(steps)  # the rooms are in memory
    before = host.statistics()
    speed, latencies = await rate(steps, load.callers, load.seconds)
    after = host.statistics()
    commits = after.commits - before.commits
    batches = after.batches - before.batches
    note = f"{commits:,} fsyncs, {batches / commits:.1f} writes each" if commits else "no writes"
    return Row(
        f"{target.label}, {many(load.callers, 'caller')}, {many(load.rooms, 'room')}",
        speed,
        latencies,
        note,
        {"callers": load.callers, "rooms": load.rooms, "commits": commits, "batches": batches},
    )


async def activation(host: Host, target: Target, seconds: float, *, prepare: Target) -> Row:
    """Rooms that are not in memory, and are called; one after the other. `prepare` is done once."""
    latencies = Latencies()
    rooms = [f"cold-{number}" for number in range(limits.BENCH_COLD_OBJECTS)]
    steps = {room: target.step(host, room) for room in rooms}
    await once([prepare.step(host, room) for room in rooms])
    deadline = time.perf_counter() + seconds
    for room in itertools.cycle(rooms):
        await host.evict(target.stub(host, room))
        before = time.perf_counter_ns()
        await steps[room]()
        latencies.add(time.perf_counter_ns() - before)
        if time.perf_counter() > deadline:
            break
    spent = sum(duration * count for duration, count in latencies.counts.items())
    return Row(
        f"activation, then {target.label}",
        latencies.total * 1e9 / spent,
        latencies,
        "without the eviction",
        {"objects": len(rooms)},
    )


async def memory(host: Host, target: Target) -> Row | None:
    """What a room takes that was called once and is idle; None where a process cannot tell."""
    if resident_bytes() is None:
        return None

    await target.step(host, "warm")()
    gc.collect()
    before, resident = resident_bytes() or 0, host.statistics().activations
    rooms = range(limits.BENCH_MEMORY_OBJECTS)
    await once([target.step(host, f"idle-{number}") for number in rooms])
    gc.collect()
    # Fewer, where the first ones have left already.
    there = max(1, host.statistics().activations - resident)
    each = max(0, (resident_bytes() or 0) - before) / there / 1_024
    note = f"{each:.1f} KiB each, {there:,} in memory"
    counted = {"kib_each": round(each, 2), "objects": there}
    return Row(f"memory, after {target.label}", None, None, note, counted)


def resident_bytes() -> int | None:
    """Memory of this process, without the pages of files. None: this system does not say."""
    if not STATUS.exists():
        return None

    line = next(line for line in STATUS.read_text().splitlines() if line.startswith("RssAnon:"))
    return int(line.split()[1]) * 1_024


def many(count: int, what: str) -> str:
    """`1 room`, `100 rooms`."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"
