"""All sockets of a room: who listens, who is here by one, and what is pushed to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..runtime.fan_out import send_to_all
from . import limits
from .connection import Connection, document_tag, member_tag, reader_tag, tags_of
from .errors import RateLimited, Unauthenticated
from .frames import OBJECTS, Protocol, written
from .room_state import DocumentPush, Push

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..runtime import DurableObjectState, WebSocket
    from .errors import RealtimeError, RoomDestroyed

GRANT_EXPIRED = 4503


class Sockets:
    """Over `ctx`, which keeps the sockets while the room sleeps."""

    __slots__ = ("_closed", "_connections", "_ctx")

    def __init__(self, ctx: DurableObjectState) -> None:
        self._ctx = ctx
        self._connections: dict[WebSocket, Connection] = {}
        # Until its close handler has waited for something, a socket that is gone is still listed.
        self._closed: set[WebSocket] = set()

    def __len__(self) -> int:
        return len(self._listed(None))

    def add(self, connection: Connection) -> None:
        """Take a socket. RateLimited: the room, or the member, has as many as may be."""
        if len(self) >= limits.MAX_CONNECTIONS:
            raise RateLimited(f"a room has at most {limits.MAX_CONNECTIONS} connections")

        member_id = connection.caller.member_id
        if member_id is not None:
            count = sum(len(self._listed(tag(member_id))) for tag in (member_tag, reader_tag))
            if count >= limits.MAX_CONNECTIONS_OF_MEMBER:
                raise RateLimited(
                    f"a member has at most {limits.MAX_CONNECTIONS_OF_MEMBER} connections"
                )

        ws = connection.ws
        self._ctx.accept_web_socket(ws, tags_of(connection))
        connection.bound()
        connection.keep()
        self._connections[ws] = connection

    def drop(self, connection: Connection) -> None:
        """Take it back: nobody has its other end, so nobody would ever close it."""
        ws = connection.ws
        self._connections.pop(ws, None)
        ws.terminate()
        ws.forget()

    def find(self, ws: WebSocket) -> Connection:
        """The connection of a socket."""
        connection = self._connections.get(ws)
        if connection is None:
            connection = self._connections[ws] = Connection.of(ws)
        return connection

    def forget(self, ws: WebSocket) -> None:
        """The socket is closed: it counts no more."""
        self._connections.pop(ws, None)
        self._closed = {ws, *self._closed.intersection(self._ctx.get_web_sockets())}

    def is_live(self, member_id: str) -> bool:
        """Whether a member has a socket."""
        return bool(self._listed(member_tag(member_id)))

    def push(self, pushes: Iterable[Push | DocumentPush]) -> None:
        """Send frames to everyone who listens, each encoded once for each protocol."""
        for push in pushes:
            left_out: WebSocket | None = None
            if push.but is not None:
                found = self._ctx.get_web_sockets(f"c:{push.but}")
                left_out = found[0] if found else None
            if isinstance(push, DocumentPush):
                self._push_document(push, left_out)
                continue

            for protocol in OBJECTS:
                listeners = self._listed(protocol.name)
                if listeners:
                    _send_all(listeners, written(push.frame, protocol), left_out)

    def close_all(self, failure: RoomDestroyed) -> None:
        """Close every connection: the room has ended."""
        for ws in self._ctx.get_web_sockets():
            connection = self.find(ws)
            connection.retire()
            connection.close(failure)

    def close_documents(self, failure: RealtimeError) -> None:
        """Close the connections that hold a copy of the document: it is another one now."""
        for ws in self._listed(document_tag(Protocol.YJS)):
            self.find(ws).close(failure)

    def close_expired(self, now_ms: int) -> int | None:
        """Close the connections whose token is over; when the next one's will be."""
        next_ms: int | None = None
        for ws in self._ctx.get_web_sockets():
            connection = self.find(ws)
            end_ms = ends_at(connection)
            if end_ms is None:
                continue

            if end_ms <= now_ms:
                failure = Unauthenticated("the token has expired: connect again with a new one")
                failure.retryable = True
                connection.close(failure, GRANT_EXPIRED)
            else:
                next_ms = end_ms if next_ms is None else min(next_ms, end_ms)
        return next_ms

    def _push_document(self, push: DocumentPush, left_out: WebSocket | None) -> None:
        if push.yjs is not None:
            _send_all(self._listed(document_tag(Protocol.YJS)), push.yjs, left_out)
        if push.frame is None:
            return

        made: bytes | None = None
        for protocol in OBJECTS:
            listeners = self._listed(document_tag(protocol))
            if listeners:
                made = push.frame() if made is None else made
                _send_all(listeners, written(made, protocol), left_out)

    def _listed(self, tag: str | None) -> list[WebSocket]:
        listed = self._ctx.get_web_sockets(tag)
        return [ws for ws in listed if ws not in self._closed] if self._closed else listed


def _send_all(
    listeners: Iterable[WebSocket], frame: str | bytes, left_out: WebSocket | None
) -> None:
    if left_out is not None:
        listeners = [ws for ws in listeners if ws is not left_out]
    send_to_all(listeners, frame)


def ends_at(connection: Connection) -> int | None:
    """When a connection is closed, unless it brings a new token."""
    expires_ms = connection.caller.expires_at_ms
    return None if expires_ms is None else expires_ms + limits.TOKEN_GRACE_SECONDS * 1000
