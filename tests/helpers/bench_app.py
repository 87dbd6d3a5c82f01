"""What the tests of `roomhost bench` measure."""

from __future__ import annotations

from typing import Any

from roomhost.actors import realtime
from roomhost.bindings import App
from roomhost.runtime import DurableObject, Request, Response, WebSocket, WebSocketPair


class Board(DurableObject):
    """Keeps values, and tells everybody but the one who speaks."""

    async def keep(self, key: str, value: Any) -> None:
        """A durable put."""
        await self.ctx.storage.put(key, value)

    async def fail(self) -> None:
        """Never works."""
        raise ValueError("out of order")

    async def fetch(self, request: Request) -> Response:
        pair = WebSocketPair()
        self.ctx.accept_web_socket(pair.server)
        pair.server.send(f"welcome {request.headers.get('x-name', 'nobody')}")
        return Response(status=101, web_socket=pair.client)

    async def web_socket_message(self, ws: WebSocket, message: str | bytes) -> None:
        if message == "close":
            ws.close(4_001, "told to")
        for other in self.ctx.get_web_sockets():
            if other is not ws and message == "tell":
                other.send(message)


app = App(name="boards", bindings={"BOARD": Board, "COLLAB": realtime(name="collab")})
