"""What sequences of frames once could do, told as stories."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
import uvicorn
from uvicorn.server import ServerState
from websockets.frames import Frame, Opcode

from roomhost.bindings import App
from roomhost.runtime import Host, remote_frames
from roomhost.runtime.remote_frames import LAST, encode_frame
from roomhost.runtime.remote_streams import IncomingBody
from roomhost.runtime.server_protocol import WebSocketProtocol
from roomhost.runtime.testing import ManualClock, host_for

from .played import PlayedTransport, turn
from .session_calls import Caller, Station
from .targets.network import UPGRADE

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend() -> Any:
    """The server has asyncio alone."""
    return ("asyncio", {"use_uvloop": False})


@asynccontextmanager
async def calling(directory: Path) -> AsyncGenerator[tuple[Caller, Host]]:
    """A caller with a stub, number 1, of an object of a host."""
    app = App(name="calls", bindings={"STATION": Station})
    async with host_for(app, clock=ManualClock(), data_dir=directory) as host:
        caller = Caller(host)
        async with anyio.create_task_group() as group:
            group.start_soon(caller.connection.run)
            stub = host.env.STATION.get_by_name("a")
            await say(caller, host, remote_frames.Open(1, "STATION", bytes(stub.id), "a", None))
            yield caller, host
            caller.leave()
            await host.settle()


async def say(caller: Caller, host: Host, *frames: remote_frames.ClientFrame) -> None:
    """Send frames, until nothing happens any more."""
    for frame in frames:
        caller.say(LAST + encode_frame(frame))
    for _ in range(3):
        await anyio.wait_all_tasks_blocked()
        await host.settle()


async def test_a_body_has_no_number_of_a_call_in_flight(tmp_path: Path) -> None:
    """The response to that call would take its place, and who reads the body would wait for ever, the
    loss of the connection included."""
    async with calling(tmp_path) as (caller, host):
        first = remote_frames.Fetch(2, 1, "POST", "http://x/", [], 3)
        await say(caller, host, first, remote_frames.Fetch(4, 1, "POST", "http://x/", [], 2))

        assert caller.end == 1002


async def test_a_web_socket_is_closed_once(tmp_path: Path) -> None:
    """Closes behind the first were kept, each with a reason of any length."""
    upgrade = [(b"upgrade", b"websocket")]
    closed = remote_frames.Closed(2, 1000, "bye", True)
    async with calling(tmp_path) as (caller, host):
        await say(caller, host, remote_frames.Fetch(2, 1, "GET", "http://x/", upgrade, b""))
        await say(caller, host, closed, closed)

        assert caller.end == 1002


async def test_empty_chunks_are_not_kept(tmp_path: Path) -> None:
    """They take no credit: nothing else would bound them."""
    async with calling(tmp_path) as (caller, host):
        await say(caller, host, remote_frames.Fetch(2, 1, "POST", "http://x/", [], 3))
        (body,) = caller.connection._streams._streams.values()
        assert isinstance(body, IncomingBody)
        for _ in range(3):
            body.frame(remote_frames.Chunk(3, b""))

        assert not body._chunks
        await say(caller, host, remote_frames.End(3, None))
        assert caller.answers[2] == 1


async def test_parts_of_a_message_are_one_buffer() -> None:
    """However many there are, and however small; the message is what they have together."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        heard.append((await receive())["text"])

    heard: list[str] = []
    config = uvicorn.Config(application, interface="asgi3", log_config=None)
    config.load()
    protocol = WebSocketProtocol(config, ServerState(), {})
    protocol.connection_made(PlayedTransport())
    protocol.data_received(UPGRADE)
    await turn()
    part = Frame(Opcode.CONT, b"", False).serialize(mask=True)
    protocol.data_received(Frame(Opcode.TEXT, b"a", False).serialize(mask=True) + part * 300)
    assert protocol.frames == []
    assert protocol._parts == b"a"

    protocol.data_received(Frame(Opcode.CONT, b"b", True).serialize(mask=True))
    await turn()
    assert heard == ["ab"]
    protocol.connection_lost(None)
    await turn()
    assert protocol.close_timer is None
