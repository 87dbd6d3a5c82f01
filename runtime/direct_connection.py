"""One network WebSocket of our own server, joined to the client end of an actor's pair without ASGI's
messages: no queue, no dictionary and no task's wake between a frame and the object.

It does what `Connection` does, which serves where the application is behind another server, or behind
something that has put itself around `receive` or `send`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from .backend import current_backend
from .close import LOST, NO_CODE, Close
from .connection import Link, accept_message, tell_object
from .traffic import traffic_of

if TYPE_CHECKING:
    from .application import Receive, Scope, Send
    from .http import Response
    from .traffic import Traffic

DIRECT_EXTENSION = "roomhost.direct"  # its value is a `DirectLink`


class DirectLink(Link, Protocol):
    """The server's side of a connection that takes and gives messages at once. `blocked`: the client
    has to read before it takes more; `traffic`: where it counts."""

    blocked: bool
    traffic: Traffic

    async def receive(self) -> Any: ...

    async def send(self, message: Any) -> None: ...

    def attach(self, connection: DirectConnection) -> None:
        """Give `connection` what the client sends, from now on."""
        ...

    def read_on(self) -> None:
        """Give the connection more messages, soon: `received` returned False."""
        ...

    def write(self, message: str | bytes) -> bool:
        """Send a message, or drop it when the client takes none any more. False: it is blocked, and
        the connection is told by `writable` when it is so no longer."""
        ...


def direct_link(scope: Scope, receive: Receive, send: Send) -> DirectLink | None:
    """The link that may be used directly; None: there is none, or somebody listens in between."""
    extensions: dict[str, Any] = scope.get("extensions") or {}
    link: DirectLink | None = extensions.get(DIRECT_EXTENSION)
    if link is None or receive != link.receive or send != link.send:
        return None

    return link


class DirectConnection:
    """Carries messages both ways until one side closes, or the connection is lost.

    Its methods, but for `run`, are called by the link and by the socket.
    """

    __slots__ = ("_closing", "_link", "_over", "_response", "_socket")

    def __init__(self, link: DirectLink, response: Response) -> None:
        assert response.web_socket is not None
        self._socket = response.web_socket
        self._link = link
        link.traffic = traffic_of(self._socket)
        self._response = response
        self._closing = False  # the client has closed
        self._over = current_backend().waiter()

    async def run(self) -> None:
        """Accept the upgrade and serve it to its end."""
        try:
            await self._link.send(accept_message(self._response))
            self._socket.carry_out(self._link.write, self.writable)
            self.writable()
            self._link.attach(self)
            await self._over
        finally:
            # Whatever ended this, the object learns that the client is gone.
            self._socket.let_go()

    def received(self, message: str | bytes) -> bool:
        """A message of the client. Whether another one may come: else `read_on` asks for it."""
        if self._socket.forward(message):
            return True

        self._socket.when_room(self._link.read_on)
        return False

    def disconnected(self, code: int, reason: str) -> None:
        """The client closed, broke the protocol, or is lost."""
        if tell_object(self._socket, self._link.end, self._closing, code, reason):
            self._finish()
        self._closing = True

    def writable(self) -> None:
        """Send what waits, as far as the client reads, and then the close, if one waits."""
        link, socket = self._link, self._socket
        while not (self._over.done() or (link.blocked and socket.holds_messages)):
            frame = socket.take()
            if frame is None:
                return

            if isinstance(frame, Close):
                self._close(frame)
            else:
                link.write(frame)

    def _close(self, close: Close) -> None:
        if close.code == LOST:
            self._link.abort()
        else:
            self._link.close(None if close.code == NO_CODE else close.code, close.reason)
        self._finish()

    def _finish(self) -> None:
        if not self._over.done():
            self._over.set_result(None)
