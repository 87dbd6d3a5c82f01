"""Calls with one durable put, beside LMDB alone with the same groups: the physical limit."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path
from typing import Any

from roomhost.runtime import Host

from .floor import raw_lmdb
from .measure import Figure, Results, Row, rate
from .workloads import app, key_of

CASES = ((1, 1), (64, 1), (64, 100))  # callers, rooms


async def run(rounds: int, seconds: float) -> Results:
    """The figures, each with its reference."""
    ours = {case: Figure(name_of(*case), "puts/s") for case in CASES}
    raw = {case: Figure(f"LMDB alone, as {name_of(*case)}", "puts/s") for case in CASES}
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as directory:
        async with Host(app, data_dir=Path(directory) / "state") as host:
            stubs = [host.env.COUNTER.get_by_name(str(number)) for number in range(100)]
            raw_directory = Path(directory) / "raw"
            for _, (callers, rooms) in itertools.product(range(rounds), CASES):
                figure, floor = ours[callers, rooms], raw[callers, rooms]
                commits = host.statistics().commits
                speed, puts = await rate(Put(stubs[:rooms]), callers, seconds)
                commits = host.statistics().commits - commits
                figure.rates.append(speed)
                figure.notes.append(f"{puts / commits:.1f} puts a commit")
                group = max(1, round(puts / commits))
                floor.rates.append(
                    await raw_rate(raw_directory / str(rooms), group, rooms, seconds)
                )
                floor.notes.append(f"{group} puts a commit")
    pairs = [(Row("b", raw[case]), Row("b", ours[case], raw[case])) for case in CASES]
    one, many = ours[CASES[0]], ours[CASES[1]]
    compared = Figure("the same, beside 1 caller", "puts/s", many.rates, many.notes)
    return [*itertools.chain(*pairs), Row("b", compared, one)]


class Put:
    """The next put, in the next room."""

    def __init__(self, stubs: list[Any]) -> None:
        self._stubs = itertools.cycle(stubs)
        self._keys = itertools.count()

    def __call__(self) -> Any:
        """The call, made."""
        return next(self._stubs).store(key_of(next(self._keys)))


async def raw_rate(directory: Path, group: int, rooms: int, seconds: float) -> float:
    """Puts per second of LMDB alone, in groups."""
    with raw_lmdb(directory, group, rooms) as commit:

        async def step() -> None:
            commit()

        return (await rate(step, 1, seconds))[0] * group


def name_of(callers: int, rooms: int) -> str:
    """What a case is called."""
    return f"durable puts, {callers} caller(s), {rooms} room(s)"
