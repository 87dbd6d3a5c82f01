"""How a WebSocket begins: two ends of one connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .web_socket import WebSocket

if TYPE_CHECKING:
    from collections.abc import Iterator


class WebSocketPair:
    """Two ends of one connection: `client` goes out in a response, `server` is accepted.

    Unpacks as `client, server = WebSocketPair()`; members 0 and 1 as in Cloudflare.
    """

    __slots__ = ("client", "server")

    def __init__(self) -> None:
        self.client = WebSocket()
        self.server = WebSocket()
        self.client.join(self.server)

    def __getitem__(self, index: int) -> WebSocket:
        return (self.client, self.server)[index]

    def __iter__(self) -> Iterator[WebSocket]:
        return iter((self.client, self.server))
