"""What a good client feels of an attack, and what the host holds meanwhile: against `roomhost serve` in a
process of its own, the attack in another one."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..helpers.host_process import REPOSITORY, HostProcess
from . import raw
from .beside import beside

REFUSAL = re.compile(r'^roomhost_refusals_total\{reason="(\w+)"\} ([1-9][0-9]*)', re.MULTILINE)
PAGE_BYTES = 4_096
BLOCK_BYTES = 512
MIB = 2**20


@dataclass(frozen=True)
class Figures:
    """Of a good client beside an attack: latencies in milliseconds; the memory of the host before and
    while it was attacked, and what is on its disk then, in MiB; what it turned away."""

    attack: str
    count: int
    before: tuple[float, float]  # the median, and that of the slowest hundredth
    during: tuple[float, float]
    memory: tuple[int, int]
    disk: int
    refusals: dict[str, int]

    def __str__(self) -> str:
        told = ", ".join(f"{number} {reason}" for reason, number in self.refusals.items())
        cells = [
            self.attack,
            f"{self.count:,}",
            "{} / {}".format(*self.before),
            "{} / {}".format(*self.during),
            "{} / {}".format(*self.memory),
            str(self.disk),
            told or "none",
        ]
        return f"| {' | '.join(cells)} |"


HEAD = (
    "| attack | connections | good client before, ms (p50 / p99) | meanwhile | "
    "memory, MiB (before / meanwhile) | disk, MiB | turned away |\n"
    "| --- | ---: | ---: | ---: | ---: | ---: | --- |"
)


@contextmanager
def attacking(name: str, port: int, count: int) -> Generator[None]:
    """An attack that has begun, and ends with this."""
    command = [sys.executable, "-m", "tests.hostile.attacks", name, str(port), str(count)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=REPOSITORY, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        try:
            assert process.stdout.readline() == "under way\n"
            yield
        finally:
            process.kill()


async def measured(name: str, count: int, directory: Path, times: int = 200) -> Figures:
    """One attack on a host of its own. The good client asks `times` times before it and meanwhile."""
    environment = {"ROOMHOST_LOG_LEVEL": "error", "ROOMHOST_API_KEYS": "key"}
    with HostProcess("tests.hostile.app:app", directory, environment) as host:
        before = await _asked(host.url, times)
        at_first = _memory(host.pid)
        with attacking(name, host.port, count):
            during = await _asked(host.url, times)
            memory = at_first, max(at_first, _memory(host.pid))
            refusals, disk = await _refusals(host.url), _disk(directory)
        assert host.stop() == 0
    return Figures(name, count, before, during, memory, disk, refusals)


async def _asked(url: str, times: int) -> tuple[float, float]:
    async with beside(url) as good:
        await good.ask(times)
        return good.milliseconds(0.5), good.milliseconds(0.99)


async def _refusals(url: str) -> dict[str, int]:
    async with await raw.connect(url) as client:
        text = (await client.ask(raw.get("/metrics"))).body.decode()
    return {reason: int(number) for reason, number in REFUSAL.findall(text)}


def _disk(directory: Path) -> int:
    files = [path.stat() for path in directory.rglob("*") if path.is_file()]
    return sum(file.st_blocks for file in files) * BLOCK_BYTES // MIB


def _memory(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * PAGE_BYTES // MIB
