"""A connection from code to a room that is reset, destroyed and begun anew under it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from roomhost.actors import (
    IdempotencyConflict,
    InvalidArgument,
    NotAMember,
    NotFound,
    RateLimited,
    RealtimeConnection,
    RealtimeError,
    RealtimeLifecycleOptions,
    RealtimePrincipal,
    RealtimePublishResult,
    RoomDestroyed,
    RoomHandle,
    limits,
    realtime,
)
from roomhost.bindings import App
from roomhost.runtime import Host, HostError, WebSocket
from roomhost.runtime.testing import ManualClock, host_for

from ..helpers.connections import connect_on, take, take_messages

pytestmark = pytest.mark.anyio
COLLAB = realtime(name="collab")
AGAIN = realtime(name="again", lifecycle=RealtimeLifecycleOptions(allow_recreate=True))
RECONNECTED = limits.RECONNECT_SECONDS * 2  # long enough for the first attempt


@pytest.fixture
def clock() -> ManualClock:
    """The time of host and clients."""
    return ManualClock()


@pytest.fixture
async def host(clock: ManualClock) -> AsyncGenerator[Host]:
    """A host with the module."""
    app = App(name="client", bindings={"COLLAB": COLLAB, "AGAIN": AGAIN})
    async with host_for(app, clock=clock) as host:
        yield host


@pytest.fixture
def room(host: Host) -> RoomHandle:
    """A room of it."""
    found: RoomHandle = host.env.COLLAB.room("lobby")
    return found


async def test_events_come_in_order(clock: ManualClock, room: RoomHandle) -> None:
    """The greeting first, then everything from there on, with its place in the room's order."""
    await room.publish(type="before")
    async with connect_on(clock, room, member_id="bot", presence={"at": 1}) as connection:
        connected, joined = await take(connection, 2)
        assert (connected.type, connected.fields["seq"]) == ("connected", 1)
        assert connected.fields["memberId"] == "bot"
        assert joined.type == "member.joined"
        assert joined.fields["member"]["presence"] == {"at": 1}
        first = await connection.publish(type="note", data=None, metadata={"by": "bot"})
        await room.publish(type="note", data=2)
        one, two = await take(connection, 2)
        assert one.message is not None
        assert (one.type, one.seq, one.message.message_id) == ("message", 2, first.message_id)
        assert (one.message.data, one.message.metadata) == (None, {"by": "bot"})
        assert two.message is not None
        assert (two.seq, two.message.data) == (3, 2)


async def test_every_operation_of_a_frame(clock: ManualClock, room: RoomHandle) -> None:
    """With the result that its handle has."""
    async with connect_on(clock, room, member_id="bot") as connection:
        published = await connection.publish(type="note")
        assert [found.message_id for found in (await connection.history(limit=1)).items] == [
            published.message_id
        ]
        await connection.presence({"typing": True})
        assert (await connection.presence()).presence == {"typing": True}
        assert [member.member_id for member in await connection.members()] == ["bot"]
        assert (await connection.lifecycle()).active_connections == 1
        await connection.request("metadata", metadata={"topic": "x"})
        assert (await room.metadata()).metadata == {"topic": "x"}
        snapshot = await connection.request("snapshot")
        assert (await connection.request("restore", snapshot_id=snapshot.snapshot_id)).restored_at
        assert (await connection.leave()).member_id == "bot"
        assert await room.members() == []
        assert (await connection.join(metadata={"a": 1})).metadata == {"a": 1}


async def test_broadcast_leaves_out_the_one_who_sends(clock: ManualClock, room: RoomHandle) -> None:
    """And nobody else."""
    async with connect_on(clock, room) as sender, connect_on(clock, room) as other:
        await take(sender, 1)
        await sender.broadcast(type="note", data=1)
        await sender.publish(type="note", data=2)
        assert await take_messages(sender, 1) == [(2, 2)]
        assert await take_messages(other, 2) == [(1, 1), (2, 2)]


@pytest.mark.parametrize("steps", [0, 1, 2, 3, 5, 8, 13, 21, 34])
async def test_a_reset_in_the_middle_of_a_publish(
    clock: ManualClock, host: Host, room: RoomHandle, steps: int
) -> None:
    """Whenever it comes, the message is recorded, delivered and acknowledged once."""
    results: list[RealtimePublishResult] = []

    async def publish(data: int) -> None:
        results.append(await connection.publish(type="note", data=data))

    async with connect_on(clock, room, member_id="bot") as connection:
        await clock.advance(0)
        async with anyio.create_task_group() as group:
            group.start_soon(publish, 1)
            for _ in range(steps):
                await anyio.lowlevel.checkpoint()
            await host.abort_all()
            await clock.advance(RECONNECTED)
        await publish(2)
        assert await take_messages(connection, 2) == [(1, 1), (2, 2)]
        found = (await room.history()).items
        assert [item.message_id for item in found[::-1]] == [one.message_id for one in results]


