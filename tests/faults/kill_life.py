"""One data directory whose host is killed again and again, and all who use it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from random import Random

from roomhost.admin.client import AdminClient
from roomhost.runtime import HostError

from ..helpers.host_process import REPOSITORY, HostProcess
from . import kill_app, kill_broken, kill_seams
from .kill_admin import (
    BackedUp,
    back_up_and_kill,
    check_backup,
    check_migration,
    check_soundness,
    deploy,
    run_and_kill,
)
from .kill_alarms import Alarms
from .kill_client import API_KEY, Client, Line, Promise, Record, line_to, suppressed_loss
from .kill_documents import Documents
from .kill_ledgers import Ledgers
from .kill_moments import Blow, Moment
from .kill_rooms import Rooms
from .kill_scraps import Scraps

MOST_SECONDS = 1.5  # that a seam, or a number of acknowledgements, is waited for
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
        self._read = 0  # lines of the log
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

    async def live(self, blows: Sequence[Blow]) -> None:
        """All these kills, and an end."""
        with self.host.killed_at_the_end():
            for blow in blows:
                await self.strike(blow)
            await self.end()

    async def strike(self, blow: Blow) -> None:
        """One run of the host, to its end, and a look at what it left."""
        async with asyncio.timeout(STUCK_SECONDS):
            if blow.moment in (Moment.START, Moment.REPLAY):
                await self._start_and_kill(blow)
            else:
                await self._run_and_kill(blow)
        self.kills[blow.moment] += 1
        self._look_at_remains()

    async def end(self) -> None:
        """One run more, which nobody kills: everything is looked for, and it stops by itself."""
        async with asyncio.timeout(STUCK_SECONDS):
            if not await self._start():
                return

            async with line_to(self.host.url, self.record) as line:
                await self._look(line)
                status = await asyncio.to_thread(self.host.stop)
        self.record.expect(status == 0, Promise.STARTS, f"it stopped with {status}")
        self._look_at_remains()

    def _look_at_remains(self) -> None:
        check_soundness(self.host.data_dir, self.record)
        lines = (self.directory / "log").read_text().splitlines()
        for text in lines[self._read :]:
            self.record.expect(not any(e in text for e in ERRORS), Promise.QUIET, text)
        self._read = len(lines)

    async def _start_and_kill(self, blow: Blow) -> None:
        self._launch(blow.seam)
        if blow.seam:
            listens = await asyncio.to_thread(self.host.first_line)
            self.missed += bool(listens)
        else:
            await asyncio.sleep(blow.seconds)
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

    async def _run_and_kill(self, blow: Blow) -> None:
        if not await self._start():
            return

        async with line_to(self.host.url, self.record) as line:
            await self._look(line)
            async with asyncio.TaskGroup() as group:
                for client in self.clients:
                    for job in client.jobs(line):
                        group.create_task(job)
                await self._kill(line, blow)
                line.over.set()

    async def _look(self, line: Line) -> None:
        try:
            await asyncio.to_thread(AdminClient.local(self.host.data_dir).call, "host")
        except HostError as error:
            self.record.complain(Promise.STARTS, f"operators cannot reach it: {error}")
        for client in self.clients:
            await client.look(line)
        for client in self.clients:
            await client.resume(line)

    async def _kill(self, line: Line, blow: Blow) -> None:
        match blow.moment:
            case Moment.APPEND | Moment.APPLY:
                await self._arm(line, blow.seam)
                await self._await_end(blow.seconds or MOST_SECONDS)
            case Moment.COUNT:
                line.left = blow.count
                with suppress(TimeoutError):
                    await asyncio.wait_for(line.enough.wait(), MOST_SECONDS)
                await asyncio.to_thread(self.host.kill)
            case Moment.BACKUP:
                await self._back_up(blow)
            case Moment.DEPLOY:
                await self._deploy(line, blow)
            case _:
                await asyncio.sleep(blow.seconds)
                await asyncio.to_thread(self.host.kill)
        if blow.moment is Moment.COMPACT:
            compact = ("compact", "--data-dir", str(self.host.data_dir))
            killed = await asyncio.to_thread(run_and_kill, blow.seam, *compact)
            self.missed += not killed

    async def _arm(self, line: Line, seam: str) -> None:
        with suppressed_loss():  # it may come there before it has answered
            await line.env.CONTROL.get_by_name("control").arm(seam)

    async def _await_end(self, seconds: float = MOST_SECONDS) -> None:
        """It kills itself; or it is killed after so long."""
        pid = self.host.pid
        ended = asyncio.create_task(asyncio.to_thread(self.host.wait))
        await asyncio.wait({ended}, timeout=seconds)
        if not ended.done():
            self.missed += 1
            with suppress(ProcessLookupError):  # it has ended just now
                os.kill(pid, signal.SIGKILL)
        await ended

    async def _back_up(self, blow: Blow) -> None:
        await asyncio.sleep(blow.seconds)
        target = self.directory / "backup"
        places = {name: dict(book.places) for name, book in self.ledgers.books.items()}
        promised = await asyncio.to_thread(
            back_up_and_kill, self.host, target, blow.count, blow.victim
        )
        made = BackedUp(target, promised, places, blow.seam)
        await check_backup(made, self.directory, self.version, self.record)

    async def _deploy(self, line: Line, blow: Blow) -> None:
        before = self.version
        self.write(before + 1)
        if blow.seam:
            await self._arm(line, blow.seam)
        deployed = asyncio.create_task(asyncio.to_thread(deploy, self.host))
        if blow.seam:
            await self._await_end()
        else:
            await asyncio.sleep(blow.seconds)
            await asyncio.to_thread(self.host.kill)
        promised = await deployed
        recorded = check_migration(self.host.data_dir, before, promised, self.record)
        self.scraps.deleted(recorded)
        self.version = recorded if promised else self.random.choice((before, before + 1))
        self.scraps.deleted(self.version)
        self.write(self.version)
