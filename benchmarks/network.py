"""How servers are compared over sockets: all are started once, take turns within a round, and have
one load generator, which is a process of its own."""

from __future__ import annotations

import itertools
import statistics
import tempfile
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from . import children
from .children import Child
from .measure import Figure, Results, Row, Side, skipped, take_turns
from .network_app import COLLAB
from .serve_ours import KEY
from .servers import OURS, Server, Serving

T = TypeVar("T")
# What the load generator is told of a case, for a server of this name at this host and port.
Command = Callable[[str, str], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Network:
    """The load generator and the servers that run."""

    load: Child
    running: Mapping[Server, Serving]

    async def ask(self, server: Server, command: Command, seconds: float) -> dict[str, Any]:
        """What the generator finds of this server."""
        serving = self.running[server]
        told = command(server.name, f"127.0.0.1:{serving.port}")
        return await self.load.ask(**told, pid=serving.pid, seconds=seconds)

    async def compare(
        self, command: Command, name: str, unit: str, rounds: int, seconds: float
    ) -> dict[Server, Figure]:
        """A figure of each server."""
        figures = {server: Figure(f"{server.name}, {name}", unit) for server in self.running}
        await take_turns(
            rounds,
            [self._side(figure, server, command, seconds) for server, figure in figures.items()],
        )
        return figures

    def _side(self, figure: Figure, server: Server, command: Command, seconds: float) -> Side:
        found: list[dict[str, Any]] = []

        async def once() -> tuple[float, str]:
            found.append(await self.ask(server, command, seconds))
            return found[-1]["rate"], busy(found)

        return Side(figure, once)


@asynccontextmanager
async def network(servers: Iterable[Server]) -> AsyncGenerator[Network]:
    """Those of the servers that are not missing, until the block ends; their data lies below the
    current directory."""
    async with AsyncExitStack() as stack:
        directory = stack.enter_context(
            tempfile.TemporaryDirectory(dir=Path.cwd(), ignore_cleanup_errors=True)
        )
        load = await stack.enter_async_context(children.started(children.module("load")))
        await load.answer()
        running: dict[Server, Serving] = {}
        for number, server in enumerate(servers):
            if server.missing():
                continue

            own = Path(directory) / str(number)
            own.mkdir()
            running[server] = await stack.enter_async_context(server.started(own))
        yield Network(load, running)


def in_turn(sides: Iterable[T], number: int) -> Sequence[T]:
    """In which order they are measured in this round: the other way round in every second one."""
    ordered = list(sides)
    return ordered if number % 2 == 0 else ordered[::-1]


def rows(
    letter: str, figures: Mapping[Server, Figure], bars: Mapping[Server, float | None]
) -> Results:
    """Ours beside each of those that have a bar, or None for a ratio alone; then they by themselves."""
    ours = figures[OURS]
    beside = [
        Row(letter, ours, figures[peer], bar) for peer, bar in bars.items() if peer in figures
    ]
    alone = [Row(letter, figure) for server, figure in figures.items() if server is not OURS]
    return [*(beside or [Row(letter, ours)]), *alone]


def missing(letter: str, servers: Iterable[Server]) -> Results:
    """A row of each server that is not here, with the reason."""
    reasons = {server.name: server.missing() for server in servers}
    return [Row(letter, skipped(name, reason)) for name, reason in reasons.items() if reason]


def busy(found: Sequence[dict[str, Any]]) -> str:
    """What the servers' processors did for one operation, and how busy both sides were: medians."""
    each, server, client = (
        statistics.median(values)
        for values in zip(
            *((one["server"] / one["rate"] * 1e6, one["server"], one["busy"]) for one in found),
            strict=True,
        )
    )
    limited = ", limited by the client" if any(one["limited"] for one in found) else ""
    return f"{each:.1f} µs CPU each; server {server:.0%} busy, client {client:.0%}{limited}"


def spread_over(base: str, path: str, rooms: int, sockets: int) -> list[str]:
    """URLs of so many sockets, of so many rooms in turn."""
    numbers = itertools.islice(itertools.cycle(range(rooms)), sockets)
    return [f"{base}/{path}/{rooms}-{number}" for number in numbers]


def publishing(base: str, rooms: list[str], subscribers: int, window: int) -> dict[str, Any]:
    """What the load generator is told."""
    return {
        "do": "realtime",
        "urls": [f"ws://{base}/realtime/{COLLAB}/rooms/{room}/ws" for room in rooms],
        "subscribers": subscribers,
        "window": window,
        "key": KEY,
    }
