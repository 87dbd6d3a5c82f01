"""`kill -9` under full load, again and again: `python -m tests.faults kills --kills 200 --seed 1`.

A host serves sockets, requests, calls, alarms and documents, is backed up, deployed to and compacted,
and is killed meanwhile; it is started again on what it left, and everybody who was promised something
looks for it. Which moments come, and what is asked for, follows from the seed; the machine decides the
rest.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random

from .kill_client import Record
from .kill_life import Life
from .kill_moments import Moment, blows_of


async def run(
    kills: int, seed: int, record: Record, directory: Path
) -> tuple[Counter[Moment], int]:
    """So many kills, in one data directory after another; how many there were at each moment, and how
    many seams were not reached."""
    random = Random(seed)
    done: Counter[Moment] = Counter()
    missed = 0
    while done.total() < kills:
        place = directory / f"life-{done.total()}"
        place.mkdir()
        life = Life(place, random, record)
        with life.host.killed_at_the_end():
            for blow in blows_of(random)[: kills - done.total()]:
                await life.strike(blow)
            await life.end()
        done += life.kills
        missed += life.missed
        if record.complaints:
            break
        shutil.rmtree(place)
    return done, missed


def main(arguments: Sequence[str]) -> int:
    """The command: what was found, and the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    record, begun = Record(), time.monotonic()
    directory = Path(tempfile.mkdtemp(prefix="roomhost-kills-"))
    done, missed = asyncio.run(run(given.kills, given.seed, record, directory))
    print(f"{done.total()} kills with seed {given.seed} in {time.monotonic() - begun:.0f} s")
    for moment, count in done.items():
        print(f"{count:8} {moment.value}")
    print(f"{missed:8} of them later than was meant: their seam was not reached")
    print(f"acknowledged: {dict(record.acknowledged)}")
    print(f"looked for:   {dict(record.checked)}")
    for complaint in record.complaints:
        print(complaint)
    if record.complaints:
        print(f"see {directory}")
    else:
        shutil.rmtree(directory)
    return 1 if record.complaints else 0
