"""What the tests of the server process serve."""

from __future__ import annotations

import anyio
import anyio.lowlevel

from roomhost.bindings import App
from roomhost.runtime import DurableObject, Request, Response, WebSocket, WebSocketPair


class Echo(DurableObject):
    """Counts requests, echoes messages; `/slow` says when it has begun, and ends when a
    file is there."""

    async def fetch(self, request: Request) -> Response:
        if request.is_upgrade:
            pair = WebSocketPair()
            self.ctx.accept_web_socket(pair.server)
            return Response(status=101, web_socket=pair.client)
        action = request.url.path.rsplit("/", 1)[-1]
        if action == "slow":
            for ws in self.ctx.get_web_sockets():
                ws.send("slow begins")
            go_on = anyio.Path(request.query_params["until"])
            while not await go_on.exists():
                await anyio.lowlevel.checkpoint()
        if action == "fail":
            raise ValueError("secret detail")
        if action == "closed":
            return Response.from_json(await self.ctx.storage.get("closed", []))
        if action == "upload":
            return Response.from_json({"bytes": len(await request.body())})
        n = await self.ctx.storage.get("n", 0) + 1
        await self.ctx.storage.put("n", n)
        return Response.from_json({"n": n, "name": self.ctx.id.name, "method": request.method})

    async def web_socket_message(self, ws: WebSocket, message: str | bytes) -> None:
        if message == "abort":
            self.ctx.abort("told to")
        if message == "close":
            ws.close(4_001, "told to")
            return
        if message == "close bare":
            ws.close()
            return
        ws.send(message)

    async def web_socket_close(
        self, ws: WebSocket, code: int, reason: str, was_clean: bool
    ) -> None:
        if reason == "answer 4002":
            ws.close(4_002, "answered")
        closed = await self.ctx.storage.get("closed", [])
        await self.ctx.storage.put("closed", [*closed, [code, reason, was_clean]])

    async def web_socket_error(self, ws: WebSocket, error: Exception) -> None:
        for other in self.ctx.get_web_sockets():
            if other is not ws:
                other.send(f"error: {error}")


app = App(name="server", bindings={"ECHO_ROOM": Echo})
