"""What every case has: a place, how long it may take, and what it must hold in the end."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..helpers.host_process import COMMAND
from .faulty_host import PROBE_SECONDS, FaultyHost
from .shim import Shim
from .traffic import Recorder, check_kept

Figures = dict[str, float]
Case = Callable[["Stage"], Coroutine[Any, Any, Figures]]
MAX_LINES_A_SECOND = 20  # of stderr: those of resets, and of what began and ended
COMMANDS_SECONDS = 60.0
SAID_SECONDS = 30.0
WELL = "commits succeed again"


@dataclass(frozen=True)
class Stage:
    """Where a case plays. `long`: by the command, not among the tests."""

    scratch: Path
    long: bool = False

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.scratch / "disk" / "data"

    def shim(self) -> Shim:
        """Faults of everything on the stage's disk."""
        (self.scratch / "disk").mkdir(exist_ok=True)
        return Shim(self.scratch, self.scratch / "disk")

    def host(self, shim: Shim | None = None, **settings: object) -> FaultyHost:
        """A host on the data directory."""
        return FaultyHost(self.data, self.scratch, shim=shim, **settings)

    def rounds(self, short: int, long: int) -> range:
        """How often something is done."""
        return range(long if self.long else short)

    async def recover(self, recorder: Recorder, *, examined: bool = False) -> None:
        """A host that nothing fails starts on what is left, finds all that was acknowledged, and says
        nothing of it. `examined`: a doctor finds nothing wrong with the data either."""
        async with self.host() as host:
            assert host.ended is None, host.lines()
            await check_kept(host, recorder)
            assert await host.stop() == 0
            assert host.lines() == []
        if examined:
            status, said = await command("doctor", "--data-dir", str(self.data))
            assert status == 0, said


def check_lines(lines: list[str], seconds: float, *said: str) -> None:
    """AssertionError: what the host wrote in so many seconds is not what people can use: tracebacks,
    floods; or each text of `said` is not in exactly one line."""
    assert not any("Traceback" in line for line in lines), "\n".join(lines[:40])
    most = MAX_LINES_A_SECOND * (seconds + 1)
    assert len(lines) <= most, f"{len(lines)} lines in {seconds:.1f} s: {lines[:10]}"
    for text in said:
        found = [line for line in lines if text in line]
        assert len(found) == 1, f"{text!r} was said {len(found)} times: {lines[:10]}"


async def until_said(host: FaultyHost, text: str) -> list[str]:
    """What the host writes until it has said this, which it does once a second at most. TimeoutError:
    it does not."""
    lines = host.lines()
    async with asyncio.timeout(SAID_SECONDS):
        while not any(text in line for line in lines):
            await asyncio.sleep(PROBE_SECONDS)
            lines += host.lines()
    return lines


async def until_well(host: FaultyHost, lines: list[str]) -> None:
    """Return when the last that the host has said of its commits, in `lines` or since, is that they
    succeed again. TimeoutError: it is not."""
    async with asyncio.timeout(SAID_SECONDS):
        while [WELL in line for line in lines if "commits " in line][-1:] != [True]:
            await asyncio.sleep(PROBE_SECONDS)
            lines += host.lines()


async def command(*arguments: str) -> tuple[int, list[str]]:
    """`roomhost ARGUMENTS`, by itself: its exit status, and what it said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(COMMAND),
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(COMMANDS_SECONDS):
        said, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode().splitlines()
