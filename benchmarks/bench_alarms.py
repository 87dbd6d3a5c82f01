"""Alarms: all due at once, of objects that are not in memory; and a few each second, of those that
are. Ours beside workerd."""

from __future__ import annotations

import shutil
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import anyio

from . import ours, workerd
from .measure import Figure, Results, Row, progress, skipped, target
from .ours import Ours
from .seeding import seeded
from .work import Work
from .workerd import Workerd

BURST = 100_000  # of ours, due at the same millisecond
THEIR_BURST = 500  # of workerd, which would take minutes to set as many
DUE_MS = 2_000_000_000_000  # by the clock of ours, which is ahead
START_MS = 1_500  # from when a host is started until they are due
THEIR_START_MS = (5_000, 20_000, 60_000)  # likewise, and workerd's are set before; until they are
LIGHT_RATE = 200  # a second
LIGHT_SECONDS = 1.5  # times the time of a figure
LIGHT_START_MS = 2_000  # from when they begin to be set until the first one is due
RATE_BAR = 10_000.0  # alarms a second
LATENESS_BAR_MS = 50.0  # at light load
SETTERS = 16
LOOK_SECONDS = 0.2
HANG_SECONDS = 120.0

Server = Ours | Workerd


@dataclass(slots=True)
class Figures:
    """Those of one server."""

    rate: Figure
    p50: Figure
    p99: Figure
    light_p50: Figure
    light_p99: Figure

    @classmethod
    def of(cls, who: str, burst: int) -> Figures:
        """Without rounds."""
        all_due, light = f"{who}, {burst:,} due at once", f"{who}, {LIGHT_RATE} a second"
        return cls(
            Figure(all_due, "alarms/s"),
            Figure(f"{all_due}, lateness p50", "ms"),
            Figure(f"{all_due}, lateness p99", "ms"),
            Figure(f"{light}, lateness p50", "ms"),
            Figure(f"{light}, lateness p99", "ms"),
        )

    def add_burst(self, found: dict[str, Any]) -> None:
        """One round of alarms that were all due at once: the last one says how long all took."""
        add(self.rate, found["count"] / found["last"] * 1000)
        add(self.p50, found["p50"])
        add(self.p99, found["p99"])

    def add_light(self, found: dict[str, Any]) -> None:
        """One round of alarms that were due one after the other."""
        add(self.light_p50, found["p50"])
        add(self.light_p99, found["p99"])


async def run(rounds: int, seconds: float) -> Results:
    """The figures: of ours beside what is asked for, then of workerd."""
    scale = min(1.0, seconds)
    burst, their_burst = int(BURST * scale), int(THEIR_BURST * scale)
    mine, theirs = Figures.of(ours.NAME, burst), Figures.of(workerd.NAME, their_burst)
    with tempfile.TemporaryDirectory(dir=Path.cwd(), ignore_cleanup_errors=True) as name:
        directory = Path(name)
        await seeded(directory / "seed", burst, DUE_MS)
        sides = [partial(of_ours, mine, directory, burst, seconds)]
        if not workerd.missing():
            sides.append(partial(of_workerd, theirs, directory, their_burst, seconds))
        for number in range(rounds):
            for once in sides[::-1] if number % 2 else sides:
                await once(number)
    rows = [
        Row("h", mine.rate, target(RATE_BAR, mine.rate), 1.0),
        Row("h", mine.p50, less_is_better=True),
        Row("h", mine.p99, less_is_better=True),
        Row("h", mine.light_p50, less_is_better=True),
        Row("h", mine.light_p99, target(LATENESS_BAR_MS, mine.light_p99), 1.0, less_is_better=True),
    ]
    if reason := workerd.missing():
        return [*rows, Row("h", skipped(workerd.NAME, reason))]

    late = (theirs.p50, theirs.p99, theirs.light_p50, theirs.light_p99)
    rows[1:1] = [Row("h", mine.rate, theirs.rate), Row("h", theirs.rate)]
    return [*rows, *(Row("h", figure, less_is_better=True) for figure in late)]


async def of_ours(
    figures: Figures, directory: Path, burst: int, seconds: float, number: int
) -> None:
    """One round: a copy of the objects that were seeded, whose alarms are due soon."""
    own = directory / f"ours-{number}"
    await anyio.to_thread.run_sync(shutil.copytree, directory / "seed", own)
    shift_ms = DUE_MS - now_ms() - START_MS
    async with ours.started(own, shift_ms=shift_ms) as host:
        figures.add_burst(await rung(host, burst))
    async with ours.started(directory / f"ours-light-{number}") as host:
        figures.add_light(await light(host, seconds))


async def of_workerd(
    figures: Figures, directory: Path, burst: int, seconds: float, number: int
) -> None:
    """One round: alarms are set by calls, in one process, and run in another, so that no object is
    in memory."""
    figures.add_burst(await their_burst(directory / f"workerd-{number}", burst))
    async with workerd.started(directory / f"workerd-light-{number}") as host:
        figures.add_light(await light(host, seconds))


async def their_burst(directory: Path, burst: int) -> dict[str, Any]:
    """How late alarms of workerd are.

    :raises TimeoutError: setting them took longer than the last of THEIR_START_MS
    """
    for start_ms in THEIR_START_MS:
        own = directory / str(start_ms)
        due_ms = now_ms() + start_ms
        async with workerd.started(own) as host:
            await host.run(Work("ring", SETTERS, burst, count=burst, due_ms=due_ms))
        async with workerd.started(own) as host:
            if now_ms() < due_ms:
                return await rung(host, burst)

    raise TimeoutError(f"workerd takes longer than {THEIR_START_MS[-1]} ms to set {burst} alarms")


async def light(host: Server, seconds: float) -> dict[str, Any]:
    """How late alarms are that are due one after the other."""
    spread_ms = round(seconds * LIGHT_SECONDS * 1000)
    count = max(1, LIGHT_RATE * spread_ms // 1000)
    due_ms = now_ms() + LIGHT_START_MS
    await host.run(Work("ring", SETTERS, count, count=count, due_ms=due_ms, spread_ms=spread_ms))
    return await rung(host, count)


async def rung(host: Server, count: int) -> dict[str, Any]:
    """How late they were, once so many have run.

    :raises TimeoutError: after HANG_SECONDS
    """
    for _ in range(int(HANG_SECONDS / LOOK_SECONDS)):
        if (await host.ask(do="rung"))["count"] >= count:
            return await host.ask(do="late")

        await anyio.sleep(LOOK_SECONDS)
    raise TimeoutError(f"{count} alarms have not all run after {HANG_SECONDS} s")


def add(figure: Figure, value: float) -> None:
    """One round more."""
    figure.rates.append(value)
    progress(figure)


def now_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000
