"""What happens on a room's sockets: they open, frames come, they close (realtime.md 5.6)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from ..runtime import Response, WebSocketPair
from . import frames, limits, members
from .caller import check_capability
from .connection import Connection
from .deadlines import Deadline
from .errors import Forbidden, InvalidArgument, PayloadTooLarge, RealtimeError
from .frames import Protocol
from .inputs import REFRESH, RESUME
from .json_values import convert, encode
from .messages import after
from .operations import BY_FRAME, check_generation, perform
from .socket_request import PROTOCOL_HEADER, STATUSES, protocol_in
from .sockets import ends_at
from .tokens import refreshed
from .types import RealtimeResumeOptions
from .yjs_sockets import YjsSockets

if TYPE_CHECKING:
    from ..runtime import Request, WebSocket
    from .caller import Caller
    from .instance import Services
    from .room_state import RoomState
    from .sockets import Sockets
    from .turns import Turns

logger = logging.getLogger("roomhost.actors")

NORMAL_CLOSURE = 1000


class SocketEvents:
    """Of one instance of a room."""

    __slots__ = ("_services", "_sockets", "_turns", "_yjs")

    def __init__(self, turns: Turns, sockets: Sockets, services: Services) -> None:
        self._yjs = YjsSockets(turns, sockets, services)
        self._turns = turns
        self._sockets = sockets
        self._services = services

    async def open(self, request: Request, caller: Caller) -> Response:
        """Accept a socket, greet it, and have its member join. RealtimeError: it is refused."""
        position = _position(request)
        protocol = protocol_in(request)
        state = self._turns.load()
        check_generation(state, caller)
        state.check_alive()
        if state.is_destroyed or _joins(state, caller):
            await self._turns.before_write()
        member_id = caller.member_id
        if member_id is not None and _joins(state, caller):
            self._turns.run(lambda state, now_ms: members.settle(state, member_id, now_ms))
        pair = WebSocketPair()
        connection = Connection(
            pair.server,
            self._services.entropy(12).hex(),
            caller,
            protocol,
            statuses=STATUSES in request.query_params,
        )
        self._sockets.add(connection)
        try:
            self._turns.run(
                lambda state, now_ms: self._welcome(state, now_ms, connection, position)
            )
        except BaseException:
            self._sockets.drop(connection)
            raise

        headers = {PROTOCOL_HEADER: protocol.value}
        return Response(status=101, web_socket=pair.client, headers=headers)

    async def message(self, ws: WebSocket, message: str | bytes) -> None:
        """Answer a frame: with its result once that is durable, or with why it was refused."""
        connection = self._sockets.find(ws)
        if not connection.is_open:
            return  # it came after the close, from one who may do nothing any more

        if connection.protocol is Protocol.YJS:
            await self._yjs_message(connection, message)
            return

        if frames.size_of(message) > limits.MAX_BODY_BYTES:
            failure = PayloadTooLarge(f"a frame is at most {limits.MAX_BODY_BYTES} bytes")
            connection.close(failure)
            return

        frame_id: bytes | None = None
        try:
            connection.bucket.take(self._turns.monotonic_ms)
            frame = frames.read(message, connection.protocol)
            frame_id = frame.id
            await self._answer(connection, frame)
        except RealtimeError as failure:
            connection.refuse(frame_id or frames.id_of(message, connection.protocol), failure)
        except Exception as error:
            logger.error("a frame could not be answered", exc_info=error)
            connection.refuse(frame_id, RealtimeError("the frame could not be answered"))

    async def _yjs_message(self, connection: Connection, message: str | bytes) -> None:
        try:
            await self._yjs.message(connection, message)
        except RealtimeError as failure:
            connection.close(failure)
        except Exception as error:
            logger.error("a frame could not be answered", exc_info=error)
            connection.close(RealtimeError("the frame could not be answered"))
        else:
            self._active()

    async def closed(self, ws: WebSocket, code: int, was_clean: bool) -> None:
        """A client has gone. Its member leaves at once if it closed normally, else after a while,
        and only if this was the last socket it had."""
        connection = self._sockets.find(ws)
        self._sockets.forget(ws)
        self._yjs.closed(connection)
        member_id = connection.member_id
        last = member_id is not None and not self._sockets.is_live(member_id)
        leaves = was_clean and code == NORMAL_CLOSURE
        try:
            if member_id is not None and last and leaves:
                await self._turns.before_write()
                last = not self._sockets.is_live(member_id)  # another may have come meanwhile
            self._turns.run(
                lambda state, now_ms: _gone(state, now_ms, member_id if last else None, leaves)
            )
        except RealtimeError as error:
            logger.warning("a socket of %s closed, which could not be noted: %s", ws, error)

    def _welcome(
        self,
        state: RoomState,
        now_ms: int,
        connection: Connection,
        position: RealtimeResumeOptions | None,
    ) -> None:
        caller = connection.caller
        check_generation(state, caller)
        if state.is_destroyed:
            state.begin_write(now_ms)
        state.begin_life(now_ms)
        self._watch(state, connection)
        if connection.protocol is Protocol.YJS:
            self._yjs.greet(state, connection)
        else:
            self._greet(state, connection, position)
        if _joins(state, caller):
            assert caller.member_id is not None
            # The presence of a grant is the first one: who is here already keeps its own.
            here = members.is_here(state, caller.member_id)
            presence = None if here else caller.presence
            members.join(state, caller.member_id, caller.actor, None, presence, now_ms)

    def _greet(
        self, state: RoomState, connection: Connection, position: RealtimeResumeOptions | None
    ) -> None:
        caller = connection.caller
        greeting: dict[str, Any] = {
            "type": "welcome",
            "connectionId": connection.id,
            "epoch": state.head.epoch,
            "seq": state.seq,
        }
        if state.kind == "room" and state.document_epoch is not None:
            greeting["documentEpoch"] = state.document_epoch
        if caller.member_id is not None:
            greeting["memberId"] = caller.member_id
        if caller.expires_at_ms is not None:
            greeting["expiresAt"] = state.at(caller.expires_at_ms)
        replayed = None if position is None else _replayed(state, position, caller)
        if replayed is not None:
            greeting["recovered"] = not isinstance(replayed, str)
        connection.send(encode(greeting))
        if replayed is not None:
            self._replay(connection, state, replayed)

    def _replay(
        self, connection: Connection, state: RoomState, replayed: list[bytes] | str
    ) -> None:
        result = _resumed(state, replayed)
        if not isinstance(replayed, str):
            connection.replay(replayed)
        connection.send(encode({"type": "resumed", **result}))

    async def _answer(self, connection: Connection, frame: frames.Frame) -> None:
        turns = self._turns
        if frame.kind == "ping":
            connection.send(frames.PONG)
            return

        if frame.kind == "resume":
            result = self._resume(connection, RESUME.parse(frame.body))
        elif frame.kind == "auth.refresh":
            result = self._refresh(connection, REFRESH.parse(frame.body).token)
        else:
            operation = BY_FRAME.get(frame.kind)
            if operation is None:
                raise InvalidArgument(f"there is no frame of type {frame.kind!r:.60}", field="type")

            value = operation.input.parse(frame.body, frame.root)
            result = await perform(
                turns, self._services, operation, value, connection.caller, connection.id
            )
        self._active()
        self._yjs.renew(connection)
        connection.acknowledge(frame.id, result)

    def _active(self) -> None:
        state = self._turns.load()
        state.activity_ms = max(state.activity_ms, self._turns.now_ms)

    def _resume(self, connection: Connection, position: RealtimeResumeOptions) -> bytes:
        check_capability(connection.caller, "history")
        state = self._turns.load()
        replayed = _replayed(state, position, connection.caller)
        if not isinstance(replayed, str):
            connection.replay(replayed)
        return encode(_resumed(state, replayed))

    def _refresh(self, connection: Connection, token: str) -> bytes:
        services = self._services
        state = self._turns.load()
        caller = refreshed(
            services.keyring,
            connection.caller,
            token,
            audience=services.options.name,
            kind=state.kind,
            room=state.name,
            now_ms=self._turns.now_ms,
        )
        check_generation(state, caller)
        for capability in ("subscribe", "crdt:read"):
            if connection.caller.may(capability) and not caller.may(capability):
                raise Forbidden(
                    f"token: it has no {capability!r}, by which this connection hears what it does: "
                    "open another one with it",
                    field="token",
                )

        connection.caller = caller
        connection.keep()
        return self._turns.run(lambda state, now_ms: self._watch(state, connection))

    def _watch(self, state: RoomState, connection: Connection) -> bytes:
        """Have the connection closed when its token is over, and no new one came."""
        end_ms = ends_at(connection)
        if end_ms is not None and self._services.options.bind_connection_to_expiry:
            state.deadlines.at_latest(Deadline.GRANTS, end_ms)
        expires_ms = connection.caller.expires_at_ms
        return encode({} if expires_ms is None else {"expiresAt": state.at(expires_ms)})


def _joins(state: RoomState, caller: Caller) -> bool:
    """Whether a connection makes its caller a member."""
    return state.kind == "room" and caller.member_id is not None and caller.may("presence")


def _gone(state: RoomState, now_ms: int, member_id: str | None, leaves: bool) -> None:
    if state.is_destroyed:
        return

    if member_id is not None and state.kind == "room":
        if leaves:
            members.leave(state, member_id, now_ms)
        else:
            members.disconnected(state, member_id, now_ms)
    state.head.disconnected_ms = state.tick(now_ms)
    state.save()


def _replayed(
    state: RoomState, position: RealtimeResumeOptions, caller: Caller
) -> list[bytes] | str:
    if not caller.may("history"):
        return "forbidden"

    return after(state, position.epoch, position.seq)


def _resumed(state: RoomState, replayed: list[bytes] | str) -> dict[str, Any]:
    result: dict[str, Any] = {"recovered": not isinstance(replayed, str)}
    if isinstance(replayed, str):
        result["reason"] = replayed
    return result | {"epoch": state.head.epoch, "seq": state.seq}


def _position(request: Request) -> RealtimeResumeOptions | None:
    """`?epoch=E&seq=N`: where the client was. InvalidArgument: only one of them, or no number."""
    query = request.query_params
    if "epoch" not in query and "seq" not in query:
        return None

    fields: dict[str, Any] = dict(query)
    try:
        fields["seq"] = int(fields["seq"]) if fields["seq"].isascii() else None
    except (KeyError, ValueError):
        fields["seq"] = None
    value = convert({name: fields.get(name) for name in ("epoch", "seq")}, RealtimeResumeOptions)
    RESUME.check(value, "")
    return value
