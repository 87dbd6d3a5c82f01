"""A well-behaved client beside the hostile ones: it is to be served, whatever they do."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
import anyio.lowlevel

from roomhost.runtime.intake import Reason

from . import raw
from .raw import Raw


@dataclass
class Good:
    """Has a WebSocket of its own, and asks over a connection that stays open. `seconds`: how long each
    of its requests and messages took."""

    url: str
    socket: Raw
    seconds: list[float] = field(default_factory=list)

    async def ask(self, times: int = 1) -> None:
        """So many requests, on one new connection, and messages."""
        async with await raw.connect(self.url) as client:
            for _ in range(times):
                begun = time.perf_counter()
                answer = await client.ask(raw.get("/mirror/good/count"))
                assert answer.status == 200, answer
                self.seconds.append(time.perf_counter() - begun)
                begun = time.perf_counter()
                await self.socket.send(raw.frame(raw.TEXT, b"hello"))
                opcode, payload = await self.socket.frame()
                while opcode == raw.PING:
                    await self.socket.send(raw.frame(raw.PONG, payload))
                    opcode, payload = await self.socket.frame()
                assert (opcode, payload) == (raw.TEXT, b"hello")
                self.seconds.append(time.perf_counter() - begun)

    def milliseconds(self, share: float) -> float:
        """The latency that this share of them did not pass."""
        known = sorted(self.seconds)
        return round(1000 * known[min(len(known) - 1, int(share * len(known)))], 2)


@asynccontextmanager
async def beside(url: str) -> AsyncGenerator[Good]:
    """A good client, which is served once more when the others are done."""
    async with raw.web_socket(url, "/mirror/good/ws") as socket:
        good = Good(url, socket)
        await good.ask()
        yield good
        await good.ask()


async def until(counts: Counter[Reason], reason: Reason, number: int) -> None:
    """Return when so many were turned away."""
    with anyio.fail_after(raw.SECONDS):
        while counts[reason] < number:
            await anyio.lowlevel.checkpoint()
