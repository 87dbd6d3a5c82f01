"""One network WebSocket, joined to the client end of an actor's pair."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import anyio

from .errors import WebSocketClosed
from .web_socket import LOST, NO_CODE, TOO_BIG

if TYPE_CHECKING:
    from collections.abc import Callable

    from .application import Receive, Scope, Send
    from .http import Response
    from .web_socket import WebSocket

ABORT_EXTENSION = "roomhost.abort"  # a server that can drop a connection without a close frame
FAILURE_EXTENSION = (
    "roomhost.failure"  # a dict: the server sets `failed` when the client broke the protocol
)
NORMAL_CLOSURE = 1000
INTERNAL_ERROR = 1011


class Connection:
    """Carries messages both ways until one side closes, or the connection is lost.

    A client that sends faster than its object begins to handle is read no further; one that reads
    too slowly is closed with 1013 by its bounded inbox, and holds nobody else up.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send, response: Response) -> None:
        assert response.web_socket is not None
        self._socket: WebSocket = response.web_socket
        self._receive = receive
        self._send = send
        self._response = response
        extensions: dict[str, Any] = scope.get("extensions") or {}
        self._abort: Callable[[], object] | None = extensions.get(ABORT_EXTENSION)
        self._failure: dict[str, bool] = extensions.get(FAILURE_EXTENSION, {})

    async def run(self) -> None:
        """Accept the upgrade and serve it to its end."""
        headers = self._response.headers
        protocol = headers.get("sec-websocket-protocol")
        await self._send(
            {
                "type": "websocket.accept",
                "subprotocol": protocol,
                "headers": [pair for pair in headers.raw if pair[0] != b"sec-websocket-protocol"],
            }
        )
        self._socket.accept()
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._outgoing, group.cancel_scope)
                await self._incoming()
                group.cancel_scope.cancel()
        finally:
            # Whatever ended this, the object learns that the client is gone.
            self._socket.terminate()

    async def _incoming(self) -> None:
        socket = self._socket
        while True:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                # A server's own kind of int is no value that an object can store.
                code = int(message.get("code", NO_CODE))
                self._disconnected(code, message.get("reason") or "")
                return

            text = message.get("text")
            if not self._forward(message["bytes"] if text is None else text):
                return
            await socket.room()

    def _forward(self, message: str | bytes) -> bool:
        try:
            self._socket.send(message)
        except TypeError:  # closed by the other side meanwhile
            return False

        return True

    def _disconnected(self, code: int, reason: str) -> None:
        if self._failure.get("failed"):
            # The server has closed with this code already: too large, not UTF-8, no such frame.
            self._socket.failed(code, "Message is too large" if code == TOO_BIG else reason)
        elif code == LOST:
            self._socket.terminate()
        else:
            self._socket.closed_by_peer(code, reason)

    async def _outgoing(self, scope: anyio.CancelScope) -> None:
        socket = self._socket
        try:
            while True:
                message = await socket.receive()
                if isinstance(message, str):
                    await self._send({"type": "websocket.send", "text": message})
                else:
                    await self._send({"type": "websocket.send", "bytes": message})
        except WebSocketClosed as closed:
            with contextlib.suppress(OSError):
                await self._close(closed)
        except OSError:  # the client is gone; `_incoming` says how
            return
        scope.cancel()

    async def _close(self, closed: WebSocketClosed) -> None:
        if closed.code == LOST and self._abort is not None:
            self._abort()
            return

        # ASGI can send neither a close without a code nor none at all.
        code = {NO_CODE: NORMAL_CLOSURE, LOST: INTERNAL_ERROR}.get(closed.code, closed.code)
        await self._send({"type": "websocket.close", "code": code, "reason": closed.reason})
