"""Bodies and WebSockets between processes: the same on both sides of a connection.

A stream never holds more than a window of bytes that its reader has not taken: the reader grants
credit as it reads, the writer waits for it. A body that nobody reads is never started.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from anyio import CancelScope

from . import limits
from .errors import OverloadedError
from .remote_frames import Chunk, Closed, Credit, End, ProtocolError, Stop
from .remote_outbox import wake
from .remote_socket import Relay
from .remote_values import describe_error, restore_error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from .backend import Backend, Waiter
    from .remote_frames import Frame, StreamFrame
    from .web_socket import WebSocket


class Streams:
    """The streams of one connection, by number.

    `spawn(function)` runs `await function()` in a task of the connection. `imported`: which errors
    of the other side are rebuilt (`restore_error`). `ended()` is called when a stream has ended.
    """

    def __init__(
        self,
        backend: Backend,
        put: Callable[[Frame], None],
        spawn: Callable[[Callable[[], Awaitable[None]]], object],
        *,
        imported: bool,
        ended: Callable[[], None] | None = None,
    ) -> None:
        self.backend = backend
        self.put = put
        self.spawn = spawn
        self.imported = imported
        self._ended = ended
        self._streams: dict[int, BodySender | IncomingBody | Relay] = {}

    def __len__(self) -> int:
        return len(self._streams)

    def __contains__(self, number: int) -> bool:
        return number in self._streams

    @property
    def busy(self) -> bool:
        """Whether a body is under way."""
        return any(
            not isinstance(stream, Relay) and stream.begun for stream in self._streams.values()
        )

    @property
    def relays(self) -> list[Relay]:
        """The WebSockets among them."""
        return [stream for stream in self._streams.values() if isinstance(stream, Relay)]

    def check_room(self) -> None:
        """OverloadedError: no more streams may be opened now."""
        if len(self._streams) >= limits.MAX_REMOTE_STREAMS:
            raise OverloadedError(
                f"at most {limits.MAX_REMOTE_STREAMS} streaming bodies and WebSockets may be open "
                "over one connection to a host"
            )

    def send_body(self, number: int, source: AsyncIterator[Any]) -> None:
        """Send a body, once the other side begins to read it."""
        self._streams[number] = BodySender(self, number, source)

    def receive_body(self, number: int) -> BodyReader:
        """The body that the other side sends."""
        body = self._streams[number] = IncomingBody(self, number)
        return BodyReader(body)

    def relay(self, number: int, socket: WebSocket) -> None:
        """Join one end of a WebSocket to the one in the other process."""
        self._streams[number] = relay = Relay(
            self.backend, self.put, self.spawn, number, socket, partial(self.forget, number)
        )
        relay.start()

    def frame(self, frame: StreamFrame) -> None:
        """A frame of a stream. One that has ended here is passed over: the other side did not know."""
        stream = self._streams.get(frame.stream)
        if stream is not None:
            stream.frame(frame)

    def refuse(self, number: int, *, web_socket: bool) -> None:
        """The other side opened a stream for nobody."""
        lost = Closed(number, 1006, "", was_clean=False)
        self.put(lost if web_socket else Stop(number))

    def forget(self, number: int) -> None:
        """The stream has ended."""
        self._streams.pop(number, None)
        if self._ended is not None:
            self._ended()

    def lost(self, error: Exception) -> None:
        """The connection is gone, and every stream with it."""
        streams = list(self._streams.values())
        self._streams.clear()
        for stream in streams:
            stream.lost(error)


class BodySender:
    """Sends the chunks of an iterator, which runs from the first credit on, in a task of its own."""

    def __init__(self, streams: Streams, number: int, source: AsyncIterator[Any]) -> None:
        self._streams = streams
        self._number = number
        self._source = source
        self._credit = 0
        self.begun = False
        self._stopped = False
        self._scope: CancelScope | None = None
        self._changed: Waiter | None = None

    def frame(self, frame: StreamFrame) -> None:
        """Credit, or nobody reads any more."""
        if isinstance(frame, Credit):
            self._credit += frame.size
            wake(self._changed)
            if not self.begun:
                self.begun = True
                self._streams.spawn(self._run)
        elif isinstance(frame, Stop):
            self._end()
        else:
            raise ProtocolError(f"{type(frame).__name__} for a body that flows the other way")

    def lost(self, error: Exception) -> None:
        """Nobody reads any more."""
        self._end()

    def _end(self) -> None:
        self._streams.forget(self._number)
        self._stopped = True
        if self._scope is not None:
            self._scope.cancel()

    async def _run(self) -> None:
        with CancelScope() as self._scope:
            if self._stopped:
                self._scope.cancel()
            try:
                await self._send()
            except Exception as error:
                self._finish(error)
            else:
                self._finish(None)
        close = getattr(self._source, "aclose", None)
        if close is not None:
            await close()

    async def _send(self) -> None:
        async for chunk in self._source:
            if not isinstance(chunk, (bytes, bytearray)):
                raise TypeError(f"a chunk of a body is bytes, not {type(chunk).__name__}")

            data = bytes(chunk)
            for start in range(0, len(data), limits.REMOTE_CHUNK_BYTES):
                piece = data[start : start + limits.REMOTE_CHUNK_BYTES]
                while self._credit < len(piece):
                    self._changed = self._streams.backend.waiter()
                    await self._changed
                self._credit -= len(piece)
                self._streams.put(Chunk(self._number, piece))

    def _finish(self, error: Exception | None) -> None:
        if not self._stopped:
            self._streams.forget(self._number)
            self._streams.put(End(self._number, None if error is None else describe_error(error)))


class IncomingBody:
    """What has come of a body and was not read, never more than a window."""

    def __init__(self, streams: Streams, number: int) -> None:
        self._streams = streams
        self._number = number
        self._chunks: deque[bytes] = deque()
        self._credit = 0  # that the other side has left
        self._taken = 0  # by the reader, and not granted again yet
        self.begun = False
        self._ended = False
        self._error: Exception | None = None
        self._changed: Waiter | None = None

    @property
    def waiting_bytes(self) -> int:
        """How much has come and was not read."""
        return sum(map(len, self._chunks))

    def frame(self, frame: StreamFrame) -> None:
        """A chunk, or the end."""
        if isinstance(frame, Chunk):
            self._credit -= len(frame.data)
            if self._credit < 0:
                raise ProtocolError("more of a body came than there was credit for")

            if not frame.data:
                return  # it takes no credit, so nothing would bound how many wait

            self._chunks.append(frame.data)
            wake(self._changed)
        elif isinstance(frame, End):
            error = frame.error
            imported = self._streams.imported
            self._finish(None if error is None else restore_error(error, imported=imported))
        else:
            raise ProtocolError(f"{type(frame).__name__} for a body that flows the other way")

    def lost(self, error: Exception) -> None:
        """The rest will not come."""
        self._finish(error)

    async def next(self) -> bytes:
        """The next chunk. StopAsyncIteration: there is none. Any error that the body ended with."""
        self._grant()
        while not self._chunks and not self._ended:
            if self._changed is not None and not self._changed.done():
                raise RuntimeError("another task is reading this body already")

            self._changed = self._streams.backend.waiter()
            await self._changed
        if self._chunks:
            chunk = self._chunks.popleft()
            self._taken += len(chunk)
            return chunk

        if self._error is not None:
            raise self._error

        raise StopAsyncIteration

    def abandon(self) -> None:
        """Nobody reads this any more; called from any thread."""
        if not self._ended:
            try:
                self._streams.backend.call_from_thread(self._stop)
            except RuntimeError:  # the loop has ended, and the connection with it
                return

    def _grant(self) -> None:
        # At first the whole window, later what was read, in large portions.
        size = self._taken if self.begun else limits.REMOTE_WINDOW_BYTES
        if not self._ended and size >= limits.REMOTE_WINDOW_BYTES // 2:
            self.begun = True
            self._taken = 0
            self._credit += size
            self._streams.put(Credit(self._number, size))

    def _finish(self, error: Exception | None) -> None:
        self._ended = True
        self._error = error
        self._streams.forget(self._number)
        wake(self._changed)

    def _stop(self) -> None:
        if not self._ended:
            self._finish(None)
            self._chunks.clear()
            self._streams.put(Stop(self._number))


class BodyReader:
    """What a reader holds of an incoming body: when it lets go, the writer stops."""

    __slots__ = ("_body",)

    def __init__(self, body: IncomingBody) -> None:
        self._body = body

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        return await self._body.next()

    async def aclose(self) -> None:
        """Read no more."""
        self._body.abandon()

    def __del__(self) -> None:
        self._body.abandon()
