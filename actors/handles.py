"""Handles: what code calls to do something in a room or a channel, in this process or another.

Every method is an operation of the API reference; it takes that operation's fields as keywords, or
its input type. Nothing is sent before the input is checked.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

import msgspec

from . import inputs
from .caller import encode_caller
from .client import RealtimeConnection
from .errors import InvalidArgument
from .identity import caller_for, caller_of_connection
from .inputs import NOTHING
from .json_values import decoder
from .operations import OPERATIONS
from .socket_request import socket_request
from .types import (
    RealtimeAuthorizeOptions,
    RealtimeAuthorizeResult,
    RealtimeDestroyOptions,
    RealtimeDestroyResult,
    RealtimeHistoryOptions,
    RealtimeHistoryResult,
    RealtimeJoinOptions,
    RealtimeLeaveOptions,
    RealtimeLeaveResult,
    RealtimeLifecycleResult,
    RealtimeMember,
    RealtimeMembersOptions,
    RealtimeMessageInput,
    RealtimeMetadataOptions,
    RealtimeMetadataResult,
    RealtimePresenceOptions,
    RealtimePresenceResult,
    RealtimePrincipal,
    RealtimePublishResult,
    RealtimeRestoreOptions,
    RealtimeRestoreResult,
    RealtimeRoomIdentity,
    RealtimeSnapshotResult,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..bindings import DurableObjectStub
    from ..runtime import WebSocket
    from .caller import Caller
    from .options import ModuleConfig
    from .types import Kind

Json = dict[str, Any]
T = TypeVar("T")


class ChannelHandle:
    """A channel: messages that are recorded and fanned out, without members.

    Every method raises a RealtimeError: `InvalidArgument` names the field that is wrong,
    `RoomDestroyed`, `Unauthenticated` where a request's identity is asked for and there is none;
    more where the method says so. Durable Object errors, which are retryable, may come instead.
    """

    kind: ClassVar[Kind] = "channel"

    def __init__(
        self, options: ModuleConfig, find: Callable[[], DurableObjectStub], name: str
    ) -> None:
        self._options = options
        self._find = find  # for each call: a stub that has met a reset stays broken
        self.name = name

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    @property
    def identity(self) -> RealtimeRoomIdentity:
        """Its kind and name."""
        return RealtimeRoomIdentity(kind=self.kind, name=self.name)

    async def publish(
        self,
        message: RealtimeMessageInput | None = None,
        /,
        *,
        type: str = "",
        data: Any = msgspec.UNSET,
        metadata: Json | None = None,
        idempotency_key: str | None = None,
        actor: RealtimePrincipal | None = None,
    ) -> RealtimePublishResult:
        """Record a message, and deliver it to every connection, the sender's too. Returns once it is
        durable; with the same `idempotency_key` within 24 h, the first result again.

        IdempotencyConflict: the key was another message's. PayloadTooLarge.
        """
        given = message or RealtimeMessageInput(
            type=type,
            data=data,
            metadata=metadata,
            idempotency_key=idempotency_key,
            actor=actor,
        )
        return await self._operate(RealtimePublishResult, "publish", given)

    async def broadcast(
        self,
        message: RealtimeMessageInput | None = None,
        /,
        *,
        type: str = "",
        data: Any = msgspec.UNSET,
        metadata: Json | None = None,
        idempotency_key: str | None = None,
        actor: RealtimePrincipal | None = None,
    ) -> RealtimePublishResult:
        """As `publish`; sent over a socket, it leaves out that connection."""
        given = message or RealtimeMessageInput(
            type=type,
            data=data,
            metadata=metadata,
            idempotency_key=idempotency_key,
            actor=actor,
        )
        return await self._operate(RealtimePublishResult, "broadcast", given)

    async def history(
        self,
        options: RealtimeHistoryOptions | None = None,
        /,
        *,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> RealtimeHistoryResult:
        """A page of messages, newest first; `cursor` of a page leads to older ones, and the last
        page has none. `limit` is clamped to 1,000. InvalidArgument `invalid_cursor`."""
        return await self._operate(
            RealtimeHistoryResult,
            "history",
            options or RealtimeHistoryOptions(limit=limit, cursor=cursor),
        )

    async def authorize(
        self,
        options: RealtimeAuthorizeOptions | None = None,
        /,
        *,
        member_id: str | None = None,
        client_id: str | None = None,
        presence: Json | None = None,
        actor: RealtimePrincipal | None = None,
        ttl_seconds: int | None = None,
        capabilities: Sequence[str] | None = None,
    ) -> RealtimeAuthorizeResult:
        """A token for a client, of 300 s unless `ttl_seconds` says otherwise, and how a browser
        connects with it: `new WebSocket(grant.url, grant.protocols)`. Writes nothing."""
        given = options or RealtimeAuthorizeOptions(
            member_id=member_id,
            client_id=client_id,
            presence=presence,
            actor=actor,
            ttl_seconds=ttl_seconds,
            capabilities=cast("tuple[str, ...] | None", capabilities),
        )
        return await self._operate(RealtimeAuthorizeResult, "authorize", given)

    async def lifecycle(self) -> RealtimeLifecycleResult:
        """Whether it is active, idle or destroyed, as of now."""
        return await self._operate(RealtimeLifecycleResult, "lifecycle", NOTHING)

    async def destroy(
        self,
        options: RealtimeDestroyOptions | None = None,
        /,
        *,
        delete_history: bool | None = None,
        delete_snapshots: bool | None = None,
        delete_crdt_updates: bool | None = None,
    ) -> RealtimeDestroyResult:
        """End it: connections close with 4410, writes are refused from now on. What is not deleted
        stays readable. A second call returns the same moment, and may delete more."""
        given = options or RealtimeDestroyOptions(
            delete_history=delete_history,
            delete_snapshots=delete_snapshots,
            delete_crdt_updates=delete_crdt_updates,
        )
        return await self._operate(RealtimeDestroyResult, "destroy", given)

    def connect(
        self,
        *,
        member_id: str | None = None,
        client_id: str | None = None,
        presence: Json | None = None,
        actor: RealtimePrincipal | None = None,
    ) -> RealtimeConnection:
        """A connection, with events: `async with room.connect(member_id="bot") as connection`. In a
        room its member joins; without a `member_id` and an actor it only listens, or is the user of
        the request that is being answered."""
        given = RealtimeAuthorizeOptions(
            member_id=member_id, client_id=client_id, presence=presence, actor=actor
        )
        _, value = inputs.AUTHORIZE.take(given)
        return RealtimeConnection(partial(self._open, caller_of_connection(self._options, value)))

    async def _operate(self, kind: type[T], name: str, given: msgspec.Struct) -> T:
        operation = OPERATIONS[name]
        operation.check_kind(self.kind)
        if not isinstance(given, operation.input.kind):
            raise InvalidArgument(
                f"{name} takes its fields as keywords, or a {operation.input.kind.__name__}, "
                f"not {type(given).__name__}"
            )

        body, value = operation.input.take(given)
        caller = encode_caller(caller_for(self._options, value))
        result = await self._find().operate(name, body, caller)
        decoded: T = decoder(cast("Any", kind)).decode(result)
        return decoded

    async def _open(self, caller: Caller, epoch: str | None, seq: int) -> WebSocket:
        response = await self._find().fetch(socket_request(caller, epoch, seq))
        assert response.web_socket is not None
        response.web_socket.accept()
        return response.web_socket


class RoomHandle(ChannelHandle):
    """A room: a channel's messages, and members with their presence, metadata, snapshots."""

    kind: ClassVar[Kind] = "room"

    async def join(
        self,
        options: RealtimeJoinOptions | None = None,
        /,
        *,
        member_id: str | None = None,
        actor: RealtimePrincipal | None = None,
        metadata: Json | None = None,
        presence: Json | None = None,
    ) -> RealtimeMember:
        """Become a member, or refresh one: what is given is replaced, what is not is kept. Without a
        `member_id` it is the actor's user id, id or session id. Unauthenticated: nothing says who.
        """
        given = options or RealtimeJoinOptions(
            member_id=member_id, actor=actor, metadata=metadata, presence=presence
        )
        return await self._operate(RealtimeMember, "join", given)

    async def leave(
        self, options: RealtimeLeaveOptions | None = None, /, *, member_id: str | None = None
    ) -> RealtimeLeaveResult:
        """Leave; one who has left already, or was never here, is told when, and nothing happens."""
        return await self._operate(
            RealtimeLeaveResult, "leave", options or RealtimeLeaveOptions(member_id=member_id)
        )

    async def members(
        self,
        options: RealtimeMembersOptions | None = None,
        /,
        *,
        limit: int | None = None,
        include_left: bool | None = None,
    ) -> list[RealtimeMember]:
        """Who is here now, by the time of joining; at most `limit`, 100 if none is given."""
        given = options or RealtimeMembersOptions(limit=limit, include_left=include_left)
        return await self._operate(list[RealtimeMember], "members", given)

    async def presence(
        self,
        options: RealtimePresenceOptions | None = None,
        /,
        *,
        member_id: str | None = None,
        presence: Json | None = None,
    ) -> RealtimePresenceResult:
        """Replace a member's presence; without one, only say that the member is here.

        NotAMember: it never joined, or left. One whose time was over is a member again.
        """
        given = options or RealtimePresenceOptions(member_id=member_id, presence=presence)
        return await self._operate(RealtimePresenceResult, "presence", given)

    async def metadata(
        self,
        options: RealtimeMetadataOptions | None = None,
        /,
        *,
        metadata: Json | None = None,
    ) -> RealtimeMetadataResult:
        """Replace the room's metadata; without any, read it."""
        return await self._operate(
            RealtimeMetadataResult,
            "metadata",
            options or RealtimeMetadataOptions(metadata=metadata),
        )

    async def snapshot(self) -> RealtimeSnapshotResult:
        """Keep the room's metadata, members and newest messages as they are now. NotFound: nothing
        was ever written here."""
        return await self._operate(RealtimeSnapshotResult, "snapshot", NOTHING)

    async def restore(self, snapshot_id: str) -> RealtimeRestoreResult:
        """Have the metadata of a snapshot again, and the presence of members who are still here;
        messages stay, and a `room.restored` one marks the point. NotFound: no such snapshot."""
        given = RealtimeRestoreOptions(snapshot_id=snapshot_id)
        return await self._operate(RealtimeRestoreResult, "restore", given)
