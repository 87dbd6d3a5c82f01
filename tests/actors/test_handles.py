"""Handles: every operation, by keywords and by its input type, and what of an input is refused."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from roomhost.actors import (
    ChannelHandle,
    InvalidArgument,
    NotAMember,
    NotFound,
    PayloadTooLarge,
    RealtimeAuthorizeOptions,
    RealtimeDestroyOptions,
    RealtimeHistoryOptions,
    RealtimeJoinOptions,
    RealtimeLeaveOptions,
    RealtimeMembersOptions,
    RealtimeMessageInput,
    RealtimeMetadataOptions,
    RealtimePresenceOptions,
    RealtimePrincipal,
    RealtimeRoomIdentity,
    RoomDestroyed,
    RoomHandle,
    Unauthenticated,
)
from roomhost.runtime import Host
from roomhost.runtime.testing import ManualClock, host_for

from ..helpers.realtime_app import app

pytestmark = pytest.mark.anyio
ADA = RealtimePrincipal(kind="user", user_id="ada")
WHOLE_ADA = RealtimePrincipal(kind="user", user_id="ada", id="ada")


@pytest.fixture
async def host() -> AsyncGenerator[Host]:
    """A host with the module."""
    async with host_for(app, clock=ManualClock()) as host:
        yield host


@pytest.fixture
def room(host: Host) -> RoomHandle:
    """A room of it."""
    found: RoomHandle = host.env.COLLAB.room("lobby")
    return found


@pytest.fixture
def channel(host: Host) -> ChannelHandle:
    """The channel of the same name."""
    found: ChannelHandle = host.env.COLLAB.channel("lobby")
    return found


@pytest.mark.parametrize("typed", [False, True], ids=["keywords", "type"])
async def test_messages(room: RoomHandle, channel: ChannelHandle, typed: bool) -> None:
    """Published, broadcast, and read back a page at a time; a channel's are its own."""
    fields: dict[str, Any] = {
        "type": "note",
        "data": {"a": [1]},
        "metadata": {"b": 2},
        "actor": ADA,
    }
    message = RealtimeMessageInput(**fields, idempotency_key="k")
    for handle in (room, channel):
        if typed:
            first, again = await handle.publish(message), await handle.broadcast(message)
        else:
            first = await handle.publish(**fields, idempotency_key="k")
            again = await handle.broadcast(**fields, idempotency_key="k")
        assert first == again
        assert (first.room, first.kind, first.actor) == ("lobby", handle.kind, WHOLE_ADA)
        second = await handle.broadcast(type="other")
        page = await (
            handle.history(RealtimeHistoryOptions(limit=1)) if typed else handle.history(limit=1)
        )
        assert [item.message_id for item in page.items] == [second.message_id]
        rest = await handle.history(cursor=page.cursor)
        assert rest.cursor is None
        (item,) = rest.items
        assert (item.message_id, item.data, item.metadata) == (
            first.message_id,
            {"a": [1]},
            {"b": 2},
        )


@pytest.mark.parametrize("typed", [False, True], ids=["keywords", "type"])
async def test_members(room: RoomHandle, typed: bool) -> None:
    """Joined, changed, listed, and gone."""
    fields: dict[str, Any] = {"actor": ADA, "metadata": {"a": 1}, "presence": {"b": 2}}
    member = await (room.join(RealtimeJoinOptions(**fields)) if typed else room.join(**fields))
    assert (member.member_id, member.actor) == ("ada", WHOLE_ADA)
    assert (member.metadata, member.presence) == ({"a": 1}, {"b": 2})
    here: dict[str, Any] = {"member_id": "ada", "presence": {"b": 3}}
    result = await (
        room.presence(RealtimePresenceOptions(**here)) if typed else room.presence(**here)
    )
    assert result.presence == {"b": 3}
    left = await (
        room.leave(RealtimeLeaveOptions(member_id="ada")) if typed else room.leave(member_id="ada")
    )
    assert left.member_id == "ada"
    assert await room.members() == []
    shown = await (
        room.members(RealtimeMembersOptions(include_left=True, limit=1))
        if typed
        else room.members(include_left=True, limit=1)
    )
    assert [found.left_at for found in shown] == [left.left_at]


