"""One client of Hocuspocus: its socket, and a socket to the room of each document it opens.

Frames go on in the order they came, document by document; a room that cannot be loaded holds up its
own document alone. A client that does not read is not sent more, until one of its rooms has too much
for it: then it is cut off with 4531. (realtime.md 2.2, 3.8)
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NoReturn

import anyio
from msgspec.structs import replace

from ..runtime.errors import WebSocketClosed
from . import hocuspocus_protocol as protocol
from . import limits
from .caller import Capability
from .connection import SLOW_CONSUMER, send_frame
from .errors import InvalidArgument, RateLimited, Unavailable
from .hocuspocus_protocol import CloseCode, MessageType
from .problems import RETRY_MS, failure_of
from .relayed_document import RelayedDocument, State

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from anyio.abc import TaskGroup

    from ..runtime import Clock, WebSocket
    from .caller import Caller
    from .hocuspocus_protocol import HocuspocusFrame

logger = logging.getLogger("roomhost.actors")

# Of a room's socket: it is over, and another one is good (realtime.md 5.6, RFC 6455).
TRIED_AGAIN = frozenset((1001, 1006, 1012, 1013, 4501, 4503, 4508, 4529, SLOW_CONSUMER))
LEFT = WebSocketClosed(1000, "", True)  # how a document is closed that the client asked to close


class HocuspocusClient:
    """`admit(name, token)`: who the client is in a room, or a RealtimeError. `open_room(name, caller)`:
    the socket of it, likewise. `bound`: a document is closed when its token is over."""

    def __init__(
        self,
        ws: WebSocket,
        admit: Callable[[str, str], Caller],
        open_room: Callable[[str, Caller], Awaitable[WebSocket]],
        clock: Clock,
        *,
        bound: bool,
    ) -> None:
        self._ws = ws
        self._admit = admit
        self._open_room = open_room
        self._clock = clock
        self._bound = bound
        self._documents: dict[bytes, RelayedDocument] = {}
        self._turn = anyio.Lock()  # of the documents that have something for the client
        self._admitted = anyio.Event()
        self._closing = False
        self._warned = False
        self._group: TaskGroup | None = None

    async def run(self) -> None:
        """Serve the client until it has gone."""
        end: WebSocketClosed | None = None
        try:
            async with anyio.create_task_group() as self._group:
                self._group.start_soon(self._expect_token)
                end = await self._read()
                self._group.cancel_scope.cancel()
        except Exception as error:
            logger.error("a client of Hocuspocus could not be served", exc_info=error)
            self._ws.terminate()
        finally:
            self._leave_all(end)

    async def _read(self) -> WebSocketClosed:
        while True:
            try:
                message = await self._ws.receive()
            except WebSocketClosed as closed:
                return closed

            document = None if self._closing else self._hear(message)
            if document is not None:
                await document.room()

    def _hear(self, message: str | bytes) -> RelayedDocument | None:
        """Do what a frame says; the document whose room got it."""
        if message in (protocol.PING, protocol.PONG):
            if message == protocol.PING:
                self._tell(protocol.PONG)
            return None

        try:
            if isinstance(message, str):
                raise InvalidArgument("frames of Hocuspocus are binary")
            frame = protocol.read_frame(message)
        except InvalidArgument as failure:
            self._close(CloseCode.UNAUTHORIZED, failure.code)
            return None

        document = self._documents.get(frame.key)
        data = protocol.to_room(frame)
        if data is not None:
            return self._forward(frame, document, data)

        if frame.type == MessageType.AUTH:
            self._authenticate(frame, document)
        elif frame.type == MessageType.CLOSE:
            if document is not None:
                self._drop(document, LEFT)
        elif not self._warned:
            self._warned = True
            logger.warning("a client of Hocuspocus sends frames of type %d: ignored", frame.type)
        return None

    def _forward(
        self, frame: HocuspocusFrame, document: RelayedDocument | None, data: bytes
    ) -> RelayedDocument | None:
        if document is None:
            document = self._documents[frame.key] = RelayedDocument(frame.key)
        if document.state is State.OPEN:
            document.send(data)
            return document

        document.send(data)
        documents = self._documents.values()
        frames = [waiting for one in documents for waiting in one.waiting]
        if (
            len(frames) > limits.MAX_WAITING_FRAMES
            or sum(map(len, frames)) > limits.MAX_WAITING_BYTES
            or sum(one.state is State.WAITING for one in documents) > limits.MAX_WAITING_DOCUMENTS
        ):
            self._close(CloseCode.RESET, "too much waits for documents that are not open")
        return None

    def _authenticate(self, frame: HocuspocusFrame, document: RelayedDocument | None) -> None:
        if document is None:
            document = RelayedDocument(frame.key)
        try:
            token = protocol.read_token(frame.data)
            if document.caller is not None and not token:
                return  # it has nothing new to say of an open document

            is_new = frame.key not in self._documents
            if is_new and len(self._documents) >= limits.MAX_DOCUMENTS_OF_CLIENT:
                raise RateLimited(f"at most {limits.MAX_DOCUMENTS_OF_CLIENT} documents a socket")

            caller = self._admit(document.name, token)
        except Exception as error:
            self._refuse(document, error)
            return

        if document.caller is not None:
            self._refresh(document, document.caller, caller)
            return

        assert self._group is not None
        self._admitted.set()
        self._documents[frame.key] = document
        document.caller = caller
        document.state = State.OPENING
        self._group.start_soon(self._serve, document)

    def _refuse(self, document: RelayedDocument, error: Exception) -> None:
        """Say that a document is not opened, or not open any more."""
        reason = failure_of(error).code
        is_open = document.state is State.OPEN
        self._drop(document, LEFT)
        say = protocol.close if is_open else protocol.denied
        self._tell(say(document.prefix, reason))

    def _refresh(self, document: RelayedDocument, old: Caller, new: Caller) -> None:
        """A new token for an open document. With other rights its room must be asked again."""
        same = replace(new, expires_at_ms=old.expires_at_ms, presence=old.presence)
        if same != old:
            self._close(CloseCode.RESET, "another token, with other rights")
            return

        document.caller = new
        if document.state is State.OPEN:
            self._greet(document)

    def _greet(self, document: RelayedDocument) -> None:
        readonly = not document.may(Capability.CRDT_WRITE)
        self._tell(protocol.authenticated(document.prefix, readonly))

    async def _serve(self, document: RelayedDocument) -> None:
        """Open a document, and carry what its room sends until that closes."""
        with document.scope:
            try:
                socket = await self._open(document)
            except Exception as error:
                self._refuse(document, error)
                return

            socket.on_overflow = self._cut_off
            socket.accept()
            self._greet(document)
            document.opened(socket)
            async with anyio.create_task_group() as group:
                if self._bound:
                    group.start_soon(self._expire, document)
                try:
                    await self._carry(document, socket)
                except WebSocketClosed as closed:
                    self._room_closed(document, closed)
                group.cancel_scope.cancel()

    async def _open(self, document: RelayedDocument) -> WebSocket:
        """The socket of its room; one that cannot be loaded now is asked again later."""
        assert document.caller is not None
        # Its end is watched here, where the client can be asked for the next token.
        expires_ms = None if self._bound else document.caller.expires_at_ms
        caller = replace(document.caller, expires_at_ms=expires_ms)
        while True:
            try:
                return await self._open_room(document.name, caller)
            except Exception as error:
                failure = failure_of(error)
                if not isinstance(failure, Unavailable):
                    raise failure from None

            wait_ms = failure.retry_after_ms or RETRY_MS
            await self._clock.sleep(wait_ms / 1000)

    async def _carry(self, document: RelayedDocument, socket: WebSocket) -> NoReturn:
        while True:
            frame = await socket.receive()
            assert isinstance(frame, bytes)
            data = protocol.from_room(document.prefix, frame)
            if data is not None:
                async with self._turn:
                    await self._ws.read()
                    self._tell(data)

    def _room_closed(self, document: RelayedDocument, closed: WebSocketClosed) -> None:
        self._drop(document, None)
        if closed.code in TRIED_AGAIN:
            self._close(CloseCode.RESET, closed.reason)
        else:
            self._tell(protocol.close(document.prefix, closed.reason))

    async def _expire(self, document: RelayedDocument) -> None:
        """Ask for a new token when the old one is over, and close the document if none comes."""
        asked_for: int | None = None
        while (expires_ms := document.expires_ms) is not None:
            if expires_ms != asked_for:
                await self._clock.sleep_until(expires_ms)
                if document.expires_ms == expires_ms:
                    self._tell(protocol.token_request(document.prefix))
                    asked_for = expires_ms
                continue

            await self._clock.sleep_until(expires_ms + limits.TOKEN_GRACE_SECONDS * 1000)
            if document.expires_ms == expires_ms:
                self._tell(protocol.close(document.prefix, "grant_expired"))
                self._drop(document, None)
                return

    async def _expect_token(self) -> None:
        """Close a client that was not let into any document in time."""
        await self._clock.sleep(limits.HOCUSPOCUS_AUTH_SECONDS)
        if not self._admitted.is_set():
            self._close(CloseCode.TIMEOUT, "no document was opened")

    def _cut_off(self) -> None:
        """The client does not read: what is on its way to it is dropped, and it is closed."""
        self._ws.set_outgoing_limit(
            max_bytes=1, max_frames=1, code=SLOW_CONSUMER, reason="slow_consumer"
        )
        for _ in range(2):  # one may find nothing that waits
            self._tell(protocol.PONG)

    def _drop(self, document: RelayedDocument, end: WebSocketClosed | None) -> None:
        if self._documents.get(document.key) is document:
            del self._documents[document.key]
        document.leave(end)

    def _leave_all(self, end: WebSocketClosed | None) -> None:
        for document in list(self._documents.values()):
            self._drop(document, end)

    def _tell(self, data: bytes) -> None:
        send_frame(self._ws, data)

    def _close(self, code: CloseCode, reason: str) -> None:
        """Close the whole socket."""
        if not self._closing:
            self._closing = True
            self._ws.close(code, reason)
            self._leave_all(None)
