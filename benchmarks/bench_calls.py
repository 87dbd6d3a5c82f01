"""Calls to one actor without storage, beside a bare hand-over between two tasks."""

from __future__ import annotations

import tempfile

import anyio

from roomhost.runtime import Host

from .floor import HandOver
from .measure import Figure, Results, Row, rate
from .workloads import app


async def run(rounds: int, seconds: float) -> Results:
    """The figures, each with its reference."""
    floor = Figure("bare hand-over, 1 caller", "calls/s")
    figures = {callers: Figure(f"calls, {callers} caller(s)", "calls/s") for callers in (1, 64)}
    with tempfile.TemporaryDirectory() as directory:
        async with Host(app, data_dir=directory) as host, anyio.create_task_group() as group:
            hand_over = HandOver()
            group.start_soon(hand_over.answer)
            stub = host.env.COUNTER.get_by_name("one")
            for _ in range(rounds):
                floor.rates.append((await rate(hand_over.call, 1, seconds))[0])
                for callers, figure in figures.items():
                    figure.rates.append((await rate(stub.increment, callers, seconds))[0])
            group.cancel_scope.cancel()
    return [Row("a", floor), *(Row("a", figure, floor) for figure in figures.values())]
