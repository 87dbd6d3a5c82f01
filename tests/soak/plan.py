"""What one run is to do, and where its files are."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import msgspec

from . import limits

VERSION_LINE = "VERSION = 1"  # of the application; a deploy of a changed one has another


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """`sockets` of the clients, over `rooms`; `rate`: actions a second, fixed, so that the load does not
    depend on who else uses the machine; `loads`: processes of clients."""

    minutes: float = 60.0
    sockets: int = 5_000
    rooms: int = 500
    rate: float = limits.DEFAULT_RATE
    loads: int = 1
    seed: int = 1
    sample_seconds: float = limits.SAMPLE_SECONDS
    backup_seconds: float = limits.BACKUP_SECONDS
    deploys: int = 2
    active_seconds: float = limits.ACTIVE_SECONDS
    counters: int = limits.COUNTERS
    tickers: int = limits.TICKERS
    alarm_ms: int = limits.ALARM_MS
    census: bool = False

    @property
    def seconds(self) -> float:
        """Of the traffic."""
        return self.minutes * 60


class Places:
    """The files of a run, in its directory. `earlier`: what an earlier run left there goes."""

    def __init__(self, out: Path, *, earlier: bool = True) -> None:
        self.out = out
        self.plan = out / "plan.json"
        self.state = out / "state"
        self.application = out / "application"
        self.backup = out / "backup"
        self.host = out / "host.jsonl"
        self.events = out / "events.jsonl"
        self.host_log = out / "host.log"
        self.verdict = out / "verdict.json"
        self.report = out / "verdict.md"
        if not earlier:
            self._clear()

    def load(self, number: int) -> Path:
        """What a process of clients samples."""
        return self.out / f"load-{number}.jsonl"

    def load_log(self, number: int) -> Path:
        """What it said on standard error."""
        return self.out / f"load-{number}.log"

    def _clear(self) -> None:
        """FileExistsError: something else is there."""
        if self.out.exists() and any(self.out.iterdir()) and not self.plan.exists():
            raise FileExistsError(
                f"{self.out} is not empty, and no run was there: name another one"
            )

        shutil.rmtree(self.out, ignore_errors=True)
        self.application.mkdir(parents=True)


def write_plan(places: Places, plan: Plan) -> None:
    """Keep it, for who judges."""
    places.plan.write_bytes(msgspec.json.format(msgspec.json.encode(plan)))


def read_plan(places: Places) -> Plan:
    """OSError: there is none."""
    return msgspec.json.decode(places.plan.read_bytes(), type=Plan)


def write_application(places: Places, plan: Plan, version: int) -> None:
    """The application as the host imports it, in one of its versions."""
    source = Path(__file__).with_name("application.py").read_text()
    assert VERSION_LINE in source
    source = source.replace(VERSION_LINE, f"VERSION = {version}")
    source = source.replace("ALARM_MS = 10_000", f"ALARM_MS = {plan.alarm_ms}")
    (places.application / "soak_application.py").write_text(source)


class Lines:
    """A file of JSON lines, each of them there once it is written."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)

    def write(self, line: dict[str, Any]) -> None:
        """One more."""
        self._file.write(msgspec.json.encode(line) + b"\n")

    def close(self) -> None:
        """No more."""
        self._file.close()


def read_lines(path: Path) -> list[dict[str, Any]]:
    """All whole ones; the last one of a run that was killed may be half of one. None: no file."""
    if not path.exists():
        return []

    found: list[dict[str, Any]] = []
    for line in path.read_bytes().split(b"\n")[:-1]:
        found.append(msgspec.json.decode(line, type=dict[str, Any]))
    return found
