"""One network WebSocket, joined to the client end of an actor's pair."""

from __future__ import annotations

import contextlib
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

import anyio

from . import limits
from .close import LOST, NO_CODE, TOO_BIG
from .errors import WebSocketClosed
from .text import size_of
from .traffic import traffic_of

if TYPE_CHECKING:
    from .application import Receive, Scope, Send
    from .http import Response
    from .web_socket import WebSocket

LINK_EXTENSION = "roomhost.link"  # its value is a `Link`
NORMAL_CLOSURE = 1000
INTERNAL_ERROR = 1011


class End(Enum):
    """How a connection ended, as its server saw it."""

    CLOSED = "closed"  # The client closed, and waits for the answer.
    FAILED = "failed"  # The client broke the protocol, and was told so.
    LOST = "lost"


class Link(Protocol):
    """What our own server can do beyond ASGI. `end` is set before the disconnect arrives."""

    end: End | None

    def abort(self) -> None: ...

    def close(self, code: int | None, reason: str) -> None: ...


class Connection:
    """Carries messages both ways until one side closes, or the connection is lost.

    A client that sends faster than its object begins to handle is read no further; one that reads
    too slowly is closed by its bounded inbox, with 1013 or the object's own code, even while a message
    is stuck on its way, and holds nobody else up.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send, response: Response) -> None:
        assert response.web_socket is not None
        self._socket: WebSocket = response.web_socket
        self._traffic = traffic_of(self._socket)
        self._receive = receive
        self._send = send
        self._response = response
        self._closing = False  # the client has closed
        self._sending = anyio.CancelScope()  # cancelled when what waits for the client is dropped
        extensions: dict[str, Any] = scope.get("extensions") or {}
        self._link: Link | None = extensions.get(LINK_EXTENSION)

    async def run(self) -> None:
        """Accept the upgrade and serve it to its end."""
        try:
            await self._send(accept_message(self._response))
            self._socket.on_overflow = self._sending.cancel
            self._socket.accept()
            async with anyio.create_task_group() as group:
                group.start_soon(self._outgoing, group.cancel_scope)
                await self._incoming()
                group.cancel_scope.cancel()
        finally:
            # Whatever ended this, the object learns that the client is gone.
            self._socket.terminate()

    async def _incoming(self) -> None:
        """Until the connection is over: the client's close is not the end, it waits for the answer."""
        while True:
            message = await self._receive()
            if message["type"] == "websocket.disconnect":
                if self._disconnected(message.get("code", NO_CODE), message.get("reason") or ""):
                    return
                continue

            text = message.get("text")
            self._forward(message["bytes"] if text is None else text)
            await self._socket.room()

    def _forward(self, message: str | bytes) -> None:
        self._traffic.received(size_of(message))
        with contextlib.suppress(TypeError):  # the object has closed meanwhile; `_outgoing` says so
            self._socket.send(message)

    def _disconnected(self, code: int, reason: str) -> bool:
        """Tell the object; whether that is all."""
        end = None if self._link is None else self._link.end
        over = tell_object(self._socket, end, self._closing, code, reason)
        self._closing = True
        return over

    async def _outgoing(self, scope: anyio.CancelScope) -> None:
        try:
            with self._sending:
                while True:
                    await self._send_message(await self._socket.receive())
            await self._socket.receive()  # which raises: nothing waits any more but the close
        except WebSocketClosed as closed:
            await self._close(closed)
        except OSError:  # the client is gone; `_incoming` says how
            return
        scope.cancel()

    async def _send_message(self, message: str | bytes) -> None:
        kind = "text" if isinstance(message, str) else "bytes"
        self._traffic.sent(size_of(message))
        try:
            await self._send({"type": "websocket.send", kind: message})
        except OSError:
            if not (self._closing or self._is_closed_by_client()):
                raise
            # A client that has closed takes no more messages, but waits for the close.

    def _is_closed_by_client(self) -> bool:
        # Its close may have come, and not been looked at yet.
        return self._link is not None and self._link.end is End.CLOSED

    async def _close(self, close: WebSocketClosed) -> None:
        link = self._link
        if link is None:
            # ASGI can send neither a close without a code nor none at all.
            code = {NO_CODE: NORMAL_CLOSURE, LOST: INTERNAL_ERROR}.get(close.code, close.code)
            with contextlib.suppress(OSError), anyio.move_on_after(limits.CLOSE_SECONDS):
                await self._send({"type": "websocket.close", "code": code, "reason": close.reason})
        elif close.code == LOST:
            link.abort()
        else:
            link.close(None if close.code == NO_CODE else close.code, close.reason)


def accept_message(response: Response) -> dict[str, Any]:
    """ASGI's message that accepts the upgrade that `response` answers."""
    headers = response.headers
    return {
        "type": "websocket.accept",
        "subprotocol": headers.get("sec-websocket-protocol"),
        "headers": [pair for pair in headers.raw if pair[0] != b"sec-websocket-protocol"],
    }


def tell_object(socket: WebSocket, end: End | None, closing: bool, code: int, reason: str) -> bool:
    """Tell the object how its client left; `closing`: it has heard a close before. Whether that is
    all: else the client waits for the object's answer."""
    if end is End.FAILED:
        socket.failed(code, "Message is too large" if code == TOO_BIG else reason)
    elif end is End.LOST or code == LOST or closing:
        socket.terminate()
    else:
        socket.closed_by_peer(code, reason)
        return end is None
    return True
