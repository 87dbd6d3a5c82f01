"""What our server runs in the rows of the network: the same that its peers do."""

from __future__ import annotations

from roomhost.actors import realtime
from roomhost.bindings import App
from roomhost.runtime import DurableObject, Request, Response, WebSocket, WebSocketPair

COLLAB = "collab"  # the name of the realtime module


class Echo(DurableObject):
    """Answers a request with a word, and a message with itself."""

    async def fetch(self, request: Request) -> Response:
        """Open a socket, where that is asked for."""
        if not request.is_upgrade:
            return Response("hello")

        pair = WebSocketPair()
        self.ctx.accept_web_socket(pair.server)
        return Response(status=101, web_socket=pair.client)

    async def web_socket_message(self, ws: WebSocket, message: str | bytes) -> None:
        """Send it back."""
        ws.send(message)


class FanOut(Echo):
    """Sends a message to every socket it has."""

    async def web_socket_message(self, ws: WebSocket, message: str | bytes) -> None:
        """Send it to all."""
        for each in self.ctx.get_web_sockets():
            each.send(message)


app = App(
    name="network",
    bindings={"ECHO": Echo, "FAN_OUT": FanOut, "COLLAB": realtime(name=COLLAB)},
)
