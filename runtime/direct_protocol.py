"""uvicorn's WebSocket protocol, with frames that go straight to a `DirectConnection`, and from it."""

from __future__ import annotations

from contextvars import Context
from typing import TYPE_CHECKING, Any, Literal, cast

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

from . import limits
from .close import NO_CODE, POLICY_VIOLATION, TOO_BIG, TRY_AGAIN_LATER
from .intake import Reason, intake_of
from .message_frames import OTHER, TEXT, FrameReader, carries_little, frame_of
from .small_frames import SmallFrames
from .traffic import Traffic

if TYPE_CHECKING:
    import asyncio

    from .connection import End
    from .direct_connection import DirectConnection

INVALID_DATA = 1007  # RFC 6455, 7.4.1
# Why a connection is ended that breaks the protocol, or asks for too much.
REASONS = {
    INVALID_DATA: Reason.INVALID_TEXT,
    POLICY_VIOLATION: Reason.FLOOD,
    TOO_BIG: Reason.LARGE_MESSAGE,
    TRY_AGAIN_LATER: Reason.INCOMING_BYTES,
}
NOTHING = b""


class FrameProtocol(ServerProtocol):
    """The frames of one connection, as RFC 6455 has them."""

    def recv_frame(self, frame: Frame) -> None:
        if frame.opcode is Opcode.CLOSE:
            # A close may come in the middle of a fragmented message (5.4), and ends the connection as
            # any other does (5.5.1); websockets takes it for an error of the client.
            self.current_size = None
        super().recv_frame(frame)


