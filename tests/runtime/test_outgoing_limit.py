"""What may wait for one slow reader, as its object bounds it; in process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from roomhost.runtime import WebSocket, WebSocketClosed, WebSocketPair, limits
from roomhost.runtime.testing import ManualClock, host_for

from ..helpers.scripted import Scripted, app, script

pytestmark = pytest.mark.anyio


@dataclass
class Room:
    """An object with sockets, and what it was told of their ends."""

    stub: Any
    host: Any
    clock: ManualClock
    clients: list[WebSocket] = field(default_factory=list[WebSocket])
    closes: list[Any] = field(default_factory=list[Any])

    async def join(self, **limit: Any) -> WebSocket:
        """A new client end, accepted; the server end has a limit when one is given."""
        await self.stub.run("enter", limit)
        self.clients[-1].accept()
        return self.clients[-1]


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    """`send(message, ...)` sends to each socket, `amounts()` are what waits for each."""

    @script
    def enter(actor: Scripted, limit: dict[str, Any]) -> None:
        pair = WebSocketPair()
        actor.ctx.accept_web_socket(pair.server)
        if limit:
            pair.server.set_outgoing_limit(**limit)
        made.clients.append(pair.client)

    @script
    def send(actor: Scripted, *messages: str | bytes) -> None:
        for ws in actor.ctx.get_web_sockets():
            for message in messages:
                ws.send(message)

    @script
    def amounts(actor: Scripted) -> list[int]:
        return [ws.buffered_amount for ws in actor.ctx.get_web_sockets()]

    @script
    def close(actor: Scripted, ws: WebSocket, *what: Any) -> None:
        made.closes.append(what)

    clock = ManualClock()
    async with host_for(app, clock=clock) as host:
        made = Room(host.env.OBJECT.get_by_name("room"), host, clock)
        yield made


async def closed(ws: WebSocket) -> tuple[int, str, bool]:
    """How it ended, nothing having been left to read."""
    with pytest.raises(WebSocketClosed) as caught:
        await ws.receive()
    return caught.value.code, caught.value.reason, caught.value.was_clean


async def test_bytes_beyond_the_limit_close_with_the_code_of_the_object(room: Room) -> None:
    """What waits is dropped; the object is told, unclean; another reader keeps its own limit."""
    slow = await room.join(max_bytes=10, max_frames=100, code=4_531, reason="slow consumer")
    other = await room.join()
    await room.stub.run("send", b"12345", "67890")
    assert await room.stub.run("amounts") == [10, 10]
    await room.stub.run("send", b"x")
    assert await closed(slow) == (4_531, "slow consumer", False)
    await room.clock.advance(0)
    assert room.closes == [(4_531, "slow consumer", False)]
    assert [await other.receive() for _ in range(3)] == [b"12345", "67890", b"x"]
    assert await room.stub.run("amounts") == [0]


async def test_messages_beyond_the_limit_close_too(room: Room) -> None:
    """With 1013 when the object names no code."""
    slow = await room.join(max_bytes=1_000, max_frames=3)
    await room.stub.run("send", "", "", "")
    await room.stub.run("send", "")
    assert await closed(slow) == (1_013, "the reader is too slow", False)


async def test_a_text_counts_in_utf_8(room: Room) -> None:
    """Two bytes for é, four for an emoji, three for half of a surrogate pair."""

    @script
    def send_half(actor: Scripted) -> None:
        actor.ctx.get_web_sockets()[0].send("\ud83d")

    ws = await room.join(max_bytes=9, max_frames=100)
    await room.stub.run("send", "é", "🙂")
    assert await room.stub.run("amounts") == [6]
    await room.stub.run("send_half")
    assert await room.stub.run("amounts") == [9]
    assert await ws.receive() == "é"
    assert await room.stub.run("amounts") == [7]
    await room.stub.run("send", "é", "x")
    assert (await closed(ws))[0] == 1_013


async def test_a_reader_that_keeps_up_gets_more_than_the_limit(room: Room) -> None:
    """Only what waits counts; a single message of any size may wait alone."""
    ws = await room.join(max_bytes=10, max_frames=1)
    for size in (5, 10, 1_000):
        await room.stub.run("send", "x" * size)
        assert await ws.receive() == "x" * size


async def test_the_limit_outlives_the_instance(room: Room) -> None:
    """It belongs to the connection, which hibernates."""
    ws = await room.join(max_bytes=10, max_frames=100, code=4_531)
    assert await room.host.evict(room.stub)
    await room.stub.run("send", "x" * 10)
    await room.stub.run("send", "x")
    assert (await closed(ws))[0] == 4_531


async def test_what_waits_for_the_output_gate_is_buffered(room: Room) -> None:
    """It counts until the write before it is on disk and the other end has taken it."""

    @script
    async def write_and_send(actor: Scripted) -> int:
        (ws,) = actor.ctx.get_web_sockets()
        await actor.ctx.storage.put("k", 1)
        ws.send("größe")
        return ws.buffered_amount

    ws = await room.join()
    assert await room.stub.run("write_and_send") == 7
    assert await room.stub.run("amounts") == [7]
    assert await ws.receive() == "größe"
    assert await room.stub.run("amounts") == [0]


async def test_any_accepted_end_may_have_a_limit_and_no_other(room: Room) -> None:
    """An end that nobody took is a TypeError, as for `send`."""

    @script
    async def pair(actor: Scripted) -> None:
        client, server = WebSocketPair()
        with pytest.raises(TypeError, match=r"must call one of accept\(\)"):
            server.set_outgoing_limit(max_bytes=1, max_frames=1)
        server.accept()
        client.accept()
        server.set_outgoing_limit(max_bytes=10, max_frames=1, code=4_000)
        server.send("one")
        server.send("two")
        assert await closed(client) == (4_000, "the reader is too slow", False)
        assert await closed(server) == (4_000, "the reader is too slow", False)

    await room.stub.run("pair")


@pytest.mark.parametrize(
    ("limit", "error", "match"),
    [
        ({"max_bytes": 0}, ValueError, "max_bytes is 1 to 16777216, not 0"),
        ({"max_bytes": limits.MAX_OUTGOING_BYTES + 1}, ValueError, "max_bytes is 1 to 16777216"),
        ({"max_frames": 0}, ValueError, "max_frames is 1 to 65536, not 0"),
        ({"max_frames": limits.MAX_OUTGOING_FRAMES + 1}, ValueError, "max_frames is 1 to 65536"),
        ({"max_bytes": 1.5}, TypeError, "max_bytes is an int, not float"),
        ({"max_frames": True}, TypeError, "max_frames is an int, not bool"),
        ({"code": 1_006}, ValueError, "Invalid WebSocket close code: 1006"),
        ({"code": None}, TypeError, "close code is an int, not NoneType"),
        ({"reason": "é" * 62}, ValueError, "longer than 123 bytes, it is 124"),
        ({"reason": b"slow"}, TypeError, "reason is a str, not bytes"),
    ],
)
async def test_a_limit_that_cannot_be(room: Room, limit: Any, error: Any, match: str) -> None:
    """The error names it; the limit that was stays."""

    @script
    def change(actor: Scripted) -> None:
        (ws,) = actor.ctx.get_web_sockets()
        wanted: dict[str, Any] = {"max_bytes": 100, "max_frames": 100, **limit}
        with pytest.raises(error, match=match):
            ws.set_outgoing_limit(**wanted)

    ws = await room.join(max_bytes=10, max_frames=100, code=4_531)
    await room.stub.run("change")
    await room.stub.run("send", "x" * 10, "x")
    assert (await closed(ws))[0] == 4_531
