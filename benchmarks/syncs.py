"""How often a server asks the disk to keep what it wrote, counted from outside, by strace.

An append to our commit log is one: its files are opened for synchronous writes.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from .work import Work, Worker

SYNC = re.compile(
    rb"\b(?:(?:fsync|fdatasync|sync_file_range|msync)\(|pwritev2?\(\d+<[^>]*/log-\d+>)"
)
TRACE = "trace=fsync,fdatasync,sync_file_range,msync,pwritev,pwritev2"

Start = Callable[
    ..., AbstractAsyncContextManager[Worker]
]  # `prefix`: a command that runs the command


class Traced:
    """A server under strace."""

    def __init__(self, worker: Worker, log: Path) -> None:
        self._worker = worker
        self._log = log

    async def per_step(self, work: Work) -> float:
        """How many of these calls there are for each step of this work."""
        before = self._calls()
        done = await self._worker.run(work)
        return (self._calls() - before) / done

    def _calls(self) -> int:
        # One that another thread interrupts has two lines, of which the second has no bracket.
        return len(SYNC.findall(self._log.read_bytes()))


def missing() -> str:
    """Why nothing can be counted here, or nothing."""
    return "" if shutil.which("strace") else "strace is not installed: apt-get install strace"


@asynccontextmanager
async def traced(start: Start, log: Path) -> AsyncGenerator[Traced]:
    """What `start` starts, under strace, which stops it at these calls alone."""
    prefix = ["strace", "-f", "--seccomp-bpf", "--quiet=all", "-y", "-e", TRACE, "-o", str(log)]
    async with start(prefix=prefix) as worker:
        try:
            yield Traced(worker, log)
        finally:
            end_children(worker.pid)


def end_children(pid: int) -> None:
    """Kill what strace has started, which would outlive it."""
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(child), signal.SIGKILL)
