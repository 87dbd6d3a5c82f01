"""An actor with memory and sockets, for stories about the end of an instance."""

from __future__ import annotations

from typing import Any

from roomhost.bindings import App, DurableObjectStub
from roomhost.runtime import DurableObjectState, Request, Response, WebSocket, WebSocketPair

from .scripted import Scripted


class Mortal(Scripted):
    """Has memory; `fetch` accepts a socket, one that hibernates unless the path is `/standard`."""

    def __init__(self, ctx: DurableObjectState, env: Any) -> None:
        super().__init__(ctx, env)
        self.memory: list[Any] = []

    async def fetch(self, request: Request) -> Response:
        pair = WebSocketPair()
        if request.url.path == "/standard":
            pair.server.accept()
        else:
            self.ctx.accept_web_socket(pair.server)
        return Response(status=101, web_socket=pair.client)

    async def remember(self, value: Any) -> list[Any]:
        self.memory.append(value)
        return self.memory

    async def stored(self) -> dict[str, Any]:
        return await self.ctx.storage.list()

    async def pre_shutdown(self, info: object) -> None:
        """Cloudflare's hook, by its name."""
        raise AssertionError("nobody calls it")


app = App(name="mortal", bindings={"OBJECT": Mortal})


async def opened(stub: DurableObjectStub, path: str = "/") -> WebSocket:
    """The client end of a socket of the object."""
    response = await stub.fetch(f"http://x{path}", headers={"upgrade": "websocket"})
    assert response.web_socket is not None
    response.web_socket.accept()
    return response.web_socket
