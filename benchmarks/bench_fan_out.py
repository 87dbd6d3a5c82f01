"""(e) A message of one socket to all sockets of its room, over real sockets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .measure import Results
from .network import missing, network, rows
from .servers import OURS, RAW, SOCKET_IO, WORKERD, Server

SERVERS = (OURS, WORKERD, SOCKET_IO, RAW)
BARS: dict[tuple[int, int], Mapping[Server, float | None]] = {  # by sockets, messages in flight
    (10, 8): {WORKERD: None, SOCKET_IO: None, RAW: 0.7},
    (100, 1): {WORKERD: 1.8, SOCKET_IO: None, RAW: 0.7},
    (100, 8): {WORKERD: 1.8, SOCKET_IO: None, RAW: 0.7},
    (1_000, 8): {WORKERD: None, SOCKET_IO: None, RAW: 0.7},
}


async def run(rounds: int, seconds: float) -> Results:
    """Messages of 64 characters, counted at every socket they come to."""
    results: Results = []
    async with network(SERVERS) as servers:
        for (sockets, window), bars in BARS.items():

            def command(
                server: str, base: str, sockets: int = sockets, window: int = window
            ) -> dict[str, Any]:
                socket_io = server == SOCKET_IO.name
                path = "socket.io/?EIO=4&transport=websocket&room=" if socket_io else "fan-out/"
                return {
                    "do": "fan_out",
                    "url": f"ws://{base}/{path}{sockets}",
                    "sockets": sockets,
                    "window": window,
                    "socket_io": socket_io,
                }

            name = f"fan-out, {sockets:,} sockets, {window} in flight"
            figures = await servers.compare(command, name, "deliveries/s", rounds, seconds)
            results += rows("e", figures, bars)
    return results + missing("e", SERVERS)
