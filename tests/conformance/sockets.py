"""What the tests of WebSockets share: an object that accepts them, and clients of it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio

from roomhost.bindings import App, DurableObjectStub
from roomhost.runtime import (
    DurableObject,
    DurableObjectState,
    Host,
    Request,
    Response,
    WebSocket,
    WebSocketClosed,
    WebSocketPair,
)
from roomhost.runtime.testing import ManualClock, host_for

from ..helpers.scripted import Scripted

OPEN, CLOSING, CLOSED = 1, 2, 3  # WebSocket.readyState


class Room(Scripted):
    """Accepts every socket, with the tags and the attachment that its request asks for.

    Scripts `message`, `close` and `error` are its handlers, `construct` its constructor.
    """

    def __init__(self, ctx: DurableObjectState, env: Any) -> None:
        super().__init__(ctx, env)
        if "construct" in Scripted.scripts:
            Scripted.scripts["construct"](self)

    async def fetch(self, request: Request) -> Response:
        pair = WebSocketPair()
        self.ctx.accept_web_socket(pair.server, request.query_params.getlist("tag"))
        if "who" in request.query_params:
            pair.server.serialize_attachment(request.query_params["who"])
        headers = {"sec-websocket-protocol": request.query_params.get("protocol", "chat")}
        return Response(status=101, web_socket=pair.client, headers=headers)

    async def listed(self, tag: str | None = None) -> list[Any]:
        """The attachments of the sockets, in the order of `get_web_sockets`."""
        return [ws.deserialize_attachment() for ws in self.ctx.get_web_sockets(tag)]

    async def put(self, key: str, value: Any) -> None:
        await self.ctx.storage.put(key, value)

    async def get(self, key: str) -> Any:
        return await self.ctx.storage.get(key)


class Deaf(DurableObject):
    """Accepts sockets, and has no handler for anything that happens to them."""

    async def fetch(self, request: Request) -> Response:
        pair = WebSocketPair()
        self.ctx.accept_web_socket(pair.server)
        return Response(status=101, web_socket=pair.client)

    async def count(self) -> int:
        return len(self.ctx.get_web_sockets())

    async def shout(self, text: str) -> None:
        for ws in self.ctx.get_web_sockets():
            ws.send(text)


app = App(name="sockets", bindings={"ROOM": Room, "DEAF": Deaf})


@dataclass
class Hall:
    """A host and its clock; `heard` is what handlers noted."""

    host: Host
    clock: ManualClock
    heard: list[Any] = field(default_factory=list[Any])

    def room(self, name: str = "a") -> DurableObjectStub:
        """A new stub."""
        stub: DurableObjectStub = self.host.env.ROOM.get_by_name(name)
        return stub

    async def quiet(self) -> None:
        """Return when everything that was sent has been handled."""
        await self.clock.advance(0)

    @property
    def awake(self) -> int:
        """How many instances are in memory."""
        return self.host.statistics().activations


async def connect(stub: Any, *tags: str, who: str | None = None, protocol: str = "") -> WebSocket:
    """A client's end of a socket of an object, accepted."""
    query = "&".join([f"tag={tag}" for tag in tags] + [f"who={who}"] * (who is not None))
    if protocol:
        query += f"&protocol={protocol}"
    response = await stub.fetch(f"http://rooms/{who}?{query}", headers={"upgrade": "websocket"})
    assert response.status == 101
    client: WebSocket = response.web_socket
    client.accept()
    return client


async def close_of(client: WebSocket) -> tuple[int, str, bool]:
    """How a connection ends, whatever comes before."""
    with anyio.fail_after(30):
        while True:
            try:
                await client.receive()
            except WebSocketClosed as closed:
                return closed.code, closed.reason, closed.was_clean


@asynccontextmanager
async def hall(clock: ManualClock | None = None, **options: Any) -> AsyncGenerator[Hall]:
    """A host with rooms."""
    clock = clock or ManualClock()
    async with host_for(app, clock=clock, **options) as host:
        yield Hall(host, clock)
