"""What answers where the application does not start: the page, whatever is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..runtime import Response
from ..runtime.asgi import refuse
from ..runtime.bounded_server import BoundedServer
from .dev_page import HEADERS, failure_response
from .dev_text import failure_text

if TYPE_CHECKING:
    import socket

    from ..runtime import HostSettings
    from ..runtime.application import Receive, Scope, Send
    from .dev_failure import Failure

RETRY = {"retry-after": "1"}
HEALTH = ("/healthz", "/readyz")


class FailedApplication:
    """An ASGI application: 500 and why, 503 for who asks after its health, and for a WebSocket a
    refusal that clients try again after."""

    def __init__(self, failure: Failure) -> None:
        self._failure = failure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await refuse(scope, receive, send, self._response(scope))

    def _response(self, scope: Scope) -> Response:
        if scope["type"] == "websocket":
            text = failure_text(self._failure, everything=True).plain
            return Response(text, status=500, headers={**HEADERS, **RETRY})

        if scope["path"] in HEALTH:
            text = f"does not start: {self._failure.summary}\n"
            return Response(text, status=503, headers={**HEADERS, **RETRY})

        return failure_response(self._failure, scope["headers"], running=False)


async def serve_failure(failure: Failure, settings: HostSettings, listening: socket.socket) -> None:
    """Serve until SIGTERM."""
    server = BoundedServer(FailedApplication(failure), settings, relieved=True)
    await server.serve(sockets=[listening])