class DirectProtocol(WebSocketsSansIOProtocol):
    """One connection. Without a `DirectConnection` its messages are ASGI's, as uvicorn has them."""

    end: End | None = None
    blocked = False  # the client has to read before more is written
    _direct: DirectConnection | None = None
    held_bytes = 0  # of what is not whole
    _parts: bytes | bytearray = NOTHING  # of a message in several frames
    _small: SmallFrames | None = None  # once there was one
    _discarded = 0  # bytes that came after the end
    _late_pong = b""  # that waits for the client to read
    _heard = False  # anything of the client, since it was last asked or waited for

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        size = self.config.ws_max_size
        self.conn.parser.close()  # which refers to what is replaced here
        # Without extensions: a frame's payload is the message's.
        self.conn = FrameProtocol(max_size=size, logger=self.conn.logger)
        self._reader = FrameReader(size)
        self._intake = intake_of(self.config)
        self.traffic = Traffic()

    def attach(self, connection: DirectConnection) -> None:
        """Give `connection` what the client sends; first what it has sent before it was accepted."""
        before, self._direct = self.queue, connection
        # Of use for the upgrade alone, and a sixth of what an idle connection takes.
        del self.request, self.response
        # uvicorn puts in what is no message, how the connection ended: nobody else reads it.
        self.queue = cast("asyncio.Queue[Any]", DisconnectQueue(connection, self.loop))
        while not before.empty():
            event = cast("dict[str, Any]", before.get_nowait())
            if event["type"] == "websocket.receive":
                text = event.get("text")
                connection.received(event["bytes"] if text is None else text)
            else:
                self.queue.put_nowait(cast("Any", event))
        self._read_on()

    def detach(self) -> None:
        """The connection is lost, and whoever is attached has been told, or will be soon."""
        self.conn.parser.close()
        if self._direct is not None:
            self._direct = None
            cast("DisconnectQueue", self.queue).let_go()

    def write(self, message: str | bytes) -> bool:
        """Send a message, or drop it once either side has closed. False: the client is `blocked`."""
        if self.blocked:
            return False

        if self.end is None and not self.close_sent:
            frame = frame_of(message)
            traffic = self.traffic
            traffic.messages_out += 1
            traffic.bytes_out += len(frame)
            self.transport.write(frame)
        return True

    def pause_writing(self) -> None:
        self.blocked = True
        super().pause_writing()

    def resume_writing(self) -> None:
        self.blocked = False
        super().resume_writing()
        pong, self._late_pong = self._late_pong, b""
        if pong and not self.close_sent:
            self.transport.write(pong)
        if self._direct is not None:
            self._direct.writable()

    def data_received(self, data: bytes) -> None:
        self._heard = True
        if self.end is not None:
            self._discard(len(data))
            return

        if self.handshake_initiated:
            self.traffic.bytes_in += len(data)
            self._reader.feed(data)
            self._read()
        else:
            super().data_received(data)

    def read_on(self) -> None:
        """Read further, soon: now an object's code may be running, whose context this is not."""
        self.loop.call_soon(self._read_on, context=Context())

    def handle_text(self, event: Frame) -> None:
        self._begin("text", event)

    def handle_bytes(self, event: Frame) -> None:
        self._begin("bytes", event)

    def handle_cont(self, event: Frame) -> None:
        # One buffer: a list of the payloads would take many times as much where they are tiny.
        self._parts += event.data
        if event.fin:
            payload, self._parts = bytes(self._parts), NOTHING
            self._message(self.curr_msg_data_type == "text", payload)

    def handle_ping(self) -> None:
        pong = b"".join(self.conn.data_to_send())
        if self.blocked:
            self._late_pong = pong  # to the newest ping, which is enough (RFC 6455, 5.5.3)
        else:
            self.transport.write(pong)

    def give_up(self) -> None:
        """What is not whole of this connection holds most of what all of them may: end it."""
        if self.end is None and not self.close_sent:
            self._fail(TRY_AGAIN_LATER, "too much is on its way to this host")
        else:  # it is over, and holds what nobody reads
            self._forget()
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        super().connection_lost(exc)

    def _read(self) -> None:
        """Take the frames that came, until a direct connection wants no more, or others have to get
        their turn."""
        left = limits.MAX_FRAMES_AT_ONCE
        while self.end is None and not (self.read_paused and self._direct is not None):
            cut = self._reader.next()
            if cut is None:
                if self._reader.waiting or self.held_bytes or self._parts:
                    self._hold()
                return

            first, data = cut
            if first == OTHER:
                left -= 1
                if carries_little(data, len(self._parts)) and not self._may_send_little():
                    self._fail(POLICY_VIOLATION, "too many frames that carry next to nothing")
                else:
                    super().data_received(bytes(data))
                # One that is paused goes on when its object has room, not before.
                if not left and self._direct is not None and not self.read_paused:
                    self._read_later()
                    return
            else:
                self._message(first == TEXT, data)

    def _begin(self, kind: Literal["text", "bytes"], event: Frame) -> None:
        self.curr_msg_data_type = kind
        self._parts = bytearray()
        self.handle_cont(event)

    def _hold(self) -> None:
        """Count what is not whole: all clients together may have so much of it."""
        intake = self._intake
        held = self._reader.waiting + len(self._parts)
        intake.incoming_bytes += held - self.held_bytes
        self.held_bytes = held
        if not intake.has_room:
            intake.relieve()

    def _forget(self) -> None:
        """Nothing that is not whole will be."""
        self._intake.incoming_bytes -= self.held_bytes
        self.held_bytes = 0
        self._reader = FrameReader(self.config.ws_max_size)
        self._parts = NOTHING

    def _discard(self, size: int) -> None:
        """Something came that nobody wants: it is read for a while, so that the client sees why."""
        self._discarded += size
        if self._discarded > limits.MAX_LINGER_BYTES:
            self.transport.abort()

    def _may_send_little(self) -> bool:
        if self._small is None:
            self._small = SmallFrames()
        return self._small.take(self.loop.time())

    def _fail(self, code: int, reason: str) -> None:
        """End the connection, as one that broke the protocol."""
        if self.conn.state is State.CONNECTING:  # not accepted yet: there is no way to say why
            self._intake.count(REASONS[code])
            self._forget()
            self.transport.abort()
        elif self.end is None and not self.close_sent:
            self.conn.fail(code, reason)
            self.handle_parser_exception()

    def _read_later(self) -> None:
        if not self.read_paused and self.end is None:
            self.read_paused = True
            self.transport.pause_reading()
        self.read_on()

    def _read_on(self) -> None:
        """Read again: first what came before it was paused."""
        if self.read_paused and not self.transport.is_closing():
            self.read_paused = False
            self.transport.resume_reading()
        self._read()

    def _message(self, text: bool, payload: bytes) -> None:
        direct = self._direct
        if self.close_sent:
            return  # the connection is read for the client's close alone

        message: str | bytes = payload
        if text:
            try:
                message = payload.decode()
            except UnicodeDecodeError:
                # What is no UTF-8 closes with 1007 (8.1). uvicorn does that too, with a traceback in
                # the log each time: a client must not be able to fill it.
                self.conn.send_close(INVALID_DATA)
                self.handle_parser_exception()
                return

        if direct is None:
            self.curr_msg_data_type = "text" if text else "bytes"
            self.frames = [payload]
            super().send_receive_event_to_app()
        else:
            self.traffic.messages_in += 1
            if not direct.received(message) and not self.close_sent:
                self.read_paused = True
                self.transport.pause_reading()


class DisconnectQueue:
    """The queue of uvicorn's protocol, once messages do not go through it.

    What it is told comes to the connection in the next turn of the loop, as from a queue: what the
    protocol is about to do comes first.
    """

    __slots__ = ("_connection", "_loop")

    def __init__(self, connection: DirectConnection, loop: asyncio.AbstractEventLoop) -> None:
        self._connection: DirectConnection | None = connection
        self._loop = loop

    def let_go(self) -> None:
        """Of the connection: it has heard all that it is told."""
        self._connection = None

    def put_nowait(self, event: Any) -> None:
        """Take ASGI's `websocket.disconnect`."""
        if self._connection is None:
            return

        code, reason = event.get("code", NO_CODE), event.get("reason") or ""
        self._loop.call_soon(self._connection.disconnected, code, reason, context=Context())
