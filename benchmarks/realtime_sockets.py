"""Messages published and delivered over real sockets, with the JSON subprotocol and an API key."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from typing import Any

from .measure import Figure, Results, Row, progress
from .network import Network, busy, network, publishing
from .servers import OURS

CASES = ((1, 1), (1, 10), (1, 100), (100, 1), (100, 10))  # rooms, subscribers of each
IN_FLIGHT = 64  # messages, of all rooms; at least one of each

Puts = Callable[[int], Awaitable[float]]  # of so many rooms, a second


async def run(rounds: int, seconds: float, puts: Puts) -> Results:
    """What is acknowledged and delivered, each beside the puts of as many rooms just before it."""
    results: Results = []
    async with network([OURS]) as servers:
        for rooms, subscribers in CASES:
            case = Case(rooms, subscribers)
            for _ in range(rounds):
                case.puts.rates.append(await puts(rooms))
                await case.measure(servers, seconds)
            results += case.rows()
    return results


class Case:
    """So many rooms, with so many subscribers each."""

    def __init__(self, rooms: int, subscribers: int) -> None:
        name = f"over sockets, {rooms} room(s), {subscribers} subscriber(s)"
        self._rooms = rooms
        self._subscribers = subscribers
        self._numbers = itertools.count()
        self._found: list[dict[str, Any]] = []
        self.puts = Figure(f"durable puts, beside {name}", "puts/s")
        self._acked = Figure(f"published {name}", "messages/s")
        self._heard = Figure(f"delivered {name}", "frames/s")

    async def measure(self, servers: Network, seconds: float) -> None:
        """One round, in new rooms."""
        round_number = next(self._numbers)

        def command(server: str, base: str) -> dict[str, Any]:
            prefix = f"{self._rooms}-{self._subscribers}-{round_number}"
            names = [f"{prefix}-{number}" for number in range(self._rooms)]
            return publishing(base, names, self._subscribers, max(1, IN_FLIGHT // self._rooms))

        found = await servers.ask(OURS, command, seconds)
        self._found.append(found)
        self._acked.rates.append(found["rate"])
        self._acked.notes.append(f"{late('acknowledged', found['acked'])}; {busy(self._found)}")
        self._heard.rates.append(found["heard"])
        self._heard.notes.append(late("heard", found["delivered"]))
        progress(self._acked)

    def rows(self) -> Results:
        """Both beside the puts."""
        return [
            Row("i", self.puts),
            Row("i", self._acked, self.puts),
            Row("i", self._heard, self.puts),
        ]


def late(what: str, percentiles: list[float]) -> str:
    """How long it took."""
    p50, p99 = (seconds * 1000 for seconds in percentiles)
    return f"sent to {what}: p50 {p50:.1f} ms, p99 {p99:.1f} ms"
