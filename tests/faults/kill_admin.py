"""What operators do to a data directory while its host is killed, and what is left of that."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from select import poll
from typing import Any, cast

from roomhost.admin.client import AdminClient
from roomhost.runtime import HostError
from roomhost.runtime.local_socket import SOCKET_FILE
from roomhost.runtime.testing import host_for
from roomhost.runtime.token_secrets import SECRETS_DRAFT, SECRETS_FILE
from roomhost.storage import DataDirectoryError
from roomhost.storage.catalogue import Catalogue, CatalogueTable, NamespaceState
from roomhost.storage.data_directory import PARTITION
from roomhost.storage.doctor import Circumstances, examine
from roomhost.storage.environment import Environment
from roomhost.storage.finding import Level
from roomhost.storage.map_reader import DATA_FILE, MapReader
from roomhost.storage.restore import restore

from ..helpers.host_process import REPOSITORY, HostProcess
from .kill_app import make_app
from .kill_client import Promise, Record
from .kill_moments import Victim

APPLICATION = "killed:app"
COPY_SECONDS = 20.0  # that a copy gets to see that its host is gone


@dataclass(frozen=True, slots=True)
class BackedUp:
    """What became of a backup. `promised`: its result came; `places`: of the numbers that every
    ledger had acknowledged before it began. `seam`: where its restore is killed first; empty: nowhere."""

    target: Path
    promised: bool
    places: Mapping[str, Mapping[int, int]]
    seam: str = ""


def back_up_and_kill(host: HostProcess, target: Path, lines: int, victim: Victim) -> bool:
    """Kill, once the backup has said so many lines of its progress, or all; whether its result came."""
    promised = False
    told = 0
    with suppress(HostError):
        for line in AdminClient.local(host.data_dir).stream("backup", path=str(target)):
            promised |= "result" in line
            told += 1
            if told == lines:
                break
    with waiting_for(children_of(host.pid)) as children:
        if victim is not Victim.HOST:
            for child in children:
                with suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
        host.kill()
    return promised


def children_of(pid: int) -> list[int]:
    """The processes that one has started."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += map(int, (task / "children").read_text().split())
    return found


@contextmanager
def waiting_for(children: list[int]) -> Generator[list[int]]:
    """Processes that must have ended, by themselves, some time after the block."""
    handles: list[int] = []
    for child in children:
        with suppress(ProcessLookupError):
            handles.append(os.pidfd_open(child))
    try:
        yield children
        for handle in handles:
            ended = poll()
            ended.register(handle)
            assert ended.poll(COPY_SECONDS * 1000), "a copy goes on without its host"
    finally:
        for handle in handles:
            os.close(handle)


async def check_backup(made: BackedUp, directory: Path, version: int, record: Record) -> None:
    """A backup is restored, and has all that was acknowledged before; or there is none."""
    if not made.target.exists():
        record.expect(not made.promised, Promise.BACKUP, "a backup that was made is not there")
        return

    restored = directory / "restored"
    if made.seam:
        run_and_kill(made.seam, "restore", str(made.target), "--data-dir", str(restored))
    try:
        restore(made.target, restored, when="now", force=True)
    except DataDirectoryError as error:
        record.complain(Promise.BACKUP, str(error))
        return
    finally:
        shutil.rmtree(made.target)

    async with host_for(make_app(version), data_dir=restored) as host:
        for name, places in made.places.items():
            count, first, last = await host.env.LEDGER.get_by_name(name).read()
            whole = first == last and len(first) == count
            at = dict(enumerate(first))
            there = whole and all(at.get(place) == number for number, place in places.items())
            record.expect(there, Promise.BACKUP, f"a backup has not all of {name}")
            record.checked["backup"] += len(places)
    shutil.rmtree(restored)


def deploy(host: HostProcess) -> bool:
    """Deploy what the source says now; whether the result came. HostError: it was refused."""
    try:
        lines = list(AdminClient.local(host.data_dir).stream("deploy", application=APPLICATION))
    except HostError as error:
        if isinstance(error.__cause__, OSError) or "ended before" in str(error):
            return False  # it was killed
        raise

    return "result" in lines[-1]


def recorded(data_dir: Path) -> Catalogue:
    """The catalogue of a data directory that no host serves."""
    with MapReader(data_dir / PARTITION, shared=False) as reader:
        return CatalogueTable(cast(Environment, Tables(reader))).read()


class Tables:
    """The tables of a map that is only read, for who reads them in a host."""

    def __init__(self, reader: MapReader) -> None:
        self._reader = reader
        self._tables: dict[str, Any] = {}

    @contextmanager
    def reading(self) -> Generator[Any]:
        """A transaction."""
        with self._reader.reading() as (transaction, self._tables):
            yield transaction

    def cursor(self, transaction: Any, table: str) -> Any:
        """Over a table."""
        return transaction.cursor(db=self._tables[table])


def check_migration(data_dir: Path, before: int, promised: bool, record: Record) -> int:
    """Which version a directory records after a deploy of the one after `before`, of which all is
    recorded, or nothing."""
    catalogue = recorded(data_dir)
    version = sum(not tag.undone for tag in catalogue.tags)
    new = version == before + 1
    names = {each.name: each for each in catalogue.namespaces}
    ledger, scrap = names["LEDGER"].class_name, names.get(f"SCRAP{before}")
    deleted = scrap is None or scrap.state is NamespaceState.DELETED
    agree = ledger == f"Ledger{version}" and deleted is new and (new or version == before)
    text = f"version {version} after {before}, the ledgers are {ledger}, scraps deleted: {deleted}"
    record.expect(agree, Promise.DEPLOY, text)
    record.expect(new or not promised, Promise.DEPLOY, "a deploy that was done is not recorded")
    record.checked["deploy"] += 1
    return version


def run_and_kill(seam: str, *command: str) -> bool:
    """Run a command of `roomhost` that is killed at a seam, if it comes there; whether it was."""
    module = [sys.executable, "-m", "tests.faults.kill_seams", seam]
    done = subprocess.run([*module, *command], cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode != 0


def check_soundness(data_dir: Path, record: Record) -> None:
    """Nothing but notes from the doctor; of a directory that was just begun there may be no map."""
    if not (data_dir / PARTITION / DATA_FILE).exists():
        return

    now = Circumstances(
        now_ms=time.time_ns() // 1_000_000,
        secret_files=(SECRETS_FILE,),
        drafts=(SECRETS_DRAFT,),
        socket=SOCKET_FILE,
        declared=None,
    )
    for finding in examine(data_dir, now):
        wrong = finding.level in (Level.ERROR, Level.WARNING)
        record.expect(not wrong, Promise.SOUND, finding.what)
    record.checked["doctor"] += 1
