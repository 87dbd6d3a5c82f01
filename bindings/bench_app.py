"""What `roomhost bench` measures where no application is named."""

from __future__ import annotations

from ..runtime import DurableObject, Request, Response, WebSocket, WebSocketPair
from .app import App

KEYS = 1_000  # of one room, that durable calls go round
VALUE = b"x" * 100  # of each


class Room(DurableObject):
    """Counts, stores, and echoes."""

    count = 0

    async def call(self) -> int:
        """In memory."""
        self.count += 1
        return self.count

    async def store(self) -> int:
        """One durable put of 100 bytes."""
        self.count += 1
        await self.ctx.storage.put(f"key-{self.count % KEYS}", VALUE)
        return self.count

    async def read(self) -> bool:
        """One get."""
        return await self.ctx.storage.get("key-1") is not None

    async def fetch(self, request: Request) -> Response:
        """A socket."""
        pair = WebSocketPair()
        self.ctx.accept_web_socket(pair.server)
        return Response(status=101, web_socket=pair.client)

    async def web_socket_message(self, ws: WebSocket, message: str | bytes) -> None:
        ws.send(message)


class Crowd(Room):
    """Where everybody hears what one says."""

    async def web_socket_message(self, ws: WebSocket, message: str | bytes) -> None:
        for other in self.ctx.get_web_sockets():
            other.send(message)


app = App(name="bench", bindings={"ROOM": Room, "CROWD": Crowd})
