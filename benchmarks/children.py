"""Processes that a benchmark starts: each reads commands and answers them, a JSON line for each.

A child ends when its input does, so none outlives the benchmark.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

REPOSITORY = Path(__file__).parent.parent  # where this package is found
MAX_ANSWER_BYTES = 1 << 20
ANSWER_SECONDS = 600.0
SCHEDULED = 2  # of the clocks of a process (clock_getcpuclockid): the one of the scheduler

Answer = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


class Child:
    """A process that was started."""

    def __init__(self, process: Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.pid = process.pid
        self._commands = process.stdin
        self._answers = BufferedByteReceiveStream(process.stdout)

    async def answer(self) -> dict[str, Any]:
        """Its next line.

        :raises TimeoutError: after ANSWER_SECONDS
        :raises anyio.IncompleteRead: the process has ended; why is on standard error
        """
        with anyio.fail_after(ANSWER_SECONDS):
            line = await self._answers.receive_until(b"\n", MAX_ANSWER_BYTES)
        answer: dict[str, Any] = json.loads(line)
        return answer

    async def ask(self, **command: Any) -> dict[str, Any]:
        """Its answer to this command."""
        await self._commands.send(json.dumps(command).encode() + b"\n")
        return await self.answer()


@asynccontextmanager
async def started(command: Sequence[str]) -> AsyncGenerator[Child]:
    """The process, until the block ends: then it is killed, whatever it has left to do."""
    process = await anyio.open_process(command, stderr=None, cwd=REPOSITORY)
    try:
        yield Child(process)
    finally:
        if process.returncode is None:
            process.kill()
        with anyio.CancelScope(shield=True):
            await process.aclose()


def module(name: str, *arguments: str) -> list[str]:
    """The command that runs a module of this package."""
    return [sys.executable, "-m", f"{__package__}.{name}", *arguments]


async def serve(answer: Answer) -> None:
    """In the child: answer commands until there are no more."""
    while line := await anyio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True):
        say(await answer(json.loads(line)))


def say(answer: dict[str, Any]) -> None:
    """In the child: write one line."""
    print(json.dumps(answer), flush=True)


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has used, of all its threads, as the scheduler counts it: to the
    nanosecond, where /proc has ticks. On Linux alone."""
    return time.clock_gettime((~pid << 3) | SCHEDULED)


def memory_kib(pid: int) -> dict[str, int]:
    """Resident memory of a process in KiB: `all`, and `own` without the pages of files."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    found = dict(line.split(":", 1) for line in lines)
    return {"all": int(found["VmRSS"].split()[0]), "own": int(found["RssAnon"].split()[0])}
