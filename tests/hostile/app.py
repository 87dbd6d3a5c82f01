"""What the hostile clients are served: an actor that does what it is asked, and rooms."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator

from roomhost.actors import RealtimeLifecycleOptions, realtime
from roomhost.bindings import App
from roomhost.runtime import DurableObject, Request, Response, WebSocket, WebSocketPair

logger = logging.getLogger("hostile")


class Mirror(DurableObject):
    """Echoes messages; `/name` is who it is, `/header` and `/redirect` put the parameter `x` into the
    answer, `/log` into the log, `/upload` says how much came, `/large` is 8 MiB, `/endless` never ends,
    `/count` counts. Of messages, `flood` is answered with 4 MiB in pieces."""

    async def fetch(self, request: Request) -> Response:
        if request.is_upgrade:
            pair = WebSocketPair()
            self.ctx.accept_web_socket(pair.server)
            return Response(status=101, web_socket=pair.client)
        given = request.query_params.get("x", "")
        match request.url.path.rsplit("/", 1)[-1]:
            case "header":
                response = Response("ok")
                response.headers["x-mirror"] = given
                return response
            case "redirect":
                return Response("", status=302, headers={"location": given})
            case "log":
                logger.warning("was told %s", given)
                return Response("ok")
            case "upload":
                return Response.from_json({"bytes": len(await request.body())})
            case "large":
                return Response(b"x" * 2**23)
            case "endless":
                return Response(self._endless())
            case "count":
                count = await self.ctx.storage.get("count", 0) + 1
                await self.ctx.storage.put("count", count)
                return Response.from_json({"count": count})
            case _:
                return Response.from_json({"name": self.ctx.id.name, "id": str(self.ctx.id)})

    async def web_socket_message(self, ws: WebSocket, message: str | bytes) -> None:
        if message == "flood":
            for _ in range(64):
                ws.send(b"x" * 65_536)
        else:
            ws.send(message)

    async def _endless(self) -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 65_536


app = App(
    name="hostile",
    bindings={
        "MIRROR": Mirror,
        "COLLAB": realtime(name="collab"),
        "AGAIN": realtime(name="again", lifecycle=RealtimeLifecycleOptions(allow_recreate=True)),
    },
)
