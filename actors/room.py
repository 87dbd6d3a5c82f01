"""The actors of rooms and channels: what the module's handles, routes and sockets reach.

Everything is decided by pure code on a `RoomState`, in one turn each (`turns.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from ..runtime import AlarmInfo, DurableObject, Request, Response, WebSocketRequestResponsePair
from ..runtime.event_names import events_named
from .caller import decode_caller
from .deadlines import Deadline
from .errors import Unavailable
from .json_awareness import sweep_awareness
from .lifecycle import clear, is_idle_now
from .members import somebody_is_gone, sweep
from .messages import sweep_idempotency
from .operations import IMPORT, OPERATIONS, perform
from .retention import purge, trim
from .socket_events import SocketEvents
from .socket_request import caller_in
from .sockets import Sockets
from .turns import Turns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..runtime import DurableObjectState, WebSocket
    from .directory import Figures
    from .instance import Services
    from .room_state import RoomState
    from .types import Kind

PING = WebSocketRequestResponsePair('{"type":"ping"}', '{"type":"pong"}')
RETRY_MS = 1_000
OPERATE = "operate"  # of what is no operation
LOST = 1006  # RFC 6455, 7.4.1

SWEEPS: dict[Deadline, Callable[[RoomState, int], None]] = {
    Deadline.PRESENCE: sweep,
    Deadline.IDEMPOTENCY: sweep_idempotency,
    Deadline.RETENTION: trim,
    Deadline.DESTROYED: clear,
    Deadline.PURGE: purge,
    Deadline.AWARENESS: sweep_awareness,
}


def operation_in(arguments: Sequence[Any]) -> str:
    """What a call of `operate` is called: the operation."""
    name = arguments[0] if arguments else None
    return name if isinstance(name, str) and name in OPERATIONS else OPERATE


class Room(DurableObject):
    """A room of a realtime module. `kind` and `binding` are set by the module, in a class of its
    own. Use the module's handles: `env.COLLAB.room("lobby")`."""

    kind: ClassVar[Kind] = "room"
    binding: ClassVar[str] = ""

    def __init__(self, ctx: DurableObjectState, env: Any) -> None:
        super().__init__(ctx, env)
        self._services: Services = env[self.binding].services
        self._sockets = Sockets(ctx)
        self._turns = Turns(ctx, self.kind, self._services, self._sockets)
        self._socket_events = SocketEvents(self._turns, self._sockets, self._services)
        # Answered by the host, without waking the room.
        ctx.set_web_socket_auto_response(PING)

    @events_named(operation_in)
    async def operate(self, name: str, body: bytes, caller: bytes) -> bytes:
        """Run an operation: its name in Python, its input as JSON that was checked, who calls; its
        result as JSON. RealtimeError: it was refused, and changed nothing."""
        operation = OPERATIONS[name]
        value = operation.input.decode(body)
        return await perform(self._turns, self._services, operation, value, decode_caller(caller))

    async def import_update(self, update: bytes, caller: bytes) -> None:
        """Apply a Yjs update of trusted code, which is larger than one that others send. Errors as of
        `operate`."""
        await perform(self._turns, self._services, IMPORT, update, decode_caller(caller))

    async def figures(self, version: int) -> Figures:
        """For the directory: what there is in this room; `version`: the last it has heard of."""
        return self._turns.figures(version)

    async def fetch(self, request: Request) -> Response:
        """Open a socket. Who does is in a header that only the host's own code sets."""
        caller = caller_in(request)
        if caller is None:
            return Response("rooms are reached by their module\n", status=404)

        return await self._socket_events.open(request, caller)

    async def web_socket_message(self, ws: WebSocket, message: str | bytes) -> None:
        """A frame."""
        await self._socket_events.message(ws, message)

    async def web_socket_close(
        self, ws: WebSocket, code: int, reason: str, was_clean: bool
    ) -> None:
        """A client has gone, or was told to."""
        await self._socket_events.closed(ws, code, was_clean)

    async def web_socket_error(self, ws: WebSocket, error: Exception) -> None:
        """A client broke the protocol, and is disconnected."""
        await self._socket_events.closed(ws, LOST, was_clean=False)

    async def alarm(self, info: AlarmInfo) -> None:
        """Do what is due, and come back for what is due next."""
        turns = self._turns
        try:
            due = turns.load().deadlines.due(turns.now_ms)
            if self._changes_figures(due):
                await turns.before_write()
        except Unavailable as error:
            turns.arm(turns.now_ms + max(error.retry_after_ms or 0, RETRY_MS))
            return

        # The room that has told its figures must mark itself again before they change: that is last.
        for deadline in sorted(due, key=lambda deadline: deadline is Deadline.IDLE):
            await self._meet(deadline)
        turns.arm(turns.load().deadlines.next_ms)

    def _changes_figures(self, due: list[Deadline]) -> bool:
        if Deadline.RETENTION in due:
            return True

        turns = self._turns
        return Deadline.PRESENCE in due and somebody_is_gone(turns.load(), turns.now_ms)

    async def _meet(self, deadline: Deadline) -> None:
        turns = self._turns
        if deadline is Deadline.GRANTS:
            next_ms = self._sockets.close_expired(turns.now_ms)
            turns.run(lambda state, now_ms: state.deadlines.set(Deadline.GRANTS, next_ms))
        elif deadline is Deadline.IDLE:
            idle = turns.run(is_idle_now)
            turns.compact_idle_document()
            if idle:
                await turns.report()
        else:
            turns.run(SWEEPS[deadline])


# A CRDT room is the room of its name (realtime.md 5.1): the same actor, by its other name.
CrdtRoom = Room


class Channel(Room):
    """A channel of a realtime module: messages, without members or metadata."""

    kind: ClassVar[Kind] = "channel"
