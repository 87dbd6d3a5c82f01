"""Every operation of a room: its name, its input and result, who may call it, and what runs it.

One table, read by the handles, the HTTP routes, the WebSocket frames, OpenAPI and the room itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from ..runtime.intake import Reason
from . import (
    crdt_types,
    documents,
    inputs,
    json_awareness,
    json_updates,
    lifecycle,
    limits,
    members,
    messages,
    metadata,
    snapshots,
    types,
)
from .authorize import authorize
from .caller import check_capability
from .document import Origin
from .errors import InvalidArgument, Unauthenticated
from .principals import actor_for, member_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from .caller import Caller
    from .cursors import Cursors
    from .inputs import Input
    from .instance import Services
    from .room_state import RoomState
    from .tokens import Keyring
    from .turns import Turns


class Call(msgspec.Struct, frozen=True):
    """One call of an operation, as the functions below get it. `public_url`: how clients reach the
    host. `connection_id`: of the connection that it came by, which a broadcast leaves out."""

    state: RoomState
    input: Any
    caller: Caller
    now_ms: int
    cursors: Cursors
    keyring: Keyring
    public_url: str
    connection_id: str | None = None

    @property
    def member_id(self) -> str:
        """Whom the call is about. Unauthenticated: nothing says so."""
        actor = actor_for(self.caller, getattr(self.input, "actor", None))
        member_id = member_for(self.caller, self.input.member_id, actor)
        if member_id is None:
            raise Unauthenticated("nobody is named: give a memberId or an actor")

        return member_id

    @property
    def client_id(self) -> str | None:
        """Which client or device it comes from: as it says, else as its token says."""
        client_id: str | None = self.input.client_id
        return self.caller.client_id if client_id is None else client_id


@dataclass(frozen=True, slots=True)
class Operation:
    """`name`: as in Python; in a URL with `-` for `_`. `capability`: what a token needs.

    `reads`: it is a GET. `writes`: it may change what the directory counts. `of_channels`: a channel
    has it too. `of_documents`: it is found below `/crdt/` alone. `by_frame`: it is a frame of a
    socket as well. `frame`: by this name, if not by its own. `result`: the type of its JSON.
    """

    name: str
    input: Input
    result: Any
    run: Callable[[Call], bytes]
    capability: str
    reads: bool = False
    of_channels: bool = False
    of_documents: bool = False
    writes: bool = True
    by_frame: bool = True
    frame: str = ""

    @property
    def frame_type(self) -> str:
        """Its `type` as a frame."""
        return self.frame or self.name

    @property
    def path(self) -> str:
        """Its name in a URL."""
        return self.name.replace("_", "-")

    def check_kind(self, kind: str) -> None:
        """InvalidArgument: channels have no such operation."""
        if kind == "channel" and not self.of_channels:
            raise InvalidArgument(
                f"a channel has no {self.name}: use a room", code="unsupported_for_channel"
            )


def _publish(call: Call) -> bytes:
    actor = actor_for(call.caller, call.input.actor)
    return messages.publish(call.state, call.input, actor, call.now_ms)


def _broadcast(call: Call) -> bytes:
    actor = actor_for(call.caller, call.input.actor)
    return messages.publish(call.state, call.input, actor, call.now_ms, call.connection_id)


def _join(call: Call) -> bytes:
    given = call.input
    actor = actor_for(call.caller, given.actor)
    return members.join(
        call.state, call.member_id, actor, given.metadata, given.presence, call.now_ms
    )


def _leave(call: Call) -> bytes:
    return members.leave(call.state, call.member_id, call.now_ms)


def _members(call: Call) -> bytes:
    return members.members(call.state, call.input, call.now_ms)


def _presence(call: Call) -> bytes:
    return members.presence(call.state, call.member_id, call.input.presence, call.now_ms)


def _metadata(call: Call) -> bytes:
    if call.input.metadata is not None:
        check_capability(call.caller, "publish")
    return metadata.metadata(call.state, call.input.metadata, call.now_ms)


def _history(call: Call) -> bytes:
    return messages.history(call.state, call.input, call.cursors)


def _snapshot(call: Call) -> bytes:
    return snapshots.snapshot(call.state, call.now_ms)


def _restore(call: Call) -> bytes:
    return snapshots.restore(call.state, call.input.snapshot_id, call.caller.actor, call.now_ms)


def _lifecycle(call: Call) -> bytes:
    return lifecycle.lifecycle(call.state, call.now_ms)


def _destroy(call: Call) -> bytes:
    return lifecycle.destroy(call.state, call.input, call.now_ms)


def _authorize(call: Call) -> bytes:
    return authorize(
        call.state, call.input, call.caller, call.keyring, call.public_url, call.now_ms
    )


def _apply_update(call: Call) -> bytes:
    actor = actor_for(call.caller, call.input.actor)
    return json_updates.apply_update(call.state, call.input, call.client_id, actor, call.now_ms)


def _awareness(call: Call) -> bytes:
    actor = actor_for(call.caller, call.input.actor)
    return json_awareness.awareness(
        call.state, call.input, call.caller, actor, call.connection_id, call.now_ms
    )


def _document(call: Call) -> bytes:
    return documents.document(call.state, call.input, call.cursors, call.now_ms)


def _apply_yjs_update(call: Call) -> bytes:
    origin = Origin(call.client_id, call.input.clock, actor_for(call.caller, call.input.actor))
    return documents.apply_yjs_update(
        call.state,
        call.input,
        origin,
        call.connection_id,
        call.now_ms,
        trusted=call.caller.trusted,
    )


def _import_update(call: Call) -> bytes:
    origin = Origin(actor=actor_for(call.caller, None))
    documents.import_update(call.state, call.input, origin, call.now_ms)
    return b""


def _sync_yjs(call: Call) -> bytes:
    return documents.sync_yjs(call.state, call.input, call.now_ms)


def _compact(call: Call) -> bytes:
    return documents.compact(call.state, call.now_ms)


TABLE: tuple[Operation, ...] = (
    Operation(
        "publish",
        inputs.MESSAGE,
        types.RealtimePublishResult,
        _publish,
        "publish",
        of_channels=True,
    ),
    Operation(
        "broadcast",
        inputs.MESSAGE,
        types.RealtimePublishResult,
        _broadcast,
        "publish",
        of_channels=True,
    ),
    Operation("join", inputs.JOIN, types.RealtimeMember, _join, "presence"),
    Operation("leave", inputs.LEAVE, types.RealtimeLeaveResult, _leave, "presence"),
    Operation(
        "members",
        inputs.MEMBERS,
        list[types.RealtimeMember],
        _members,
        "subscribe",
        reads=True,
        writes=False,
    ),
    Operation("presence", inputs.PRESENCE, types.RealtimePresenceResult, _presence, "presence"),
    Operation("metadata", inputs.METADATA, types.RealtimeMetadataResult, _metadata, "subscribe"),
    Operation(
        "history",
        inputs.HISTORY,
        types.RealtimeHistoryResult,
        _history,
        "history",
        reads=True,
        writes=False,
        of_channels=True,
    ),
    Operation("snapshot", inputs.SNAPSHOT, types.RealtimeSnapshotResult, _snapshot, "admin"),
    Operation("restore", inputs.RESTORE, types.RealtimeRestoreResult, _restore, "admin"),
    Operation(
        "authorize",
        inputs.AUTHORIZE,
        types.RealtimeAuthorizeResult,
        _authorize,
        "admin",
        writes=False,
        of_channels=True,
        by_frame=False,
    ),
    Operation(
        "lifecycle",
        inputs.LIFECYCLE,
        types.RealtimeLifecycleResult,
        _lifecycle,
        "subscribe",
        reads=True,
        writes=False,
        of_channels=True,
    ),
    Operation(
        "destroy",
        inputs.DESTROY,
        types.RealtimeDestroyResult,
        _destroy,
        "admin",
        of_channels=True,
        by_frame=False,
    ),
    Operation(
        "apply_update",
        inputs.CRDT_UPDATE,
        crdt_types.RealtimeCrdtUpdateResult,
        _apply_update,
        "crdt:write",
        of_documents=True,
        frame="update",
    ),
    Operation(
        "awareness",
        inputs.AWARENESS,
        crdt_types.RealtimeCrdtAwarenessResult,
        _awareness,
        "presence",
        of_documents=True,
        writes=False,
    ),
    Operation(
        "document",
        inputs.DOCUMENT,
        crdt_types.RealtimeCrdtDocumentResult,
        _document,
        "crdt:read",
        of_documents=True,
        reads=True,
        writes=False,
    ),
    Operation(
        "apply_yjs_update",
        inputs.YJS_UPDATE,
        crdt_types.RealtimeYjsUpdateResult,
        _apply_yjs_update,
        "crdt:write",
        of_documents=True,
        frame="yjs.update",
    ),
    Operation(
        "sync_yjs",
        inputs.YJS_SYNC,
        crdt_types.RealtimeYjsSyncResult,
        _sync_yjs,
        "crdt:read",
        of_documents=True,
        writes=False,
        frame="yjs.sync",
    ),
    Operation(
        "compact",
        inputs.COMPACT,
        crdt_types.RealtimeCrdtCompactResult,
        _compact,
        "admin",
        of_documents=True,
        writes=False,
    ),
)

# Of the server's own code alone: no URL, no frame; its input is the update.
IMPORT = Operation(
    "import_update",
    inputs.Input(bytes, inputs.check_nothing, limits.MAX_TRUSTED_UPDATE_BYTES),
    bytes,
    _import_update,
    "crdt:write",
    of_documents=True,
    by_frame=False,
)
OPERATIONS = {operation.name: operation for operation in TABLE}
BY_PATH = {operation.path: operation for operation in TABLE}
BY_FRAME = {operation.frame_type: operation for operation in TABLE if operation.by_frame}


async def perform(
    turns: Turns,
    services: Services,
    operation: Operation,
    value: Any,
    caller: Caller,
    connection_id: str | None = None,
) -> bytes:
    """Run an operation in a turn of its own; `connection_id`: of the connection that it came by."""
    if operation.writes and not _only_reads(value):
        await turns.before_write()

    def step(state: RoomState, now_ms: int) -> bytes:
        call = Call(
            state,
            value,
            caller,
            now_ms,
            services.cursors,
            services.keyring,
            services.public_url(),
            connection_id,
        )
        return run(operation, call)

    result = turns.run(step)
    turns.rest_document()
    return result


def run(operation: Operation, call: Call) -> bytes:
    """Run an operation on a room's state; its result as JSON.

    Unauthenticated: the caller's token is of an earlier life of the room. Forbidden: it does not
    have the capability. InvalidArgument: channels have no such operation. And what the operation
    says.
    """
    operation.check_kind(call.state.kind)
    check_generation(call.state, call.caller)
    check_capability(call.caller, operation.capability)
    return operation.run(call)


def _only_reads(value: Any) -> bool:
    return isinstance(value, types.RealtimeMetadataOptions) and value.metadata is None


def check_generation(state: RoomState, caller: Caller) -> None:
    """RoomDestroyed, Unauthenticated: the life of the room that a token was made for is over."""
    if caller.generation is None or caller.generation == state.next_generation:
        return

    state.check_alive()
    raise Unauthenticated(
        "this token is of an earlier life of the room: authorize again",
        reason=Reason.TOKEN_GENERATION,
    )
