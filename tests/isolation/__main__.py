"""`python -m tests.isolation`: how others fare beside an actor that misbehaves, as a table in Markdown.

A host process; a client that counts over HTTP as fast as it is answered; meanwhile the actor does its
thing, three times. What is measured is the client's: answers, the slowest, errors.
"""

from __future__ import annotations

import asyncio
import resource
import time
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from ..helpers.host_process import HostProcess
from .app import WAYS

TIMES = 3
QUIET_SECONDS = 0.5
ADDRESS_SPACE_BYTES = 1024 * 1024 * 1024  # beyond what the process has taken when it starts


@dataclass
class Fare:
    """What one client met: seconds of each answer, and how many failed."""

    seconds: list[float] = field(default_factory=list[float])
    failed: int = 0

    def row(self, way: str, status: str) -> str:
        """Of the table, milliseconds."""
        times = sorted(self.seconds)
        shown = [f"{times[round((len(times) - 1) * share)] * 1000:.1f}" for share in (0.5, 0.99, 1)]
        return f"| {way} | {status} | {' | '.join(shown)} | {self.failed} |"


async def count(url: str, fare: Fare) -> None:
    """Count until cancelled."""
    async with httpx.AsyncClient(timeout=60) as client:
        while True:
            began = time.perf_counter()
            try:
                answer = await client.get(f"{url}/good/a/")
            except httpx.HTTPError:
                fare.failed += 1
                await asyncio.sleep(0.01)
                continue

            fare.seconds.append(time.perf_counter() - began)
            fare.failed += answer.status_code != 200


async def beside(url: str, way: str | None) -> str:
    """How others fare beside it; None: beside nothing."""
    fare = Fare()
    statuses: list[str] = []
    counting = asyncio.create_task(count(url, fare))
    async with httpx.AsyncClient(timeout=60) as client:
        for _ in range(TIMES):
            await asyncio.sleep(QUIET_SECONDS)
            if way is not None:
                answer = await client.get(f"{url}/bad/b/{way.replace(' ', '-')}")
                statuses.append(str(answer.status_code))
        await asyncio.sleep(QUIET_SECONDS)
    counting.cancel()
    await asyncio.gather(counting, return_exceptions=True)
    return fare.row(way or "nothing", " ".join(statuses))


def bound(pid: int) -> None:
    """Give a process so much address space and no more: then MemoryError, not the machine's end."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + ADDRESS_SPACE_BYTES
    resource.prlimit(pid, resource.RLIMIT_AS, (most, most))


async def main() -> None:
    """Print the table."""
    print("| beside an actor that does | its callers get | p50 ms | p99 ms | slowest ms | failed |")
    print("| --- | --- | --- | --- | --- | --- |")
    for way in (None, *WAYS):
        with TemporaryDirectory() as directory:
            log = Path(directory) / "log"
            with HostProcess("tests.isolation.app:app", Path(directory) / "state", log=log) as host:
                bound(host.pid)
                print(await beside(host.url, way), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
