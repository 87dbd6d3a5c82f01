"""`kill -9` under full load, again and again: `python -m tests.faults kills --kills 200 --seed 1`.

A host serves sockets, requests, calls, alarms and documents, is backed up, deployed to and compacted,
and is killed meanwhile; it is started again on what it left, and everybody who was promised something
looks for it. Each data directory has a seed, from which the moments of its kills follow; the machine
decides the rest.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from .kill_client import Record
from .kill_life import Life
from .kill_moments import Moment, blows_of


@dataclass(slots=True)
class Figures:
    """What all lives came to. `missed`: kills whose seam was not reached, so that they came later."""

    record: Record = field(default_factory=Record)
    kills: Counter[Moment] = field(default_factory=Counter)
    missed: int = 0

    def lines(self) -> Iterator[str]:
        """For who reads them."""
        for moment in Moment:
            yield f"{self.kills[moment]:8} {moment.value}"
        yield f"{self.missed:8} of them later than was meant: their seam was not reached"
        for what, counts in (
            ("acknowledged", self.record.acknowledged),
            ("looked for after a restart", self.record.checked),
        ):
            yield f"{what}: " + ", ".join(f"{count} {name}" for name, count in counts.items())
        yield from map(str, self.record.complaints)


async def run(kills: int, seed: int, figures: Figures, directory: Path) -> None:
    """So many kills, in one data directory after another, until there is a complaint. The next life
    has the next seed."""
    while figures.kills.total() < kills and not figures.record.complaints:
        place = directory / f"seed-{seed}"
        place.mkdir()
        life = Life(place, Random(seed), figures.record)
        try:
            await life.live(blows_of(seed)[: kills - figures.kills.total()])
        finally:
            figures.kills += life.kills
            figures.missed += life.missed
            print(f"{figures.kills.total()} kills, with the seeds up to {seed}", flush=True)
        if not figures.record.complaints:
            shutil.rmtree(place)
        seed += 1


def main(arguments: Sequence[str]) -> int:
    """The command: what was found, and the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1, help="of the first data directory")
    given = parser.parse_args(arguments)
    figures, begun = Figures(), time.monotonic()
    directory = Path(tempfile.mkdtemp(prefix="roomhost-kills-"))
    try:
        asyncio.run(run(given.kills, given.seed, figures, directory))
    finally:
        print(f"{figures.kills.total()} kills in {time.monotonic() - begun:.0f} s")
        print(*figures.lines(), sep="\n")
        left = any(directory.iterdir())
        print(f"see {directory}" if left else "nothing that was promised is missing")
        if not left:
            directory.rmdir()
    return 1 if figures.record.complaints else 0
