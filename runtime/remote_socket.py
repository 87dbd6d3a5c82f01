"""A WebSocket between processes: one end of a pair here, joined to one end of a pair there."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from . import limits
from .close import LOST, LOST_REASON, NO_CODE, RESTART, TOO_BIG, Close, check_close
from .errors import WebSocketClosed
from .remote_frames import Binary, Closed, Credit, ProtocolError, Text
from .remote_outbox import wake

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from .backend import Backend, Waiter
    from .remote_frames import Frame, StreamFrame
    from .web_socket import WebSocket

INVALID_TEXT = 1007


class Relay:
    """Carries messages and closes both ways; a close is answered by whoever got it, not here.

    Each side may send while it has credit, so that an object which is slow to begin with messages,
    or a reader that does not take them, holds up this socket's sender, and nobody else.
    """

    def __init__(
        self,
        backend: Backend,
        put: Callable[[Frame], None],
        spawn: Callable[[Callable[[], Awaitable[None]]], object],
        number: int,
        socket: WebSocket,
        forget: Callable[[], None],
    ) -> None:
        self._backend = backend
        self._put = put
        self._spawn = spawn
        self._number = number
        self._socket = socket
        self._forget = forget
        self._credit = limits.REMOTE_WINDOW_BYTES  # left to us
        self._given = limits.REMOTE_WINDOW_BYTES  # left to the other side
        self._arrived: deque[str | bytes | Close] = deque()
        self._may_send: Waiter | None = None
        self._came: Waiter | None = None
        self._sent_close = False
        self._got_close = False
        self._dropped = False  # what was to be carried; its end has closed
        self._ended = False

    def start(self) -> None:
        """Begin to carry."""
        self._socket.on_overflow = self._overflowed
        self._socket.carry()
        self._spawn(self._outgoing)
        self._spawn(self._incoming)

    def frame(self, frame: StreamFrame) -> None:
        """A message, a close, or credit."""
        if isinstance(frame, Credit):
            self._credit += frame.size
            wake(self._may_send)
        elif isinstance(frame, (Text, Binary)):
            if self._given <= 0 or self._got_close:
                raise ProtocolError(
                    "a message of a WebSocket came without credit, or after its end"
                )

            self._given -= _cost(frame.message)
            self._arrive(frame.message)
        elif isinstance(frame, Closed):
            if self._got_close:
                raise ProtocolError("a WebSocket was closed twice")

            _check(frame)
            self._got_close = True
            self._arrive(Close(frame.code, frame.reason, frame.was_clean))
        else:
            raise ProtocolError(f"{type(frame).__name__} for a WebSocket")

    def lost(self, error: Exception) -> None:
        """The connection is gone, without a close frame."""
        self._socket.end(Close(LOST, LOST_REASON, was_clean=False))
        self._finish()

    def restart(self) -> None:
        """The host stops: both ends learn it, as a server and its clients do."""
        self._socket.closed_by_peer(RESTART, "")
        self._close(Close(RESTART, ""))
        self._finish()

    async def _outgoing(self) -> None:
        try:
            while True:
                message = await self._socket.receive()
                while self._credit <= 0 and not (self._ended or self._dropped):
                    self._may_send = self._backend.waiter()
                    await self._may_send
                if self._ended:
                    return
                if not self._dropped and not self._send(message):
                    return
        except WebSocketClosed as closed:
            self._close(Close(closed.code, closed.reason, closed.was_clean))

    def _send(self, message: str | bytes) -> bool:
        self._credit -= _cost(message)
        try:
            if len(message) > limits.MAX_MESSAGE_BYTES:
                raise ValueError("Message is too large")

            if isinstance(message, str):
                self._put(Text(self._number, message))
            else:
                self._put(Binary(self._number, message))
        except ValueError as error:
            code = INVALID_TEXT if isinstance(error, UnicodeError) else TOO_BIG
            close = Close(code, "The message cannot be carried to another process.")
            self._socket.end(close)
            self._close(close)
            return False

        return True

    def _close(self, close: Close) -> None:
        if not self._sent_close and not self._ended:
            self._sent_close = True
            self._put(Closed(self._number, close.code, close.reason, close.was_clean))
            if self._got_close or not close.was_clean:
                self._finish()

    async def _incoming(self) -> None:
        while not self._ended:
            if not self._arrived:
                self._came = self._backend.waiter()
                await self._came
            elif isinstance(frame := self._arrived.popleft(), Close):
                self._closed(frame)
                return
            else:
                await self._deliver(frame)

    async def _deliver(self, message: str | bytes) -> None:
        try:
            self._socket.send(message)
            await self._socket.room()
            await self._socket.read()
        except TypeError:  # closed by our side meanwhile
            pass
        size = _cost(message)
        self._given += size
        self._put(Credit(self._number, size))

    def _closed(self, close: Close) -> None:
        if not close.was_clean:
            self._finish()
            self._socket.end(close)
        elif close.code == NO_CODE:
            self._socket.close()
        else:
            self._socket.close(close.code, close.reason)
        if self._sent_close:
            self._finish()

    def _arrive(self, frame: str | bytes | Close) -> None:
        self._arrived.append(frame)
        wake(self._came)

    def _overflowed(self) -> None:
        self._dropped = True
        wake(self._may_send)

    def _finish(self) -> None:
        self._ended = True
        self._forget()
        wake(self._may_send)
        wake(self._came)


def _check(frame: Closed) -> None:
    if not frame.was_clean or frame.code == NO_CODE:
        return

    try:
        check_close(frame.code, frame.reason)
    except ValueError as error:
        raise ProtocolError("a WebSocket was closed as none can be") from error


def _cost(message: str | bytes) -> int:
    return len(message) + limits.REMOTE_MESSAGE_OVERHEAD_BYTES
