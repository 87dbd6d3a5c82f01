"""`kill -9` under full load, again and again: `python -m tests.faults kills --kills 200 --seed 1`.

A host serves sockets, requests, calls, alarms and documents, is backed up, deployed to and compacted,
and is killed meanwhile; it is started again on what it left, and everybody who was promised something
looks for it. Which moments come, and what is asked for, follows from the seed; the machine decides the
rest.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random

from ..helpers.host_process import REPOSITORY, HostProcess
from . import kill_app, kill_broken, kill_seams
from .kill_admin import (
    BackedUp,
    Victim,
    back_up_and_kill,
    check_backup,
    check_migration,
    check_soundness,
    compact_and_kill,
    deploy,
)
from .kill_alarms import Alarms
from .kill_client import API_KEY, Client, Line, Promise, Record, line_to
from .kill_documents import Documents
from .kill_ledgers import Ledgers
from .kill_moments import (
    COMPACT_SEAMS,
    START_SEAMS,
    Moment,
    deploy_seam,
    load_seam,
    moments_of,
)
from .kill_rooms import Rooms
from .kill_scraps import Scraps

START_SECONDS = 0.8  # a little more than a start takes
LOAD_SECONDS = (0.05, 0.5)  # under load, until it is killed at a random time
MOST_SECONDS = 1.5  # that a seam is waited for
COUNTS = (5, 200)  # acknowledgements
STUCK_SECONDS = 90.0  # that one run may take, with all that is looked for
ERRORS = (" ERROR ", "Traceback")  # in a line of the log


class Life:
    """One data directory, and all who use it. `kills`: how often its host was killed, by the moment;
    `missed`: seams that were not reached in time."""

    def __init__(self, directory: Path, random: Random, record: Record, broken: str = "") -> None:
        self.directory = directory
        self.random = random
        self.record = record
        self.kills: Counter[Moment] = Counter()
        self.missed = 0
        environment = {
            "ROOMHOST_API_KEYS": API_KEY,
            "PYTHONPATH": str(REPOSITORY),
            "PYTHONDONTWRITEBYTECODE": "1",  # two versions may be written within a second
            kill_broken.VARIABLE: broken,
            kill_seams.VARIABLE: "",
        }
        self.host = HostProcess(
            "killed:app", directory / "state", environment, directory, directory / "log"
        )
        self.version = 1
        self.write(1)
        self.ledgers, self.scraps = Ledgers(record, random), Scraps(record, random)
        self.clients: list[Client] = [
            *(self.ledgers, self.scraps, Alarms(record, random)),
            *(Rooms(record, random), Documents(record, random)),
        ]

    def write(self, version: int) -> None:
        """Have the source be that of a version."""
        text = Path(kill_app.__file__).read_text()
        changed = text.replace("\nVERSION = 1\n", f"\nVERSION = {version}\n")
        (self.directory / "killed.py").write_text(changed)

    async def kill_at(self, moment: Moment) -> None:
        """One run of the host, to its end, and a look at what it left."""
        async with asyncio.timeout(STUCK_SECONDS):
            if moment in (Moment.START, Moment.REPLAY):
                await self._start_and_kill(moment)
            else:
                await self._run_and_kill(moment)
        self.kills[moment] += 1
        check_soundness(self.host.data_dir, self.record)

    async def end(self) -> None:
        """One run more, which nobody kills: everything is looked for, and it stops by itself."""
        async with asyncio.timeout(STUCK_SECONDS):
            if not await self._start():
                return

            async with line_to(self.host.url, self.record) as line:
                await self._look(line)
                status = await asyncio.to_thread(self.host.stop)
        self.record.expect(status == 0, Promise.STARTS, f"it stopped with {status}")
        check_soundness(self.host.data_dir, self.record)
        for text in (self.directory / "log").read_text().splitlines():
            self.record.expect(not any(e in text for e in ERRORS), Promise.QUIET, text)

    async def _start_and_kill(self, moment: Moment) -> None:
        if moment is Moment.START:
            self._launch()
            await asyncio.sleep(self.random.uniform(0, START_SECONDS))
        else:
            self._launch(self.random.choice(START_SEAMS))
            listens = await asyncio.to_thread(self.host.first_line)
            self.missed += bool(listens)
        await asyncio.to_thread(self.host.kill)

    def _launch(self, seam: str = "") -> None:
        self.host.port = 0  # somebody may have taken the one it had
        self.host.environment[kill_seams.VARIABLE] = seam
        self.host.launch()

    async def _start(self) -> bool:
        self._launch()
        listens = await asyncio.to_thread(self.host.first_line)
        if not listens:
            status = await asyncio.to_thread(self.host.wait)
            log = (self.directory / "log").read_text().splitlines()
            self.record.complain(Promise.STARTS, f"it ended with {status}: {log[-1:]}")
        return bool(listens)

    async def _run_and_kill(self, moment: Moment) -> None:
        if not await self._start():
            return

        async with line_to(self.host.url, self.record) as line:
            await self._look(line)
            async with asyncio.TaskGroup() as group:
                for client in self.clients:
                    for job in client.jobs(line):
                        group.create_task(job)
                await self._kill(line, moment)
                line.over.set()

    async def _look(self, line: Line) -> None:
        for client in self.clients:
            await client.look(line)
        for client in self.clients:
            await client.resume(line)

    async def _kill(self, line: Line, moment: Moment) -> None:
        match moment:
            case Moment.APPEND | Moment.APPLY:
                await self._arm(line, load_seam(moment, self.random))
                await self._await_end()
            case Moment.COUNT:
                line.left = self.random.randint(*COUNTS)
                await asyncio.wait({asyncio.create_task(line.enough.wait())}, timeout=MOST_SECONDS)
                await asyncio.to_thread(self.host.kill)
            case Moment.BACKUP:
                await self._back_up()
            case Moment.DEPLOY:
                await self._deploy(line)
            case _:
                await asyncio.sleep(self.random.uniform(*LOAD_SECONDS))
                await asyncio.to_thread(self.host.kill)
        if moment is Moment.COMPACT:
            seam = self.random.choice(COMPACT_SEAMS)
            killed = await asyncio.to_thread(compact_and_kill, self.host.data_dir, seam)
            self.missed += not killed

    async def _arm(self, line: Line, seam: str) -> None:
        await line.env.CONTROL.get_by_name("control").arm(seam)

    async def _await_end(self) -> None:
        """It kills itself; or it is killed, when it was long enough."""
        pid = self.host.pid
        ended = asyncio.create_task(asyncio.to_thread(self.host.wait))
        await asyncio.wait({ended}, timeout=MOST_SECONDS)
        if not ended.done():
            self.missed += 1
            os.kill(pid, signal.SIGKILL)
        await ended

    async def _back_up(self) -> None:
        target = self.directory / "backup"
        places = {name: dict(book.places) for name, book in self.ledgers.books.items()}
        lines, victim = self.random.randint(1, 6), self.random.choice(list(Victim))
        promised = await asyncio.to_thread(back_up_and_kill, self.host, target, lines, victim)
        made = BackedUp(target, promised, places)
        await check_backup(made, self.directory, self.version, self.record)

    async def _deploy(self, line: Line) -> None:
        before = self.version
        self.write(before + 1)
        timed = self.random.random() < 0.3
        if not timed:
            await self._arm(line, deploy_seam(self.random))
        deployed = asyncio.create_task(asyncio.to_thread(deploy, self.host))
        if timed:
            await asyncio.sleep(self.random.uniform(0, 0.15))
            await asyncio.to_thread(self.host.kill)
        else:
            await self._await_end()
        promised = await deployed
        recorded = check_migration(self.host.data_dir, before, promised, self.record)
        self.scraps.deleted(recorded)
        self.version = recorded if promised else self.random.choice((before, before + 1))
        self.scraps.deleted(self.version)
        self.write(self.version)


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
            for moment in moments_of(random)[: kills - done.total()]:
                await life.kill_at(moment)
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