@pytest.mark.parametrize("typed", [False, True], ids=["keywords", "type"])
async def test_the_rooms_own_state(room: RoomHandle, typed: bool) -> None:
    """Metadata, snapshots, the lifecycle, a grant, and the end."""
    topic = {"topic": "x"}
    await (
        room.metadata(RealtimeMetadataOptions(metadata=topic))
        if typed
        else room.metadata(metadata=topic)
    )
    snapshot = await room.snapshot()
    await room.metadata(metadata={})
    assert (await room.restore(snapshot.snapshot_id)).snapshot_id == snapshot.snapshot_id
    assert (await room.metadata()).metadata == topic
    asked: dict[str, Any] = {"actor": ADA, "client_id": "tab", "ttl_seconds": 60}
    grant = await (
        room.authorize(RealtimeAuthorizeOptions(**asked, capabilities=("publish",)))
        if typed
        else room.authorize(**asked, capabilities=["publish"])
    )
    assert (grant.member_id, grant.client_id, grant.actor) == ("ada", "tab", WHOLE_ADA)
    assert grant.url.endswith("/realtime/collab/rooms/lobby/ws")
    assert (await room.lifecycle()).status == "active"
    ended = await (
        room.destroy(RealtimeDestroyOptions(delete_history=True))
        if typed
        else room.destroy(delete_history=True)
    )
    assert (ended.deleted_history, ended.deleted_snapshots) == (True, False)
    assert (await room.destroy(delete_snapshots=True)).destroyed_at == ended.destroyed_at
    with pytest.raises(RoomDestroyed):
        await room.publish(type="note")


async def test_what_a_handle_is(host: Host, room: RoomHandle, channel: ChannelHandle) -> None:
    """It says which room it is of, and asks for nothing by itself."""
    assert room.identity == RealtimeRoomIdentity(kind="room", name="lobby")
    assert channel.identity == RealtimeRoomIdentity(kind="channel", name="lobby")
    assert (repr(room), repr(channel)) == ("<RoomHandle lobby>", "<ChannelHandle lobby>")
    assert await host.env.COLLAB.rooms() == []
    for name in ("", "a\n", "x" * 256):
        with pytest.raises(InvalidArgument):
            host.env.COLLAB.room(name)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "type"),
        ({"type": 5}, "type"),
        ({"type": "system.x"}, "type"),
        ({"type": "x" * 257}, "type"),
        ({"type": "\ud800"}, "type"),
        ({"data": datetime(2026, 1, 1, tzinfo=UTC)}, "data"),
        ({"data": b"bytes"}, "data"),
        ({"data": {1, 2}}, "data"),
        ({"data": Decimal(1)}, "data"),
        ({"data": {"a": float("inf")}}, "data.a"),
        ({"data": [{"a": float("nan")}]}, "data.0.a"),
        ({"data": {"a": {1: 2}}}, "data.a"),
        ({"data": {"a": "\udfff"}}, "data.a"),
        ({"data": {"\udfff": 1}}, "data"),
        ({"data": 2**64}, "data"),
        ({"metadata": [1]}, "metadata"),
        ({"metadata": {"a": b""}}, "metadata.a"),
        ({"idempotency_key": ""}, "idempotencyKey"),
        ({"idempotency_key": "k" * 257}, "idempotencyKey"),
        ({"actor": RealtimePrincipal(kind="user")}, "actor.userId"),
        ({"actor": RealtimePrincipal(kind="user", user_id="")}, "actor.userId"),
        ({"actor": RealtimePrincipal(kind="user", user_id=b"ada")}, "actor.userId"),  # type: ignore[arg-type]
        ({"actor": RealtimePrincipal(kind="robot", id="r")}, "actor.kind"),  # type: ignore[arg-type]
        ({"actor": {"kind": "user", "user_id": "ada"}}, "actor.user_id"),
        ({"actor": "ada"}, "actor"),
    ],
)
async def test_a_message_that_is_refused(
    room: RoomHandle, fields: dict[str, Any], field: str
) -> None:
    """With the path of what is wrong in it, before anything is sent."""
    given: dict[str, Any] = {"type": "note", **fields} if fields else {}
    for call in (room.publish, room.broadcast):
        with pytest.raises(InvalidArgument) as refused:
            await call(**given)
        assert (refused.value.code, refused.value.field) == ("invalid_argument", field)
    assert (await room.history()).items == []


