"""One thing that is measured over open sockets: some time to warm up, then the time that counts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, cast

from .meter import Meter, quiet

WARM_UP = 0.3  # of the time that is measured
HANG_SECONDS = 60.0
OPENED_AT_ONCE = 50


class Run:
    """What its sockets share. `open`: they send on. `done`: what has happened since it began. `ended`:
    when nothing is in flight any more, or why it has failed."""

    def __init__(self) -> None:
        self.open = False
        self.done = 0
        self._result: dict[str, Any] = {}
        self._transports: list[asyncio.Transport] = []
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def made(self, transport: asyncio.Transport) -> None:
        """A connection is the run's, and closed with it."""
        self._transports.append(transport)

    def drained(self) -> None:
        """Nothing is in flight any more, and nothing is sent."""
        if not self.ended.done():
            self.ended.set_result(None)

    def fail(self, reason: str) -> None:
        """What was measured is wrong, or will never end."""
        if not self.ended.done():
            self.ended.set_exception(ConnectionError(reason))

    def closed(self, result: dict[str, Any]) -> None:
        """The time is up: add to what the meter found."""

    async def over(self, pid: int, seconds: float, begin: Callable[[], object]) -> dict[str, Any]:
        """Warm up, then measure; `begin()` sends what is in flight from then on. The server is left
        with nothing to do. What the meter found is returned.

        :raises ConnectionError: a connection was lost, or something else came than was sent for
        :raises TimeoutError: what was sent for has not come in HANG_SECONDS
        """
        async with asyncio.timeout(2 * seconds + HANG_SECONDS):
            await quiet(pid)
            for share in (WARM_UP, 1.0):
                await self._once(pid, seconds * share, begin)
            for transport in self._transports:
                transport.abort()
            await quiet(pid)
        return self._result

    async def _once(self, pid: int, seconds: float, begin: Callable[[], object]) -> None:
        loop = asyncio.get_running_loop()
        self.ended = loop.create_future()
        self.done = 0
        self.open = True
        meter = Meter(pid)

        def close() -> None:
            if not self.done:  # it would be no rate
                loop.call_later(seconds, close)
                return

            self._result = meter.result(self.done)
            self.closed(self._result)
            self.open = False

        loop.call_later(seconds, close)
        begin()
        await self.ended


class Wire(asyncio.Protocol):
    """A connection of a run, whose loss ends it."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.rest = 0  # bytes of something that is not whole

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self.write = cast("asyncio.Transport", transport).write  # which uvloop's is not by name
        self.run.made(cast("asyncio.Transport", transport))

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self.run.fail(f"the server closed a connection: {exc}")


async def all_of(opening: Iterable[Callable[[], Awaitable[None]]]) -> None:
    """Open connections, a few at a time: a server may refuse what it cannot accept in time."""
    limit = asyncio.Semaphore(OPENED_AT_ONCE)

    async def one(open_it: Callable[[], Awaitable[None]]) -> None:
        async with limit:
            await open_it()

    await asyncio.gather(*map(one, opening))
