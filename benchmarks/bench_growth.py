"""What an operation costs among a thousand, a hundred thousand and a million stored objects."""

from __future__ import annotations

import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

import anyio

from . import ours
from .measure import Figure, Results, Row, Side, take_turns
from .ours import Ours
from .seeding import seeded
from .work import Work, rate_of

SIZES = (1_000, 100_000, 1_000_000)  # objects stored
ROOMS = 1_000  # that calls go round, and that are read; spread over all of them
READINGS = 5  # of as many cold objects, for one figure
BAR = 1.3  # times what it costs among the fewest: not to exceed


async def run(rounds: int, seconds: float) -> Results:
    """The figures: each beside the same one among the fewest objects."""
    sizes = [max(ROOMS, int(size * min(1.0, seconds))) for size in SIZES]
    with tempfile.TemporaryDirectory(dir=Path.cwd(), ignore_cleanup_errors=True) as name:
        async with AsyncExitStack() as stack:
            hosts = [Among(size, seconds) for size in sizes]
            async with anyio.create_task_group() as group:
                for host in hosts:
                    group.start_soon(seeded, Path(name) / str(host.objects), host.objects)
            for host in hosts:
                await host.start(stack, Path(name) / str(host.objects))
            # One operation after the other, so that what is compared is measured together.
            await take_turns(
                rounds,
                [
                    side
                    for sides in zip(*(host.sides for host in hosts), strict=True)
                    for side in sides
                ],
            )
    fewest, *more = hosts
    rows = [Row("k", side.figure) for side in fewest.sides]
    for host in more:
        rows += [
            Row("k", side.figure, least.figure, BAR, less_is_better=True)
            for side, least in zip(host.sides, fewest.sides, strict=True)
        ]
    return rows


class Among:
    """A host with so many objects on disk."""

    def __init__(self, objects: int, seconds: float) -> None:
        self.objects = objects
        self._host: Ours
        self._stride = objects // ROOMS
        self._readings = 0
        called = Work("increment", 64, ROOMS, seconds, stride=self._stride)
        put = Work("store", 64, 100, seconds, stride=objects // 100)
        self.sides = [
            Side(self._figure("calls, 64 callers"), partial(self._did, called)),
            Side(self._figure("durable puts, 64 callers, 100 rooms"), partial(self._did, put)),
            Side(self._figure("cold reads, 64 callers"), self._read),
        ]

    async def start(self, stack: AsyncExitStack, directory: Path) -> None:
        """Start it, until the stack ends."""
        self._host = await stack.enter_async_context(ours.started(directory))
        for side in self.sides:
            await side.once()

    def _figure(self, name: str) -> Figure:
        return Figure(f"{name}, {self.objects:,} objects", "µs/operation")

    async def _did(self, work: Work) -> tuple[float, str]:
        """Microseconds for each step, with the objects in memory."""
        await self._host.run(replace(work, seconds=0.0, count=work.rooms))
        return 1e6 / (await rate_of(self._host, work))[0], ""

    async def _read(self) -> tuple[float, str]:
        """Microseconds for each object that is read from the disk; others each time, as far as there
        are any."""
        spent = 0.0
        for _ in range(READINGS):
            await self._host.evict()
            self._readings += 1
            first = self._readings % self._stride
            begun = time.perf_counter()
            await self._host.run(
                Work("read", 64, ROOMS, count=ROOMS, first=first, stride=self._stride)
            )
            spent += time.perf_counter() - begun
        return 1e6 * spent / (READINGS * ROOMS), ""
