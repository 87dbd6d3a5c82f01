"""Calls with one durable put, beside workerd, durable-actors, and LMDB alone with the same groups."""

from __future__ import annotations

import tempfile
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

from . import ours, peers, syncs, workerd
from .floor import raw_lmdb
from .measure import Figure, Results, Row, Side, many, rate, skipped, take_turns
from .ours import Ours
from .work import Work, Worker, rate_of

Case = tuple[int, int]  # callers, rooms

CASES: tuple[Case, ...] = ((1, 1), (64, 1), (64, 100))
BARS = {(1, 1): 1.0, (64, 1): 8.0, (64, 100): 8.0}  # times workerd
RAW_BAR = 0.5  # of LMDB alone
WARM_UP = 2.0  # times the time of a figure
TRACED = 0.5  # likewise


async def run(rounds: int, seconds: float) -> Results:
    """The figures, each with what it stands beside."""
    with tempfile.TemporaryDirectory(dir=Path.cwd(), ignore_cleanup_errors=True) as name:
        directory = Path(name)
        async with AsyncExitStack() as stack:
            mine = await stack.enter_async_context(ours.started(directory / "ours"))
            theirs, missing = await peers.started(stack, directory)
            bench = Puts(directory, {ours.NAME: mine, **theirs}, seconds)
            await bench.warm_up()
            await take_turns(rounds, bench.sides())
        results = bench.rows()
        results += await counted(directory, seconds)
        return [*results, *(Row("b", figure) for figure in missing)]


class Puts:
    """The sides of the comparison."""

    def __init__(self, directory: Path, workers: dict[str, Worker], seconds: float) -> None:
        self._directory = directory
        self._workers = workers
        self._seconds = seconds
        self._groups = dict.fromkeys(CASES, 1)  # puts of one commit of ours
        self._figures = {
            (who, case): Figure(f"{who}, {name_of(case)}", "puts/s")
            for case in CASES
            for who in workers
            if case[0] <= peers.MAX_CALLERS.get(who, case[0])
        }
        self._raw = {case: Figure(f"LMDB alone, {name_of(case)}", "puts/s") for case in CASES}

    async def warm_up(self) -> None:
        """Let all of them get to their speed."""
        for who, worker in self._workers.items():
            callers = peers.MAX_CALLERS.get(who, 64)
            await worker.run(Work("store", callers, 100, self._seconds * WARM_UP))

    def sides(self) -> list[Side]:
        """Case by case, so that what is compared is measured together."""
        sides: list[Side] = []
        for case in CASES:
            for (who, other), figure in self._figures.items():
                if other == case:
                    sides.append(Side(figure, partial(self._once, who, case)))
            sides.append(Side(self._raw[case], partial(self._alone, case)))
        return sides

    def rows(self) -> Results:
        """Ours beside each of the others, and the others; by cases."""
        found: Results = []
        for case in CASES:
            mine = self._figures[ours.NAME, case]
            theirs = self._figures.get((peers.WORKERD, case))
            found.append(Row("b", mine, theirs, BARS[case]))
            found.append(Row("b", mine, self._raw[case], RAW_BAR))
            others = [who for who, other in self._figures if other == case and who != ours.NAME]
            found += [Row("b", self._figures[who, case]) for who in others]
            found.append(Row("b", self._raw[case]))
        return found

    async def _once(self, who: str, case: Case) -> tuple[float, str]:
        """Puts per second of one of them; of ours, how many share an fsync."""
        worker = self._workers[who]
        work = Work("store", *case, seconds=self._seconds)
        if not isinstance(worker, Ours):
            return (await rate_of(worker, work))[0], ""

        commits = await worker.commits()
        speed, puts = await rate_of(worker, work)
        group = puts / (await worker.commits() - commits)
        self._groups[case] = max(1, round(group))
        return speed, f"{group:.1f} puts a commit"

    async def _alone(self, case: Case) -> tuple[float, str]:
        """Puts per second of LMDB alone, in groups as ours had them the last time."""
        group, rooms = self._groups[case], case[1]
        with raw_lmdb(self._directory / f"raw-{rooms}", group, rooms) as commit:

            async def step() -> None:
                commit()

            speed = (await rate(step, 1, self._seconds))[0] * group
        return speed, f"{group} puts a commit"


async def counted(directory: Path, seconds: float) -> Results:
    """How many fsyncs a put has, in a run of its own: the counting takes time."""
    if reason := syncs.missing():
        return [Row("b", skipped("fsyncs", reason))]

    starts: dict[str, syncs.Start] = {ours.NAME: partial(ours.started, directory / "ours")}
    if not workerd.missing():
        starts[workerd.NAME] = partial(workerd.started, directory / workerd.NAME)
    figures: dict[tuple[str, Case], Figure] = {}
    for who, start in starts.items():
        async with syncs.traced(start, directory / f"syncs-{who}") as traced:
            for case in CASES:
                figure = Figure(f"{who}, {name_of(case)}", "fsyncs/put")
                work = Work("store", *case, seconds=seconds * TRACED)
                figure.rates.append(await traced.per_step(work))
                figures[who, case] = figure
    return [
        Row("b", figure, beside_workerd(figures, who, case), less_is_better=True)
        for (who, case), figure in figures.items()
    ]


def beside_workerd(figures: dict[tuple[str, Case], Figure], who: str, case: Case) -> Figure | None:
    """What ours stands beside."""
    return figures.get((workerd.NAME, case)) if who == ours.NAME else None


def name_of(case: Case) -> str:
    """What a case is called."""
    callers, rooms = case
    return f"{many(callers, 'caller')}, {many(rooms, 'room')}"
