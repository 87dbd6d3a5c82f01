"""What goes over WebSockets is counted, by whichever server carries it, and who does not read."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from websockets.asyncio.client import connect

from roomhost.bindings import App
from roomhost.runtime import DurableObject, Request, Response, WebSocketPair
from roomhost.runtime.testing import host_for

from ..helpers.served import served

pytestmark = pytest.mark.anyio


class Room(DurableObject):
    """Echoes."""

    async def fetch(self, request: Request) -> Response:
        pair = WebSocketPair()
        self.ctx.accept_web_socket(pair.server)
        return Response(status=101, web_socket=pair.client)

    async def web_socket_message(self, ws: Any, message: Any) -> None:
        ws.send(message)

    async def flood(self) -> None:
        """Send more than may wait."""
        (ws,) = self.ctx.get_web_sockets()
        ws.set_outgoing_limit(max_bytes=10, max_frames=1)
        ws.send("one")
        ws.send("two")


app = App(name="traffic", bindings={"ROOM": Room})


def traffic_of(host: Any) -> tuple[int, int, int, int]:
    """Messages and bytes, in and out."""
    (meter,) = host.observer.meters.values()
    traffic = meter.traffic
    return traffic.messages_in, traffic.bytes_in, traffic.messages_out, traffic.bytes_out


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_frames_of_the_hosts_own_server_are_counted_as_they_are(anyio_backend: Any) -> None:
    """Of a client two bytes, a mask of four and the payload; to it without a mask. A long one, too."""
    async with served(app) as (url, host):
        async with connect(f"{url.replace('http', 'ws')}/room/a") as ws:
            await ws.send("hello")
            assert await ws.recv() == "hello"
            assert traffic_of(host) == (1, 2 + 4 + 5, 1, 2 + 5)
            await ws.send(b"x" * 300)
            assert await ws.recv() == b"x" * 300
            assert traffic_of(host) == (2, 11 + 4 + 4 + 300, 2, 7 + 4 + 300)


async def test_behind_another_server_payloads_are_counted() -> None:
    """By the messages of ASGI."""
    sent: list[Any] = []
    incoming, receive = anyio.create_memory_object_stream[Any](5)
    answered = anyio.Event()

    async def send(message: Any) -> None:
        sent.append(message)
        if message["type"] == "websocket.send":
            answered.set()

    scope: dict[str, Any] = {
        "type": "websocket",
        "path": "/room/a",
        "headers": [(b"host", b"host")],
        "extensions": {},
    }
    async with host_for(app) as host, incoming, receive, anyio.create_task_group() as group:
        serve: Any = host.asgi
        group.start_soon(serve, scope, receive.receive, send)
        await incoming.send({"type": "websocket.connect"})
        await incoming.send({"type": "websocket.receive", "text": "häh"})
        await answered.wait()
        assert traffic_of(host) == (1, 4, 1, 4)
        await incoming.send({"type": "websocket.disconnect", "code": 1000})


async def test_a_reader_that_is_closed_for_being_slow_is_counted() -> None:
    """By the object's namespace."""
    async with host_for(app) as host:
        stub = host.env.ROOM.get_by_name("a")
        response = await stub.fetch("http://x/", headers={"upgrade": "websocket"})
        response.web_socket.accept()
        await stub.flood()
        (meter,) = host.observer.meters.values()
        assert meter.slow_readers == 1