async def test_what_is_missed_is_replayed_before_what_is_new(
    clock: ManualClock, host: Host, room: RoomHandle
) -> None:
    """Three resets: nothing twice, nothing left out."""
    async with connect_on(clock, room) as connection:
        for number in range(3):
            await room.publish(type="note", data="heard")
            await clock.advance(0)
            await host.abort_all()
            await clock.advance(0)
            for _ in range(number * 2):
                await room.publish(type="note", data="missed")
            await clock.advance(RECONNECTED)
        await room.publish(type="note", data="last")
        heard = await take_messages(connection, 10)
    assert [seq for seq, _ in heard] == list(range(1, 11))
    assert [data for _, data in heard] == [
        *("heard", "heard", "missed", "missed", "heard"),
        *("missed", "missed", "missed", "missed", "last"),
    ]


async def test_a_connection_says_that_it_is_back(
    clock: ManualClock, host: Host, room: RoomHandle
) -> None:
    """And that it has all it missed; its member never left."""
    async with connect_on(clock, room, member_id="bot") as connection:
        await take(connection, 2)
        await host.abort_all()
        await clock.advance(RECONNECTED)
        connected, updated = await take(connection, 2)
        assert (connected.type, connected.fields["recovered"]) == ("connected", True)
        assert updated.type == "member.updated"


@pytest.mark.parametrize(("missed", "recovered"), [(300, True), (301, False)])
async def test_a_gap_is_told(
    clock: ManualClock, host: Host, room: RoomHandle, missed: int, recovered: bool
) -> None:
    """When more was missed than a room replays; what comes after it is heard."""
    async with connect_on(clock, room) as connection:
        await take(connection, 1)
        await host.abort_all()
        await clock.advance(0)
        async with anyio.create_task_group() as group:
            for _ in range(missed):
                group.start_soon(_publish, room)
        await clock.advance(RECONNECTED)
        connected = await anext(connection)
        assert connected.fields["recovered"] is recovered
        if recovered:
            assert [seq for seq, _ in await take_messages(connection, 300)] == [*range(1, 301)]
        else:
            gap = await anext(connection)
            epoch = connected.fields["epoch"]
            assert gap.type == "gap"
            assert gap.fields == {"epoch": epoch, "seq": 301, "reason": "insufficient_state"}
        await room.publish(type="note", data="new")
        assert await take_messages(connection, 1) == [(missed + 1, "new")]


async def _publish(room: RoomHandle) -> None:
    await room.publish(type="note")


async def test_a_room_that_began_anew_is_a_gap(clock: ManualClock, host: Host) -> None:
    """Places of its old life mean nothing."""
    room: RoomHandle = host.env.AGAIN.room("lobby")
    async with connect_on(clock, room) as connection:
        await take(connection, 1)
        await host.abort_all()
        await clock.advance(0)
        await room.destroy(delete_history=True)
        await room.publish(type="note")
        await clock.advance(RECONNECTED)
        connected, gap = await take(connection, 2)
        assert connected.fields["recovered"] is False
        assert gap.type == "gap"
        assert gap.fields["reason"] == "epoch_changed"
        assert (await connection.publish(type="note", data=1)).message_id
        assert (await take_messages(connection, 1))[0][1] == 1


async def test_the_end_of_a_room_ends_the_iteration(clock: ManualClock, room: RoomHandle) -> None:
    """After what was heard before it; and every call from then on."""
    async with connect_on(clock, room) as connection:
        await room.publish(type="note")
        await room.destroy()
        assert [event.type for event in await take(connection, 3)] == [
            "connected",
            "message",
            "room.destroyed",
        ]
        for _ in range(2):
            with pytest.raises(RoomDestroyed, match="'lobby' was destroyed"):
                await anext(connection)
        with pytest.raises(RoomDestroyed):
            await connection.publish(type="note")


