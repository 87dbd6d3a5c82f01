"""(k) What a message costs in a room with a long history, beside one with a short one."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio

from . import children, servers
from .measure import Figure, Results, Row, progress
from .network import Network, busy, in_turn, network, publishing
from .servers import Server, Serving

SHORT, LONG = 10, 1_000_000  # messages in the history
SUBSCRIBERS = (1, 100)
WINDOW = 64  # messages in flight
BAR = 1.3


async def run(rounds: int, seconds: float) -> Results:
    """Durable messages to all who listen. The room with the short history is a new one each time,
    so that it is still short."""
    results: Results = []
    long = int(LONG * min(1.0, seconds))
    seed = partial(seeded, shorts=rounds * len(SUBSCRIBERS), long=long)
    server = Server(servers.OURS.name, servers.nothing_missing, seed)
    async with network([server]) as running:
        for case, subscribers in enumerate(SUBSCRIBERS):
            cost = Costs(subscribers, long)
            for number in range(rounds):
                rooms = {SHORT: f"short-{case * rounds + number}", long: "long"}
                await cost.measure(running, server, rooms, number, seconds)
            results += cost.rows()
    return results


class Costs:
    """The time of a message, and what of it the server computed, with both histories."""

    def __init__(self, subscribers: int, long: int) -> None:
        names = {
            count: f"published to {subscribers} subscriber(s), a history of {count:,}"
            for count in (SHORT, long)
        }
        self._subscribers = subscribers
        self._long = long
        self._found: dict[int, list[dict[str, Any]]] = {count: [] for count in names}
        self._time = {count: Figure(name, "µs/message") for count, name in names.items()}
        self._work = {count: Figure(f"{name}, CPU", "µs/message") for count, name in names.items()}

    async def measure(
        self, running: Network, server: Server, rooms: dict[int, str], number: int, seconds: float
    ) -> None:
        """One round, in these rooms."""
        for count in in_turn(rooms, number):

            def command(name: str, base: str, room: str = rooms[count]) -> dict[str, Any]:
                return publishing(base, [room], self._subscribers, WINDOW)

            found = await running.ask(server, command, seconds)
            self._found[count].append(found)
            self._time[count].rates.append(1e6 / found["rate"])
            self._work[count].rates.append(found["server"] / found["rate"] * 1e6)
            self._time[count].notes.append(busy(self._found[count]))
            progress(self._time[count])

    def rows(self) -> Results:
        """The long history beside the short one."""
        return [
            row
            for figures in (self._time, self._work)
            for row in (
                Row("k", figures[self._long], figures[SHORT], BAR, less_is_better=True),
                Row("k", figures[SHORT]),
            )
        ]


@asynccontextmanager
async def seeded(directory: Path, shorts: int, long: int) -> AsyncGenerator[Serving]:
    """Ours, whose rooms have their histories."""
    for count, rooms in (
        (SHORT, [f"short-{number}" for number in range(shorts)]),
        (long, ["long"]),
    ):
        command = children.module("seed_history", str(directory), str(count), *rooms)
        await anyio.run_process(command, cwd=children.REPOSITORY, stderr=None)
    async with servers.ours(directory) as serving:
        yield serving
