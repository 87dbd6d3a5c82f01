"""The load generator of all servers of documents: `python -m benchmarks.yjs_load FILE`.

A process of its own that speaks y-protocols over bare WebSocket frames, so that it costs as little
as it can: updates are framed before the time is taken, and of a frame that arrives only the clock
is looked at. Commands are those of `Load`.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import uvloop

from . import children, yjs_updates
from .measure import quantile
from .meter import Meter, quiet
from .web_socket import framed
from .yjs_client import Client, sync_update

FILLED_AT_ONCE = 8


class Load:
    """What it does, by command."""

    def __init__(self, updates: list[bytes]) -> None:
        self._frames = [framed(sync_update(update)) for update in updates]
        self._held: list[Client] = []

    async def answer(self, command: dict[str, Any]) -> dict[str, Any]:
        """Obey."""
        do: Callable[..., Any] = getattr(self, command.pop("do"))
        result: dict[str, Any] = await do(**command)
        return result

    async def spread(
        self, url: str, key: str, readers: int, window: int, seconds: float, pid: int
    ) -> dict[str, Any]:
        """One writer sends for `seconds`, at most `window` updates ahead of the slowest reader."""
        run = Spread(self._frames, window, readers)
        clients = [await Client.open(url, key, run.heard(number)) for number in range(readers)]
        writer = await Client.open(url, key)
        for client in (*clients, writer):
            await client.synced()

        await quiet(pid)
        meter = Meter(pid)
        await run.over(writer, seconds)
        found = meter.result(len(run.latencies))
        for client in (*clients, writer):
            await client.close()
        await quiet(pid)
        return found | {
            "p50": quantile(run.latencies, 0.5),
            "p99": quantile(run.latencies, 0.99),
        }

    async def fill(self, url: str, key: str, documents: int, updates: int) -> dict[str, Any]:
        """Open so many documents by one socket each, give each the first so many updates, and keep
        the sockets."""
        limiter = anyio.CapacityLimiter(FILLED_AT_ONCE)
        frames = b"".join(self._frames[:updates])

        async def one(number: int) -> None:
            async with limiter:
                client = await Client.open(f"{url}-{number}", key)
                self._held.append(client)
                client.send(frames)
                await client.synced()

        async with anyio.create_task_group() as group:
            for number in range(documents):
                group.start_soon(one, number)
        return {"open": len(self._held)}

    async def drop(self) -> dict[str, Any]:
        """Lose the sockets that were kept, whose server may have ended."""
        for client in self._held:
            client.lose()
        self._held = []
        return {}


class Spread:
    """One writer's updates on their way to all readers."""

    def __init__(self, frames: list[bytes], window: int, readers: int) -> None:
        self._frames = frames
        self._window = window
        self._heard = [0] * readers
        self._readers = readers
        self._missing = [readers] * len(frames)
        self._sent_at: list[float] = []
        self._due = 0  # updates that may be sent
        self._deadline = 0.0
        self._writer: Client | None = None
        self._done = asyncio.Event()
        self.latencies: list[float] = []

    async def over(self, writer: Client, seconds: float) -> None:
        """Send until the time is up, or the updates are, and everybody has everything."""
        self._writer = writer
        self._deadline = time.perf_counter() + seconds
        self._due = self._window
        self._send()
        await self._done.wait()

    def heard(self, reader: int) -> Callable[[int], None]:
        """What a reader calls with the clock of each update it gets."""

        def heard(clock: int) -> None:
            self._missing[clock] -= 1
            if not self._missing[clock]:
                self._delivered(clock)

        return heard

    def _delivered(self, clock: int) -> None:
        now = time.perf_counter()
        self.latencies.append(now - self._sent_at[clock])
        if now < self._deadline and len(self._sent_at) + self._due < len(self._frames):
            # What was heard of in this turn of the loop makes room for one write.
            if not self._due:
                asyncio.get_running_loop().call_soon(self._send)
            self._due += 1
        elif len(self.latencies) == len(self._sent_at) and not self._due:
            self._done.set()

    def _send(self) -> None:
        assert self._writer is not None
        first = len(self._sent_at)
        frames = self._frames[first : first + self._due]
        self._due = 0
        self._sent_at += [time.perf_counter()] * len(frames)
        self._writer.send(b"".join(frames))


async def main(path: Path) -> None:
    """Serve commands."""
    load = Load(yjs_updates.read(path))
    children.say({"ready": True})
    await children.serve(load.answer)


if __name__ == "__main__":
    uvloop.run(main(Path(sys.argv[1])))
