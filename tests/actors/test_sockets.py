"""All sockets of a room: what everybody hears, and what becomes of them with the room."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import anyio
import msgspec
import pytest

from roomhost.actors.errors import RoomDestroyed
from roomhost.actors.socket_request import socket_request
from roomhost.runtime import StorageError, WebSocket, WebSocketClosed

from ..helpers.disk import Disk
from ..helpers.room_sockets import BOTH, READER, Hall, hall_for, recreating, user

pytestmark = pytest.mark.anyio


@pytest.fixture
async def hall() -> AsyncGenerator[Hall]:
    """A host with the module."""
    async with hall_for() as hall:
        yield hall


async def open_unread(hall: Hall) -> WebSocket:
    """A socket that nobody reads."""
    response = await hall.stub().fetch(socket_request(READER))
    response.web_socket.accept()
    ws: WebSocket = response.web_socket
    return ws


async def test_everybody_hears_the_same(hall: Hall) -> None:
    """In both protocols, in the same order, with the same values."""
    listeners = [await hall.open_quietly(protocol=protocol) for protocol in BOTH]
    data = {"a": [1, -1.5, 2**53, None, True, "é\U0001f600"], "": {}}
    await hall.room.publish(type="x", data=data)
    await hall.room.publish(type="x", data=None)
    await hall.room.publish(type="x")
    await hall.room.join(member_id="ana")
    await hall.room.presence(member_id="ana", presence={"p": 1})
    await hall.room.metadata(metadata={"m": 1})
    await hall.room.leave(member_id="ana")
    await hall.host.settle()
    first, second = [listener.take() for listener in listeners]
    assert first == second
    assert [frame["type"] for frame in first] == [
        *["message"] * 3,
        "member.joined",
        "presence.updated",
        "room.metadata",
        "member.left",
    ]
    assert first[0]["message"]["data"] == data
    assert first[1]["message"]["data"] is None
    assert "data" not in first[2]["message"]


async def test_destroy_is_told_and_then_closes(hall: Hall) -> None:
    """Everybody, with the code of no return."""
    ana, listener = await hall.open_quietly(user("ana")), await hall.open_quietly(user("b"))
    ana.take()
    destroyed = await hall.room.destroy()
    await hall.host.settle()
    for client in (ana, listener):
        told, error = client.take()
        assert told == {"type": "room.destroyed", "destroyedAt": destroyed.destroyed_at}
        assert (error["type"], error["code"], error["retryable"]) == (
            "error",
            "room_destroyed",
            False,
        )
        assert client.end == (4410, "room_destroyed", True)
    assert hall.host.statistics().web_sockets == 0
    with pytest.raises(RoomDestroyed):
        await hall.open()


async def test_a_new_life_has_nobody_of_the_old_one() -> None:
    """Sockets of before are closed; their ends, however late, change nothing in it."""
    async with hall_for(recreating) as hall:
        response = await hall.stub().fetch(socket_request(user("ana")))
        await hall.room.destroy()
        await hall.room.join(member_id="ana")
        response.web_socket.accept()  # only now does it answer the close
        await hall.host.settle()
        assert hall.host.statistics().web_sockets == 0
        await hall.clock.advance(59)
        assert [member.member_id for member in await hall.room.members()] == ["ana"]


async def test_what_was_not_stored_was_not_said() -> None:
    """A commit fails: nobody sees the message, its publisher gets an error, the room recovers."""
    disk = Disk()
    async with hall_for(wrap_commit=disk.wrap) as hall:
        await hall.publish()
        listener, ana = await hall.open_quietly(), await hall.open_quietly(user("ana"))
        listener.take()
        disk.failing = True
        ana.send(type="publish", id=1, message={"type": "lost"})
        with pytest.raises(StorageError):
            await hall.room.publish(type="lost")
        await hall.host.settle()
        assert (listener.take(), ana.take()) == ([], [])
        for client in (listener, ana):
            assert client.end is not None
            assert client.end[0] == 1006
        disk.failing = False
        assert [item.type for item in (await hall.room.history()).items] == ["note"]
        again = await hall.open_quietly()
        await hall.publish()
        assert [frame["seq"] for frame in again.take()] == [2]


async def test_nothing_is_said_before_it_is_stored() -> None:
    """The disk is held: no message, no ack; then all of it, in order."""
    disk = Disk()
    async with hall_for(wrap_commit=disk.wrap) as hall:
        await hall.publish()
        listener, ana = await hall.open_quietly(), await hall.open_quietly(user("ana"))
        listener.take()
        disk.hold()
        ana.send(type="publish", id=1, message={"type": "x"})
        ana.send(type="members", id=2)
        await disk.reached()
        await anyio.wait_all_tasks_blocked()
        assert (listener.take(), ana.take()) == ([], [])
        disk.release()
        await hall.host.settle()
        assert listener.types() == ["message"]
        assert ana.types() == ["message", "ack", "ack"]


async def test_a_thousand_idle_sockets_cost_no_instance(hall: Hall) -> None:
    """One frame wakes their room, and everybody hears it."""
    ana = await hall.open_quietly(user("ana"))
    sockets = [await open_unread(hall) for _ in range(999)]
    await hall.clock.advance(90)  # a sweep has woken it, and it has slept again
    statistics = hall.host.statistics()
    assert (statistics.activations, statistics.web_sockets) == (0, 1_000)
    assert await ana.result("publish", message={"type": "x"})
    for ws in sockets:
        heard = [msgspec.json.decode(await ws.receive())["type"] for _ in range(2)]
        assert heard == ["welcome", "message"]


async def test_who_does_not_read_is_closed_alone(hall: Hall) -> None:
    """With the code that says so, at 1 MiB; the others hear everything at once."""
    slow, fast = await open_unread(hall), await hall.open_quietly(user("fast"))
    fast.take()
    for number in range(20):
        await hall.room.publish(type="x", data="x" * 60_000)
        await hall.host.settle()
        assert [frame["seq"] for frame in fast.take()] == [number + 1]
    with pytest.raises(WebSocketClosed) as caught:
        await slow.receive()
    assert (caught.value.code, caught.value.reason) == (4531, "slow_consumer")
    assert (await hall.room.lifecycle()).active_connections == 1


async def test_too_many_frames_are_too_many_too(hall: Hall) -> None:
    """1,024 of them, however small."""
    slow: Any = await open_unread(hall)
    for _ in range(1_024):
        await hall.room.broadcast(type="x")
    await hall.host.settle()
    with pytest.raises(WebSocketClosed) as caught:
        await slow.receive()
    assert caught.value.code == 4531
