"""(c) A request through an actor's fetch, over real sockets."""

from __future__ import annotations

from typing import Any

from .measure import Results
from .network import missing, network, rows, spread_over
from .servers import OURS, RAW, WORKERD

SERVERS = (OURS, WORKERD, RAW)
BARS = {WORKERD: 1.5, RAW: None}
CONNECTIONS = 64
ROOMS = (1, 64)


async def run(rounds: int, seconds: float) -> Results:
    """Requests of connections that are kept, to one actor and to one each."""
    results: Results = []
    async with network(SERVERS) as servers:
        for rooms in ROOMS:

            def command(server: str, base: str, rooms: int = rooms) -> dict[str, Any]:
                return {
                    "do": "http",
                    "urls": spread_over(f"http://{base}", "echo", rooms, CONNECTIONS),
                }

            name = f"requests, {CONNECTIONS} connections, {rooms} room(s)"
            figures = await servers.compare(command, name, "requests/s", rounds, seconds)
            results += rows("c", figures, BARS)
    return results + missing("c", SERVERS)