async def test_a_message_that_is_too_large(room: RoomHandle) -> None:
    """Has a code of its own."""
    for field, size in (("data", 65_537), ("metadata", 16_385)):
        given: dict[str, Any] = {field: {"a": "x" * size}}
        with pytest.raises(PayloadTooLarge) as refused:
            await room.publish(type="note", **given)
        assert refused.value.field == field


@pytest.mark.parametrize(
    ("name", "fields", "field"),
    [
        ("join", {"member_id": 5}, "memberId"),
        ("join", {"member_id": ""}, "memberId"),
        ("join", {"member_id": "a", "metadata": {"x": {1}}}, "metadata.x"),
        ("join", {"member_id": "a", "presence": []}, "presence"),
        ("leave", {"member_id": "x" * 257}, "memberId"),
        ("presence", {"member_id": "a", "presence": {"x": float("-inf")}}, "presence.x"),
        ("members", {"limit": 0}, "limit"),
        ("members", {"limit": True}, "limit"),
        ("members", {"include_left": 1}, "includeLeft"),
        ("history", {"limit": "10"}, "limit"),
        ("history", {"limit": 1.0}, "limit"),
        ("history", {"limit": 2**31}, "limit"),
        ("history", {"cursor": b"x"}, "cursor"),
        ("metadata", {"metadata": "x"}, "metadata"),
        ("authorize", {"ttl_seconds": 0}, "ttlSeconds"),
        ("authorize", {"ttl_seconds": 86_401}, "ttlSeconds"),
        ("authorize", {"capabilities": ["fly"]}, "capabilities"),
        ("authorize", {"capabilities": "admin"}, "capabilities"),
        ("authorize", {"capabilities": 5}, "capabilities"),
        ("authorize", {"presence": {"x": 1j}}, "presence.x"),
        ("destroy", {"delete_history": "yes"}, "deleteHistory"),
        ("restore", {"snapshot_id": ""}, "snapshotId"),
        ("connect", {"member_id": "\n"}, "memberId"),
        ("connect", {"presence": {"x": b""}}, "presence.x"),
    ],
)
async def test_an_input_that_is_refused(
    room: RoomHandle, name: str, fields: dict[str, Any], field: str
) -> None:
    """Likewise, of every operation."""
    with pytest.raises(InvalidArgument) as refused:
        await getattr(room, name)(**fields)
    assert refused.value.field == field
    assert isinstance(refused.value, ValueError)


async def test_an_input_of_another_type_is_refused(room: RoomHandle) -> None:
    """With the one to use."""
    for given in ("note", {"type": "note"}, RealtimeHistoryOptions()):
        with pytest.raises(InvalidArgument, match="or a RealtimeMessageInput, not"):
            await room.publish(given)  # type: ignore[arg-type]


async def test_what_a_room_refuses(room: RoomHandle) -> None:
    """Comes with class, code and field across the stub."""
    await room.publish(type="note")
    with pytest.raises(Unauthenticated, match="give a memberId or an actor"):
        await room.join()
    with pytest.raises(NotAMember):
        await room.presence(member_id="nobody")
    with pytest.raises(NotFound) as not_found:
        await room.restore("nope")
    assert (not_found.value.code, not_found.value.status) == ("not_found", 404)
    with pytest.raises(InvalidArgument) as refused:
        await room.history(cursor="nope")
    assert (refused.value.code, refused.value.field) == ("invalid_cursor", "cursor")


async def test_a_handle_outlives_a_reset(host: Host, room: RoomHandle) -> None:
    """The next call of it works, though a stub would be broken."""
    await room.publish(type="note")
    await host.abort_all()
    await room.publish(type="note")
    assert len((await room.history()).items) == 2
