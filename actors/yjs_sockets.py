"""What happens on the sockets of Yjs clients: y-protocols, as any stock provider speaks it.

A client is answered in the order of its frames. What is refused closes its connection, as there is no
frame to say so; only a reader who writes is told, and stays (realtime.md 2.4, 5.7).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import yjs_protocol
from .caller import Capability, check_capability
from .document import Origin
from .document_push import awareness_pushes, push_update
from .errors import InvalidArgument, PayloadTooLarge
from .limits import MAX_TRUSTED_UPDATE_BYTES, MAX_UPDATE_BYTES
from .operations import check_generation
from .yjs_protocol import YjsKind, awareness_payload, read_awareness, read_frame

if TYPE_CHECKING:
    from .connection import Connection
    from .instance import Services
    from .room_state import RoomState
    from .sockets import Sockets
    from .turns import Turns

FRAME_BYTES = 16  # around an update
READ_ONLY = "this connection may read the document, and not write it"


class YjsSockets:
    """Of one instance of a room."""

    __slots__ = ("_services", "_sockets", "_turns")

    def __init__(self, turns: Turns, sockets: Sockets, services: Services) -> None:
        self._turns = turns
        self._sockets = sockets
        self._services = services

    def greet(self, state: RoomState, connection: Connection) -> None:
        """Ask a new connection for what it has, one with statuses when it asks too, and tell it who is
        aware. Forbidden: it may not read the document. Unavailable: that cannot be loaded."""
        check_capability(connection.caller, Capability.CRDT_READ)
        vector = state.document.vector()  # which loads it, for every connection
        if not connection.statuses:
            connection.send_yjs(yjs_protocol.sync_step_1(vector))
        self._tell_who_is_aware(connection)

    async def message(self, connection: Connection, message: str | bytes) -> None:
        """Answer a frame. RealtimeError: it was refused, and nothing of it is done."""
        if isinstance(message, str):
            raise InvalidArgument("frames of y-protocols are binary")

        trusted = connection.caller.trusted
        max_bytes = MAX_TRUSTED_UPDATE_BYTES if trusted else MAX_UPDATE_BYTES
        if len(message) > max_bytes + FRAME_BYTES:
            raise PayloadTooLarge(f"an update is at most {max_bytes} bytes")

        if not trusted:
            connection.bucket.take(self._turns.monotonic_ms)
        kind, data = read_frame(message)
        if kind is YjsKind.UPDATE or kind is YjsKind.SYNC_STEP_2:
            await self._update(connection, data)
        elif kind is YjsKind.SYNC_STEP_1:
            missing = self._turns.load().document.diff(data)
            connection.send_yjs(yjs_protocol.sync_step_2(missing))
            if connection.statuses:
                # Hocuspocus: a client that syncs, a second time too, counts one answer as missing.
                vector = self._turns.load().document.vector()
                connection.send_yjs(yjs_protocol.sync_step_1(vector))
        elif kind is YjsKind.AWARENESS:
            self._announce(connection, data)
            self._turns.rest_document()
        elif kind is YjsKind.QUERY_AWARENESS:
            self._tell_who_is_aware(connection)

    def closed(self, connection: Connection) -> None:
        """A connection has gone, of whatever protocol, and with it those it announced."""
        tables, name = self._services.awareness, self._turns.name
        awareness = tables.find(name)
        if awareness is not None:
            changes = awareness.gone(connection.id, self._turns.now_ms)
            self._sockets.push(awareness_pushes(changes))
            tables.tidy(name)

    def renew(self, connection: Connection) -> None:
        """A connection of another protocol was heard of, and so were those it announced."""
        awareness = self._services.awareness.find(self._turns.name)
        if awareness is not None:
            awareness.renew(connection.id, self._turns.now_ms)

    async def _update(self, connection: Connection, update: bytes) -> None:
        turns = self._turns
        may = connection.caller.may(Capability.CRDT_WRITE)
        if may:
            await turns.before_write()
            turns.run(lambda state, now_ms: _apply(state, now_ms, connection, update))
        elif not turns.load().document.contains(update):
            connection.send_yjs(yjs_protocol.permission_denied(READ_ONLY))
        else:
            may = True  # nothing of it is new
        if connection.statuses:
            connection.send_yjs(yjs_protocol.status(may))

    def _announce(self, connection: Connection, payload: bytes) -> None:
        entries = read_awareness(payload)
        caller = connection.caller
        if not caller.may(Capability.PRESENCE):
            # Ignored, and yet answered: a provider that hears nothing for long connects again.
            connection.send_yjs(yjs_protocol.awareness(awareness_payload([])))
        else:
            tables, name = self._services.awareness, self._turns.name
            changes = tables.open(name).announce(
                connection.id, caller.member_id, entries, self._turns.now_ms, caller.actor
            )
            tables.tidy(name)
            self._sockets.push(awareness_pushes(changes))

    def _tell_who_is_aware(self, connection: Connection) -> None:
        awareness = self._services.awareness.find(self._turns.name)
        payload = None if awareness is None else awareness.yjs_payload(self._turns.now_ms)
        if payload is not None:
            connection.send_yjs(yjs_protocol.awareness(payload))


def _apply(state: RoomState, now_ms: int, connection: Connection, update: bytes) -> None:
    caller = connection.caller
    check_generation(state, caller)
    origin = Origin(client_id=caller.client_id, actor=caller.actor)
    applied = state.document.apply(state, update, now_ms, origin, trusted=caller.trusted)
    push_update(state, applied, connection.id)