async def test_the_end_of_a_room_fails_what_waits(
    clock: ManualClock, host: Host, room: RoomHandle
) -> None:
    """A publish that waits for the connection to come back."""

    async def publish() -> None:
        with pytest.raises(RoomDestroyed):
            await connection.publish(type="note")
        refused.append("publish")

    refused: list[str] = []
    async with connect_on(clock, room) as connection, anyio.create_task_group() as group:
        await take(connection, 1)
        await host.abort_all()
        await clock.advance(0)
        group.start_soon(publish)
        await room.destroy()
        await clock.advance(RECONNECTED)
        with pytest.raises(RoomDestroyed):
            await anext(connection)
    assert refused == ["publish"]


async def test_a_room_that_has_ended_is_not_connected_to(
    clock: ManualClock, room: RoomHandle
) -> None:
    """The first connection is the caller's to try again."""
    await room.destroy()
    with pytest.raises(RoomDestroyed):
        async with connect_on(clock, room, member_id="bot"):
            pass


async def test_a_cancelled_publish_leaves_nothing(
    clock: ManualClock, host: Host, room: RoomHandle
) -> None:
    """It is not sent when the connection comes back."""
    async with connect_on(clock, room) as connection:
        await take(connection, 1)
        await host.abort_all()
        await clock.advance(0)
        async with anyio.create_task_group() as group:
            group.start_soon(_publish_over, connection)
            await clock.advance(0)
            group.cancel_scope.cancel()
        await clock.advance(RECONNECTED)
        await take(connection, 1)
        assert (await room.history()).items == []
        assert connection._pending == {}


async def _publish_over(connection: Any, data: Any = None) -> None:
    await connection.publish(type="note", data=data)


