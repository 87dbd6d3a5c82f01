"""Clients out in the network that do not read: what they cost the others, and how they end."""

from __future__ import annotations

import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as dial
from websockets.exceptions import ConnectionClosed

from roomhost.bindings import connect
from roomhost.runtime import Request, Response, WebSocketClosed, WebSocketPair, limits
from roomhost.runtime.testing import host_for

from ..helpers.remote_app import app
from ..helpers.scripted import Scripted, script
from ..helpers.served import QuietServer, serving

pytestmark = pytest.mark.anyio
CHUNK = b"x" * 65_536
UPGRADE = (
    b"GET /station/room HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


@pytest.fixture(scope="module", params=[False, True], ids=["asyncio", "asyncio+uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """A server has asyncio alone."""
    return ("asyncio", {"use_uvloop": request.param})


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that was closed is dropped soon."""
    monkeypatch.setattr(limits, "CLOSE_SECONDS", 0.05)
    monkeypatch.setattr(limits, "LINGER_SECONDS", 0.05)


@dataclass
class Room:
    """A served object that gives each socket a limit of 512 KiB and the code 4531."""

    url: str
    server: QuietServer
    stub: Any
    closes: list[Any] = field(default_factory=list[Any])

    @property
    def socket_url(self) -> str:
        """Where its sockets are opened."""
        return self.url.replace("http:", "ws:") + "/station/room"

    async def send_until_closed(self, fast: Any) -> int:
        """Send to everybody, each time only once `fast` has read; how often it took."""
        for number in range(1_000):
            await self.stub.run("send", CHUNK)
            assert await fast() == CHUNK
            if self.closes:
                assert self.closes == [(4_531, "slow consumer", False)]
                return number
        raise AssertionError("nobody is too slow")

    async def connections(self, number: int) -> None:
        """Return when so many are open."""
        while len(self.server.server_state.connections) != number:
            await anyio.lowlevel.checkpoint()


@asynccontextmanager
async def room_served() -> AsyncGenerator[Room]:
    """`send(message)` sends to each socket."""

    @script
    async def fetch(actor: Scripted, request: Request) -> Response:
        pair = WebSocketPair()
        actor.ctx.accept_web_socket(pair.server)
        pair.server.set_outgoing_limit(
            max_bytes=512 * 1024, max_frames=1_024, code=4_531, reason="slow consumer"
        )
        return Response(status=101, web_socket=pair.client)

    @script
    def send(actor: Scripted, message: bytes) -> None:
        for ws in actor.ctx.get_web_sockets():
            ws.send(message)

    @script
    def close(actor: Scripted, ws: Any, *what: Any) -> None:
        room.closes.append(what)

    async with host_for(app, api_keys=("key",)) as host, serving(host) as (url, server):
        room = Room(url, server, host.env.STATION.get_by_name("room"))
        yield room


def dial_deaf(url: str) -> socket.socket:
    """A connection that has asked for an upgrade, and reads nothing."""
    host, port = url.removeprefix("http://").split(":")
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    client.connect((host, int(port)))
    client.sendall(UPGRADE)
    return client


async def code_at_last(ws: ClientConnection) -> int:
    """The code that the client sees after all that was sent before."""
    with pytest.raises(ConnectionClosed) as closed:
        while True:
            await ws.recv()
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code


async def test_a_client_that_never_reads_holds_up_nobody_and_is_dropped(short: None) -> None:
    """The object is told of 4531 while the others read on; then the connection ends."""
    async with room_served() as room, dial(room.socket_url) as fast:
        with dial_deaf(room.url) as deaf:
            await room.connections(2)
            await room.send_until_closed(fast.recv)
            await room.connections(1)
            deaf.settimeout(10)
            while deaf.recv(65_536):  # what the kernel had, to the end
                pass
        await fast.send("still open")


async def test_a_client_that_reads_again_gets_the_code() -> None:
    """After what was in the connection already; what waited behind that is dropped."""
    async with room_served() as room, dial(room.socket_url) as fast:
        async with dial(room.socket_url, max_queue=1, ping_interval=None) as slow:
            sent = await room.send_until_closed(fast.recv)
            assert sent > 8
            assert await code_at_last(slow) == 4_531


async def test_a_client_that_answers_no_ping_is_dropped_though_it_never_reads(short: None) -> None:
    """Bytes that it does not take cannot keep its connection."""
    async with room_served() as room:
        room.server.config.ws_ping_interval = room.server.config.ws_ping_timeout = 0.05
        with dial_deaf(room.url):
            await room.connections(1)
            await room.stub.run("send", b"x" * 16 * 1024 * 1024)
            await room.connections(0)
        while not room.closes:
            await anyio.lowlevel.checkpoint()
        assert [code for code, *_ in room.closes] == [1_006]


async def test_a_host_that_stops_waits_for_no_reader(short: None) -> None:
    """A full connection is dropped like any other."""
    with anyio.fail_after(20):  # less than the 30 s that events get to finish
        async with room_served() as room:
            with dial_deaf(room.url) as deaf:
                await room.connections(1)
                await room.stub.run("send", b"x" * 16 * 1024 * 1024)
                room.server.stop()
                await room.connections(0)
                deaf.close()


async def test_a_reader_in_another_process_is_bounded_too() -> None:
    """`connect`: what it does not take waits on the host, up to the limit; its neighbour on the same
    connection gets everything, and it gets the code when it reads again."""
    async with room_served() as room, connect(room.url, api_key="key") as env:
        stub = env.STATION.get_by_name("room")
        ends = list[Any]()
        for _ in range(2):
            response = await stub.fetch("http://x/", headers={"upgrade": "websocket"})
            response.web_socket.accept()
            ends.append(response.web_socket)
        slow, fast = ends
        sent = await room.send_until_closed(fast.receive)
        assert 8 < sent < 32
        got = 0
        with pytest.raises(WebSocketClosed) as closed:
            while True:
                assert await slow.receive() == CHUNK
                got += 1
        assert 0 < got < sent
        assert (closed.value.code, closed.value.was_clean) == (4_531, False)


async def test_a_close_passes_by_what_a_reader_in_another_process_never_takes() -> None:
    """It leaves with its messages unread: the object is told, and nothing of it is left."""
    async with room_served() as room, connect(room.url, api_key="key") as env:
        stub = env.STATION.get_by_name("room")
        response = await stub.fetch("http://x/", headers={"upgrade": "websocket"})
        ws = response.web_socket
        ws.accept()
        for _ in range(10):
            await room.stub.run("send", CHUNK)
        ws.close(4_000, "enough")
        while not room.closes:
            await anyio.lowlevel.checkpoint()
        assert room.closes == [(4_000, "enough", True)]
        link: Any = stub.__channel__._find_link()
        while link._streams.relays:
            await anyio.lowlevel.checkpoint()
