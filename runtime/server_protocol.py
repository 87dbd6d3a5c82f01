"""uvicorn's WebSocket protocol, with what ASGI has no words for.

An object decides with which code its connection closes, also when the client closed first
(semantics.md 7.7); a reset drops it without a close frame (3.4); a client that breaks the protocol,
by a message over 32 MiB say, is told so, and its object too (7.8). A connection that carries calls
from another process is asked to drain when the server stops, before it is closed. And no client can
keep a connection by not reading: one that was closed is dropped after a while. One that is busy
sending is not taken for lost because its pong waits behind what it sent.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

from websockets.frames import Close, Frame, Opcode
from websockets.protocol import State

from . import limits
from .connection import LINK_EXTENSION, End
from .direct_connection import DIRECT_EXTENSION
from .direct_protocol import REASONS, DirectProtocol
from .intake import Reason
from .joined_writes import JoinedWrites
from .remote_server import DRAIN_EXTENSION

if TYPE_CHECKING:
    from asyncio import BaseTransport, Transport
    from collections.abc import Callable


class WebSocketProtocol(DirectProtocol):
    """One connection; to a `Connection` it is its `Link`."""

    _drain: Callable[[], None] | None = None

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(JoinedWrites(cast("Transport", transport), self.loop))

    async def run_asgi(self) -> None:
        extensions: dict[Any, Any] = self.scope.setdefault("extensions", {})
        extensions[LINK_EXTENSION] = extensions[DIRECT_EXTENSION] = self
        extensions[DRAIN_EXTENSION] = self._drain_with
        try:
            await super().run_asgi()
        finally:
            extensions.clear()  # of this, which holds them: see `connection_lost`
        if not self.disconnected and self.close_timer is None:
            self._hang_up()

    async def send(self, message: Any) -> None:
        await super().send(message)
        if message["type"] == "websocket.close" and self.close_timer is not None:
            self._close_after(limits.CLOSE_SECONDS)
        if self.initial_response is not None and self.close_sent:
            # The refusal is complete, which uvicorn would log as an error of the application.
            self.handshake_complete = True

    def abort(self) -> None:
        """Drop the connection without a close frame: the client sees 1006."""
        self.transport.abort()

    def close(self, code: int | None, reason: str) -> None:
        """Send the close frame, the first one or the answer to the client's. None: without a code."""
        if self.transport.is_closing() or self.close_sent:
            return

        self.close_sent = True
        self._read_on()
        if self.conn.state is State.OPEN:
            self.conn.send_close(code, reason)
            self.transport.write(b"".join(self.conn.data_to_send()))
            self._close_after(limits.CLOSE_SECONDS)
        else:
            data = b"" if code is None else Close(code, reason).serialize()
            self.transport.write(Frame(Opcode.CLOSE, data).serialize(mask=False))
            self._hang_up()

    def handle_close(self, event: Frame) -> None:
        if self.close_sent:
            self._hang_up()
            return

        # websockets has prepared an echo already; the object's answer goes out in its place.
        self.conn.data_to_send()
        self._ended(End.CLOSED, self.conn.close_rcvd)
        self._close_after(limits.CLOSE_SECONDS)

    def handle_parser_exception(self) -> None:
        # uvicorn closes at once. With input unread that resets the connection, and the client may
        # never see the code: so what still comes is read, for nothing, a little longer.
        close = self.conn.close_sent
        self._ended(End.FAILED, close)
        if close is not None:
            self._intake.count(REASONS.get(close.code, Reason.PROTOCOL_ERROR))
        self._forget()
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self._read_on()
        self._close_after(limits.LINGER_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.end is None:
            self.end = End.LOST
        super().connection_lost(exc)
        self.detach()  # no circle keeps for a collection what a lost connection has held

    def send_keepalive_ping(self) -> None:
        self._heard = False
        super().send_keepalive_ping()

    def keepalive_timeout(self) -> None:
        # The pong of a client that sends faster than its object takes is behind all of that: it is
        # silence that tells of a lost client.
        if self._heard or self.read_paused:
            self._heard = False
            assert self.ping_timeout is not None
            self.pong_timer = self.loop.call_later(self.ping_timeout, self.keepalive_timeout)
            return

        closing = self.close_sent or self.transport.is_closing()
        super().keepalive_timeout()
        if not closing:
            self._intake.count(Reason.NO_PONG)
            self._hang_up()

    def shutdown(self) -> None:
        drain, self._drain = self._drain, None
        if drain is not None and self.end is None and not self.close_sent:
            drain()
        elif self.end is None:
            if not self.handshake_complete:
                self._put_off()
            super().shutdown()
            self._hang_up()
        else:
            self.stop_keepalive()
            self._hang_up()

    def _put_off(self) -> None:
        """Answer an upgrade that the stop has overtaken: the client may come again, to whoever follows."""
        if self.initial_response is None:
            response = self.conn.reject(HTTPStatus.SERVICE_UNAVAILABLE, "this server stops\n")
            response.headers["Retry-After"] = "1"
            self.conn.send_response(response)
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.close_sent = True
            # As if the connection were lost already: what the application still answers is dropped.
            self.handshake_complete = self.disconnected = True

    def _drain_with(self, drain: Callable[[], None]) -> None:
        self._drain = drain

    def _ended(self, end: End, close: Close | None) -> None:
        assert close is not None
        self.end = end
        self.queue.put_nowait(
            {"type": "websocket.disconnect", "code": int(close.code), "reason": close.reason}
        )

    def _close_after(self, seconds: float) -> None:
        self._set_timer(seconds, self._hang_up)

    def _hang_up(self) -> None:
        """Close once everything is written, or after a while in which the client does not read it."""
        self.transport.close()
        self._set_timer(limits.LINGER_SECONDS, self.transport.abort)

    def _set_timer(self, seconds: float, then: Callable[[], None]) -> None:
        if self.close_timer is not None:
            self.close_timer.cancel()
        self.close_timer = self.loop.call_later(seconds, then)
