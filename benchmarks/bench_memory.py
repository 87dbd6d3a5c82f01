"""What an object that is in memory costs, what a room without an instance and with a socket, and what
a socket: the growth of the pages of a server's own, for each of many."""

from __future__ import annotations

import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import anyio

from . import children, ours, workerd
from .idle_sockets import allow_files, held
from .measure import Figure, Results, Row, Side, skipped, take_turns
from .ours import Ours
from .work import Work
from .workerd import Workerd

RESIDENT = {ours.NAME: 20_000, workerd.NAME: 1_000}
HIBERNATED = {ours.NAME: 2_000, workerd.NAME: 300}
IDLE = {ours.NAME: 2_000, workerd.NAME: 2_000}
WARM_UP_SHARE = 0.1  # of what is measured: objects or sockets that are there before
HIBERNATION_SECONDS = 13.0  # workerd keeps an instance for ten without an event
RESIDENT_BAR = 0.1  # of workerd's: not to exceed

Server = Ours | Workerd
Grown = Callable[["Memory"], Awaitable[float]]


async def run(rounds: int, seconds: float) -> Results:
    """The figures, each with what it stands beside. One round: it is not a matter of speed."""
    allow_files()
    scale = min(1.0, seconds)
    reason = workerd.missing()
    names = [ours.NAME] if reason else [ours.NAME, workerd.NAME]
    results: Results = []
    with tempfile.TemporaryDirectory(dir=Path.cwd(), ignore_cleanup_errors=True) as name:
        for what, counts, grown, bar in (
            ("a resident object", RESIDENT, resident, RESIDENT_BAR),
            ("a hibernated room with one socket", HIBERNATED, hibernated, None),
            ("an idle socket", IDLE, idle, None),
        ):
            figures = {who: Figure(f"{who}, {what}", "KiB each") for who in names}
            sides: list[Side] = []
            for who, figure in figures.items():
                memory = Memory(who, Path(name), max(10, int(counts[who] * scale)))
                sides.append(Side(figure, partial(memory.measured, grown)))
            await take_turns(1, sides)
            theirs = figures.get(workerd.NAME)
            results.append(Row("g", figures[ours.NAME], theirs, bar, less_is_better=True))
            if theirs is not None:
                results.append(Row("g", theirs))
    return [*results, Row("g", skipped(workerd.NAME, reason))] if reason else results


@dataclass(slots=True)
class Memory:
    """A server that is started anew for each figure, and how many of something it gets."""

    who: str
    directory: Path
    count: int
    server: Server | None = None

    async def measured(self, grown: Grown) -> tuple[float, str]:
        """What `grown` finds, of a server that is its own."""
        with tempfile.TemporaryDirectory(dir=self.directory, ignore_cleanup_errors=True) as name:
            started = (
                ours.started(Path(name), serve=True)
                if self.who == ours.NAME
                else workerd.started(Path(name))
            )
            async with started as self.server:
                return await grown(self), f"{self.count:,} of them"

    @property
    def warm(self) -> int:
        """How many are there before: the first ones cost what all of them need."""
        return max(1, int(self.count * WARM_UP_SHARE))

    def urls(self, first: int, rooms: int, sockets: int) -> list[str]:
        """Where sockets of so many rooms are opened."""
        assert self.server is not None
        path = "counter/" if self.who == ours.NAME else ""
        base = f"ws://127.0.0.1:{self.server.port}/{path}"
        return [f"{base}{first + number % rooms}" for number in range(sockets)]

    async def kib(self) -> int:
        """Its own pages now; ours without what could be given back."""
        assert self.server is not None
        if isinstance(self.server, Ours):
            await self.server.ask(do="trim")
        return children.memory_kib(self.server.pid)["own"]

    async def touch(self, first: int, count: int) -> None:
        """A call to each of so many objects."""
        assert self.server is not None
        await self.server.run(Work("increment", 16, rooms=count, count=count, first=first))

    async def hibernate(self) -> None:
        """Let all instances leave memory."""
        if isinstance(self.server, Ours):
            await self.server.evict()
        else:
            await anyio.sleep(HIBERNATION_SECONDS)


async def resident(memory: Memory) -> float:
    """KiB for each object that has had a call."""
    await memory.touch(0, memory.warm)
    before = await memory.kib()
    await memory.touch(memory.warm, memory.count)
    return (await memory.kib() - before) / memory.count


async def hibernated(memory: Memory) -> float:
    """KiB for each room whose instance has left memory, while its socket stays."""
    async with held(memory.urls(0, memory.warm, memory.warm)):
        before = await memory.kib()
        async with held(memory.urls(memory.warm, memory.count, memory.count)):
            await memory.hibernate()
            return (await memory.kib() - before) / memory.count


async def idle(memory: Memory) -> float:
    """KiB for each socket of one room that is in memory."""
    async with held(memory.urls(0, 1, memory.warm)):
        before = await memory.kib()
        async with held(memory.urls(0, 1, memory.count)):
            return (await memory.kib() - before) / memory.count
