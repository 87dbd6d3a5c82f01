"""Objects that are on disk and not in memory, and get one call that reads: ours beside workerd."""

from __future__ import annotations

import tempfile
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

from . import ours, workerd
from .measure import Figure, Results, Row, Side, many, skipped, take_turns
from .ours import Ours
from .seeding import seeded
from .work import Work, rate_of

CALLERS = (1, 64)
OBJECTS = 10_000  # of ours, read in one round
THEIR_OBJECTS = 250  # of workerd, which is slower, likewise
THEIR_WARM_UP = 100  # objects read before, in each of its processes
SEEDING_CALLERS = 16
BAR = 20.0  # times workerd


async def run(rounds: int, seconds: float) -> Results:
    """The figures, each with what it stands beside."""
    scale = min(1.0, seconds)
    figures = {
        callers: Figure(f"ours, {many(callers, 'caller')}", "objects/s") for callers in CALLERS
    }
    theirs = {
        callers: Figure(f"workerd, {many(callers, 'caller')}", "objects/s") for callers in CALLERS
    }
    with tempfile.TemporaryDirectory(dir=Path.cwd(), ignore_cleanup_errors=True) as name:
        directory = Path(name)
        await seeded(directory / "ours", objects := int(OBJECTS * scale))
        async with AsyncExitStack() as stack:
            mine = await stack.enter_async_context(ours.started(directory / "ours"))
            await activated(mine, objects, 1)  # what is loaded once is loaded
            sides = [
                Side(figure, partial(activated, mine, objects, callers))
                for callers, figure in figures.items()
            ]
            if not workerd.missing():
                peer = ColdWorkerd(directory / "workerd", max(2, int(THEIR_OBJECTS * scale)))
                await peer.seed()
                sides += [
                    Side(figure, partial(peer.activated, callers))
                    for callers, figure in theirs.items()
                ]
            await take_turns(rounds, sides)
    if reason := workerd.missing():
        return [*(Row("f", own) for own in figures.values()), Row("f", skipped("workerd", reason))]

    pairs = [
        (Row("f", figures[callers], theirs[callers], BAR), Row("f", theirs[callers]))
        for callers in CALLERS
    ]
    return [row for pair in pairs for row in pair]


async def activated(mine: Ours, objects: int, callers: int, first: int = 0) -> tuple[float, str]:
    """Objects per second, of ours: they were evicted before."""
    await mine.evict()
    work = Work("read", callers, rooms=objects, count=objects, first=first)
    return (await rate_of(mine, work))[0], ""


class ColdWorkerd:
    """workerd with so many objects on disk for each figure. Each is read once by a process of it: it
    evicts none before ten seconds are over, so that another process is started for each figure."""

    def __init__(self, directory: Path, objects: int) -> None:
        self._directory = directory
        self._objects = objects

    async def seed(self) -> None:
        """Make them, and those it is warmed up with."""
        count = self._objects + THEIR_WARM_UP
        async with workerd.started(self._directory) as peer:
            await peer.run(Work("store", SEEDING_CALLERS, rooms=count, count=count))

    async def activated(self, callers: int) -> tuple[float, str]:
        """Objects per second."""
        async with workerd.started(self._directory) as peer:
            await peer.run(Work("read", callers, rooms=THEIR_WARM_UP, count=THEIR_WARM_UP))
            count = self._objects
            work = Work("read", callers, rooms=count, count=count, first=THEIR_WARM_UP)
            return (await rate_of(peer, work))[0], ""