async def test_an_iterator_that_is_too_slow_is_told(
    clock: ManualClock, host: Host, room: RoomHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the events that it has; the room is rid of the connection at once."""
    monkeypatch.setattr(limits, "MAX_UNREAD_EVENTS", 3)
    async with connect_on(clock, room) as connection:
        for data in range(3):
            await room.publish(type="note", data=data)
        await clock.advance(0)
        assert await take_messages(connection, 2) == [(1, 0), (2, 1)]
        with pytest.raises(RealtimeError, match="3 events wait") as slow:
            await anext(connection)
        assert slow.value.code == "slow_consumer"
        with pytest.raises(RealtimeError, match="iterate faster"):
            await connection.publish(type="note")
        assert (await room.lifecycle()).active_connections == 0


async def test_who_leaves_the_block_may_come_back(clock: ManualClock, room: RoomHandle) -> None:
    """For ten seconds it is a member still."""
    async with connect_on(clock, room) as watcher:
        async with connect_on(clock, room, member_id="bot"):
            pass
        await clock.advance(9)
        assert [member.member_id for member in await room.members()] == ["bot"]
        async with connect_on(clock, room, member_id="bot"):
            await clock.advance(5)
        await clock.advance(10)
        assert await room.members() == []
        left = (await take(watcher, 4))[-1]
        assert (left.type, left.fields["reason"]) == ("member.left", "disconnected")


async def test_refusals_have_their_class(clock: ManualClock, host: Host, room: RoomHandle) -> None:
    """With code and field, those of the room as those of the check before anything is sent."""
    async with connect_on(clock, room, member_id="bot") as connection:
        await connection.publish(type="note", idempotency_key="k")
        for kind, code, field, call in (
            (InvalidArgument, "invalid_argument", "type", connection.publish(type="room.x")),
            (InvalidArgument, "invalid_argument", "data", connection.publish(type="x", data={1})),
            (InvalidArgument, "invalid_cursor", "cursor", connection.history(cursor="nope")),
            (
                IdempotencyConflict,
                "idempotency_conflict",
                "idempotencyKey",
                connection.publish(type="other", idempotency_key="k"),
            ),
            (
                NotFound,
                "not_found",
                "snapshotId",
                connection.request("restore", snapshot_id="nope"),
            ),
            (InvalidArgument, "invalid_argument", "type", connection.request("destroy")),
        ):
            with pytest.raises(kind) as refused:
                await call
            assert (refused.value.code, refused.value.field) == (code, field)
        await connection.leave()
        with pytest.raises(NotAMember):
            await connection.presence({})
    async with connect_on(clock, host.env.COLLAB.channel("lobby")) as connection:
        with pytest.raises(InvalidArgument) as refused:
            await connection.join(member_id="bot")
        assert refused.value.code == "unsupported_for_channel"


async def test_too_many_frames_are_refused(clock: ManualClock, room: RoomHandle) -> None:
    """The caller is told when there is time for more."""
    async with connect_on(clock, room) as connection:
        for _ in range(limits.RATE_BURST):
            await connection.lifecycle()
        with pytest.raises(RateLimited) as refused:
            await connection.lifecycle()
        assert (refused.value.retryable, refused.value.retry_after_ms) == (True, 20)


async def test_what_waits_for_a_reconnection_is_not_refused_for_being_much(
    clock: ManualClock, host: Host, room: RoomHandle
) -> None:
    """All of it goes again at once: what the room has no time for goes a third time."""
    async with connect_on(clock, room) as connection, anyio.create_task_group() as group:
        for data in range(limits.RATE_BURST):
            group.start_soon(_publish_over, connection, data)
        await anyio.lowlevel.checkpoint()
        await host.abort_all()
        for data in range(limits.RATE_BURST, limits.RATE_BURST + 20):
            group.start_soon(_publish_over, connection, data)
        await anyio.lowlevel.checkpoint()
        await host.abort_all()
        for _ in range(10):
            await clock.advance(RECONNECTED)
    found = await room.history(limit=1000)
    assert {item.data for item in found.items} == {*range(limits.RATE_BURST + 20)}
    assert len(found.items) == limits.RATE_BURST + 20


async def test_an_actor_is_whole(clock: ManualClock, room: RoomHandle) -> None:
    """As one that is given to an operation; the member is who it stands for."""
    user = RealtimePrincipal(kind="user", user_id="ada")
    guest = RealtimePrincipal(kind="anonymous")
    async with (
        connect_on(clock, room, actor=user) as connection,
        connect_on(clock, room, actor=guest) as other,
    ):
        actor = (await connection.publish(type="note")).actor
        assert actor == RealtimePrincipal(kind="user", user_id="ada", id="ada")
        somebody = (await other.publish(type="note")).actor
        assert somebody is not None
        assert somebody.id
        assert {member.member_id for member in await room.members()} == {"ada", somebody.id}
    with pytest.raises(InvalidArgument) as refused:
        room.connect(actor=RealtimePrincipal(kind="user"))
    assert refused.value.field == "actor.userId"


async def test_a_connection_that_is_given_up_while_it_opens_leaves_nothing(
    clock: ManualClock, host: Host, room: RoomHandle
) -> None:
    """Whether the first one is cancelled, or the block is left while it comes back."""
    with anyio.CancelScope() as scope:
        scope.cancel()
        async with room.connect(member_id="bot"):
            pass
    assert scope.cancelled_caught
    await clock.advance(0)
    assert (await room.lifecycle()).active_connections == 0
    opener = room.connect(member_id="bot")._open_socket
    opening: list[anyio.Event] = []

    async def open_socket(epoch: str | None, seq: int) -> WebSocket:
        for event in opening:
            event.set()
        return await opener(epoch, seq)

    async def no_pause(seconds: float) -> None:
        await anyio.lowlevel.checkpoint()

    async with RealtimeConnection(open_socket, sleep=no_pause) as connection:
        await take(connection, 1)
        opening.append(anyio.Event())
        await host.abort_all()
        await opening[0].wait()
    await clock.advance(0)
    assert (await room.lifecycle()).active_connections == 0
    assert [member.member_id for member in await room.members()] == ["bot"]


async def test_leaving_the_block_fails_what_waits(
    clock: ManualClock, host: Host, room: RoomHandle
) -> None:
    """And ends the iteration, of other tasks as well; outside of it nothing can be asked."""
    ends: list[str] = []

    async def iterate() -> None:
        async for _ in connection:
            pass
        ends.append("iteration")

    async def publish() -> None:
        with pytest.raises(HostError, match="connection is closed"):
            await connection.publish(type="note")
        ends.append("publish")

    connection = connect_on(clock, room)
    await publish()
    with pytest.raises(HostError):
        await anext(connection)
    async with anyio.create_task_group() as group:
        async with connection:
            group.start_soon(iterate)
            await clock.advance(0)
            await host.abort_all()
            await clock.advance(0)
            group.start_soon(publish)
            await clock.advance(0)
    assert sorted(ends) == ["iteration", "publish", "publish"]
    with pytest.raises(StopAsyncIteration):
        await anext(connection)
    await publish()
    with pytest.raises(HostError, match="entered once"):
        async with connection:
            pass


async def test_an_error_of_the_block_comes_out_of_it(clock: ManualClock, room: RoomHandle) -> None:
    """As it is, and not in a group."""
    with pytest.raises(KeyError, match="mine"):
        async with connect_on(clock, room):
            raise KeyError("mine")
    with anyio.move_on_after(0) as scope:
        async with connect_on(clock, room):
            await anyio.sleep_forever()
    assert scope.cancelled_caught
