"""Calls to one actor without storage, beside workerd, durable-actors and a bare hand-over."""

from __future__ import annotations

import itertools
import tempfile
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import anyio

from . import ours, peers
from .floor import HandOver
from .measure import Figure, Results, Row, Side, many, rate, take_turns
from .work import Work, Worker, rate_of

CALLERS = (1, 64)
WARM_UP_SECONDS = 3.0  # of figures of a second: what is compiled while it runs takes that long
BAR = 4.0  # times workerd


async def run(rounds: int, seconds: float) -> Results:
    """The figures, each with what it stands beside."""
    floor = Figure("bare hand-over, 1 caller", "calls/s")
    figures: dict[tuple[str, int], Figure] = {}
    missing: list[Figure] = []
    with tempfile.TemporaryDirectory(dir=Path.cwd(), ignore_cleanup_errors=True) as name:
        async with AsyncExitStack() as stack, anyio.create_task_group() as group:
            hand_over = HandOver()
            group.start_soon(hand_over.answer)
            mine = await stack.enter_async_context(ours.started(Path(name) / "ours"))
            theirs, missing = await peers.started(stack, Path(name))
            workers: dict[str, Worker] = {ours.NAME: mine, **theirs}
            for worker in workers.values():
                await worker.run(Work("increment", seconds=WARM_UP_SECONDS * seconds))
            for who, callers in itertools.product(workers, CALLERS):
                if callers <= peers.MAX_CALLERS.get(who, callers):
                    figures[who, callers] = Figure(f"{who}, {many(callers, 'caller')}", "calls/s")
            sides = [Side(floor, partial(by_hand, hand_over, seconds))]
            for (who, callers), figure in figures.items():
                work = Work("increment", callers=callers, seconds=seconds)
                sides.append(Side(figure, partial(called, workers[who], work)))
            await take_turns(rounds, sides)
            group.cancel_scope.cancel()
    return [*rows(figures, floor), *(Row("a", figure) for figure in missing)]


def rows(figures: dict[tuple[str, int], Figure], floor: Figure) -> Results:
    """Ours beside each of the others, and the others; by callers."""
    found: Results = []
    for callers in CALLERS:
        mine = figures[ours.NAME, callers]
        found.append(Row("a", mine, figures.get((peers.WORKERD, callers)), BAR))
        found.append(Row("a", mine, floor))
        others = (who for who, count in figures if count == callers and who != ours.NAME)
        found += [Row("a", figures[who, callers]) for who in others]
    return [*found, Row("a", floor)]


async def called(worker: Worker, work: Work) -> tuple[float, str]:
    """Calls per second."""
    return (await rate_of(worker, work))[0], ""


async def by_hand(hand_over: HandOver, seconds: float) -> tuple[float, str]:
    """Likewise, with nothing in a call."""
    return (await rate(hand_over.call, 1, seconds))[0], ""
