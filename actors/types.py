"""The types of the realtime API: what its calls take and return, as the API reference lists them.

Snake case in Python, camelCase in JSON. A result leaves out what it has not; an input may say null
for what it leaves out, and may have no field that is not listed. Timestamps are RFC 3339 in UTC with
three decimals and `Z`. Only `data` of a message tells null from absent: absent is `msgspec.UNSET`.
Types are checked where JSON or a mapping is decoded, byte limits where an operation is taken in
(limits.py). A field marked *extension* is ours, and not in the API reference.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

import msgspec

from .limits import MAX_INT32, MAX_SAFE_INTEGER

Kind: TypeAlias = Literal["room", "channel"]
Record: TypeAlias = dict[str, Any]  # a JSON object

Int32: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=MAX_INT32)]
PositiveInt32: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=MAX_INT32)]
SafeInteger: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=MAX_SAFE_INTEGER)]


class Output(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What every type of the API has in common; what a newer host adds to a result is ignored."""


class Input(Output, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every type that comes from a caller has in common."""


class RealtimePrincipal(Input, frozen=True, kw_only=True):
    """Who acts. A user has `user_id` or `id`: the missing one is filled in from the other."""

    kind: Literal["anonymous", "user"]
    id: str | None = None
    user_id: str | None = None
    session_id: str | None = None
    tenant_id: str | None = None
    email: str | None = None
    display_name: str | None = None


class RealtimeRoomIdentity(Output, frozen=True, kw_only=True):
    """Which room or channel. A CRDT room is a room."""

    kind: Kind
    name: str


class RealtimeMessageInput(Input, frozen=True, kw_only=True):
    """A message to publish or to broadcast.

    `type`: the event's name for clients. `data`: any JSON; null stays null, absent stays absent.
    `idempotency_key`: a second message with the same key gets the first one's result.
    `actor`: without it the caller's identity.
    """

    type: str
    data: Any | msgspec.UnsetType = msgspec.UNSET
    metadata: Record | None = None
    idempotency_key: str | None = None
    actor: RealtimePrincipal | None = None


class RealtimePublishInput(RealtimeMessageInput, frozen=True, kw_only=True):
    """A message with its room, inside the module; never taken from a client.

    Extension: `room` and `kind`, the room identity (realtime.md 5.2).
    """

    room: str | None = None
    kind: Kind | None = None


class RealtimePublishResult(Output, frozen=True, kw_only=True):
    """A message is recorded. A repeated idempotency key gets the first result."""

    room: str
    kind: Kind
    message_id: str
    published_at: str
    actor: RealtimePrincipal | None = None


class RealtimeJoinOptions(Input, frozen=True, kw_only=True):
    """Who joins. `member_id`: without it, taken from the actor. `metadata` and `presence` replace
    what an active member has, when given."""

    member_id: str | None = None
    actor: RealtimePrincipal | None = None
    metadata: Record | None = None
    presence: Record | None = None


class RealtimeJoinInput(RealtimeJoinOptions, frozen=True, kw_only=True):
    """A join with its room, inside the module; never taken from a client.

    Extension: `room` and `kind`, the room identity (realtime.md 5.2).
    """

    room: str | None = None
    kind: Kind | None = None


class RealtimeLeaveOptions(Input, frozen=True, kw_only=True):
    """Who leaves. `member_id`: without it, taken from the actor."""

    member_id: str | None = None


class RealtimeLeaveResult(Output, frozen=True, kw_only=True):
    """The member is gone. `left_at`: of the first leave, if the member had left before."""

    room: str
    kind: Kind
    member_id: str
    left_at: str


class RealtimeMember(Output, frozen=True, kw_only=True):
    """A member of a room. `left_at`: only of one that has left."""

    member_id: str
    room: str
    kind: Kind
    joined_at: str
    last_seen_at: str
    left_at: str | None = None
    actor: RealtimePrincipal | None = None
    metadata: Record
    presence: Record


class RealtimeMembersOptions(Input, frozen=True, kw_only=True):
    """Which members. `limit`: at most so many.

    Extension: `include_left`, also those that have left and are still on record.
    """

    limit: PositiveInt32 | None = None
    include_left: bool | None = None


class RealtimePresenceOptions(Input, frozen=True, kw_only=True):
    """The live state of a member, replaced whole; without `presence` it is a sign of life only.

    `member_id`: without it, taken from the actor.
    """

    member_id: str | None = None
    presence: Record | None = None


class RealtimePresenceInput(RealtimePresenceOptions, frozen=True, kw_only=True):
    """Presence with its room, inside the module; never taken from a client.

    Extension: `room` and `kind`, the room identity (realtime.md 5.2).
    """

    room: str | None = None
    kind: Kind | None = None


class RealtimePresenceResult(Output, frozen=True, kw_only=True):
    """The live state of a member as it is now."""

    room: str
    kind: Kind
    member_id: str
    updated_at: str
    presence: Record


class RealtimeMetadataOptions(Input, frozen=True, kw_only=True):
    """The shared metadata of a room, replaced whole; without `metadata` it is a read."""

    metadata: Record | None = None


class RealtimeMetadataResult(Output, frozen=True, kw_only=True):
    """The shared metadata of a room. `updated_at`: its last change, else when the room began."""

    room: str
    kind: Kind
    metadata: Record
    updated_at: str


class RealtimeHistoryOptions(Input, frozen=True, kw_only=True):
    """Which page. `limit`: messages in it. `cursor`: of the page before, for older messages."""

    limit: PositiveInt32 | None = None
    cursor: str | None = None


class RealtimeHistoryMessage(Output, frozen=True, kw_only=True):
    """A recorded message. `data` is absent if it was; `metadata` is `{}` then."""

    message_id: str
    room: str
    kind: Kind
    type: str
    data: Any | msgspec.UnsetType = msgspec.UNSET
    metadata: Record
    actor: RealtimePrincipal | None = None
    published_at: str


class RealtimeHistoryResult(Output, frozen=True, kw_only=True):
    """A page of messages, newest first. `cursor`: for older ones; absent on the last page."""

    room: str
    kind: Kind
    items: list[RealtimeHistoryMessage]
    cursor: str | None = None


class RealtimeResumeOptions(Input, frozen=True, kw_only=True):
    """Extension: what a client saw last, to be sent all that came after it.

    `epoch`, `seq`: of the last `welcome`, `message` or resume.
    """

    epoch: str
    seq: SafeInteger


class RealtimeResumeResult(Output, frozen=True, kw_only=True):
    """Extension: whether everything after `seq` was sent; `epoch` and `seq` are where the client is.

    When not, `reason`: the room began anew, messages between are gone or too many, or the caller may
    not read history.
    """

    recovered: bool
    epoch: str | None = None
    seq: SafeInteger | None = None
    reason: Literal["epoch_changed", "insufficient_state", "forbidden"] | None = None


class RealtimeSnapshotResult(Output, frozen=True, kw_only=True):
    """A snapshot of a room. `state`: its metadata, its members, its newest messages."""

    room: str
    kind: Kind
    snapshot_id: str
    created_at: str
    state: Record


class RealtimeRestoreOptions(Input, frozen=True, kw_only=True):
    """Extension: the argument of `restore`, as it travels."""

    snapshot_id: str


class RealtimeRestoreResult(Output, frozen=True, kw_only=True):
    """A snapshot is restored."""

    room: str
    kind: Kind
    snapshot_id: str
    restored_at: str


class RealtimeAuthorizeOptions(Input, frozen=True, kw_only=True):
    """What a token grants, and to whom. `ttl_seconds`: how long it opens connections.

    `member_id`, `client_id`, `presence`: of the connections it opens. `actor`: without it the
    caller's identity. Extension: `capabilities`, without them those a client needs.
    """

    member_id: str | None = None
    client_id: str | None = None
    presence: Record | None = None
    actor: RealtimePrincipal | None = None
    ttl_seconds: PositiveInt32 | None = None
    capabilities: tuple[str, ...] | None = None


class RealtimeAuthorizeResult(Output, frozen=True, kw_only=True):
    """A grant: a browser opens its connection by `new WebSocket(url, protocols)`.

    Extension: `document_epoch`, which document the room has; absent when it has none. A client that
    has a copy of another one discards it before it connects.
    """

    room: str
    kind: Kind
    token: str
    expires_at: str
    url: str
    protocols: list[str]
    actor: RealtimePrincipal | None = None
    member_id: str | None = None
    client_id: str | None = None
    presence: Record | None = None
    document_epoch: str | None = None


class RealtimeStats(Output, frozen=True, kw_only=True):
    """What an instance has: rooms and channels that are not destroyed, active members, recorded
    messages. Each stays at 2**31 - 1 when there are more."""

    rooms: Int32
    members: Int32
    messages: Int32


class RealtimeLifecycleResult(Output, frozen=True, kw_only=True):
    """In which state a room is. One that was never written is idle, without timestamps.

    `active_connections`: open WebSockets. `idle_since`: the last activity plus the idle time.
    """

    room: str
    kind: Kind
    status: Literal["active", "idle", "destroyed"]
    active_connections: Int32
    last_activity_at: str | None = None
    idle_since: str | None = None
    destroyed_at: str | None = None


class RealtimeDestroyOptions(Input, frozen=True, kw_only=True):
    """What goes with the room. `delete_crdt_updates`: awareness too."""

    delete_history: bool | None = None
    delete_snapshots: bool | None = None
    delete_crdt_updates: bool | None = None


class RealtimeDestroyResult(Output, frozen=True, kw_only=True):
    """The room is destroyed. `deleted_...`: whether this or an earlier destroy of it asked for it."""

    room: str
    kind: Kind
    destroyed_at: str
    deleted_history: bool
    deleted_snapshots: bool
    deleted_crdt_updates: bool
