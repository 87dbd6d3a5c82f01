"""(d) A message to an actor's handler and back, over real sockets."""

from __future__ import annotations

import itertools
from typing import Any

from .measure import Results
from .network import missing, network, rows, spread_over
from .servers import OURS, RAW, WORKERD

SERVERS = (OURS, WORKERD, RAW)
BARS = {WORKERD: 1.5, RAW: 0.6}
SOCKETS = 16
CASES = tuple(itertools.product((1, 16), (1, 8)))  # rooms, messages in flight on a socket


async def run(rounds: int, seconds: float) -> Results:
    """Echoes of 64 characters."""
    results: Results = []
    async with network(SERVERS) as servers:
        for rooms, window in CASES:

            def command(
                server: str, base: str, rooms: int = rooms, window: int = window
            ) -> dict[str, Any]:
                urls = spread_over(f"ws://{base}", "echo", rooms, SOCKETS)
                return {"do": "echo", "urls": urls, "window": window}

            name = f"echo, {SOCKETS} sockets, {rooms} room(s), {window} in flight"
            figures = await servers.compare(command, name, "echoes/s", rounds, seconds)
            results += rows("d", figures, BARS)
    return results + missing("d", SERVERS)
