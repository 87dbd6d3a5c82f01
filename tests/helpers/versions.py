"""One application in as many versions as a test wants, whose actors tell which version they are."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import anyio

from roomhost.bindings import App, Migration
from roomhost.runtime import (
    AlarmInfo,
    Deployment,
    DurableObject,
    Host,
    Request,
    Response,
    WebSocket,
    WebSocketPair,
)

alive: dict[str, int] = {}  # by name of an object: its instances that may run code
gates: dict[str, anyio.Event] = {}  # what a handler waits for, by a name that it is given


class Versioned(DurableObject):
    """Writes, waits, alarms, sockets; each version is a subclass."""

    version = 0

    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self.seen: list[str] = []

    async def which(self) -> int:
        return self.version

    async def note(self, text: str) -> int:
        """Store a text; which version did."""
        async with self._alone():
            texts = await self.ctx.storage.get("texts", [])
            await self.ctx.storage.put("texts", [*texts, f"{text}@{self.version}"])
            return self.version

    async def texts(self) -> list[str]:
        return list(await self.ctx.storage.get("texts", []))

    async def wait(self, gate: str) -> int:
        """Until a gate opens; then store that."""
        async with self._alone():
            await gates[gate].wait()
            await self.note(gate)
            return self.version

    async def call(self, names: Sequence[str], gate: str | None = None) -> list[int]:
        """Call the first of these objects, with the rest, once a gate is open; the versions on the
        way."""
        if gate is not None:
            await gates[gate].wait()
        if not names:
            return [self.version]

        stub = self.env.OBJECT.get_by_name(names[0])
        return [self.version, *await stub.call(names[1:])]

    async def wake_in(self, seconds: float, gate: str | None = None) -> None:
        await self.ctx.storage.put("gate", gate)
        await self.ctx.storage.set_alarm(self._now_ms() + round(seconds * 1000))

    async def alarm(self, info: AlarmInfo) -> None:
        gate = await self.ctx.storage.get("gate")
        if gate is not None:
            await gates[gate].wait()
        await self.note("alarm")

    async def fetch(self, request: Request) -> Response:
        pair = WebSocketPair()
        if "standard" in request.query_params:
            pair.server.accept()
        else:
            self.ctx.accept_web_socket(pair.server, [request.query_params["tag"]])
            pair.server.serialize_attachment({"tag": request.query_params["tag"]})
        return Response(status=101, web_socket=pair.client)

    async def web_socket_message(self, ws: WebSocket, message: str | bytes) -> None:
        """Store it, and say which version did, and what the socket is known by."""
        assert isinstance(message, str)
        if message.startswith("gate:"):
            await gates[message.removeprefix("gate:")].wait()
        await self.note(message)
        tags = self.ctx.get_tags(ws)
        assert ws.deserialize_attachment() == {"tag": tags[0]}
        ws.send(f"{message}@{self.version}:{tags[0]}:{len(self.ctx.get_web_sockets(tags[0]))}")

    def _now_ms(self) -> int:
        return int(self.ctx._activation.now_ms())

    @contextlib.asynccontextmanager
    async def _alone(self) -> AsyncGenerator[None]:
        """No other instance of the object runs code meanwhile."""
        name = self.ctx.id.name or ""
        assert alive.get(name) in (None, id(self))
        count = self.seen
        alive[name] = id(self)
        count.append("in")
        try:
            yield
        finally:
            count.pop()
            if not count:
                alive.pop(name, None)


def version(
    number: int,
    bindings: dict[str, str] | None = None,
    migrations: Sequence[Migration] = (),
    fail: bool = False,
    **fields: Any,
) -> App:
    """Version `number` of the application; `bindings`: the names of classes."""

    def start(self: Any, ctx: Any, env: Any) -> None:
        if fail:
            raise ValueError("a constructor that fails")
        Versioned.__init__(self, ctx, env)

    classes = {
        binding: type(name, (Versioned,), {"version": number, "__init__": start})
        for binding, name in (bindings or {"OBJECT": "Object"}).items()
    }
    return App(name="versions", bindings=classes, migrations=migrations, **fields)


async def opened(stub: Any, query: str) -> WebSocket:
    """The client's end of a socket."""
    response = await stub.fetch(f"http://x/?{query}", headers={"upgrade": "websocket"})
    response.web_socket.accept()
    socket: WebSocket = response.web_socket
    return socket


def gate(name: str) -> anyio.Event:
    """One that handlers wait for."""
    gates[name] = anyio.Event()
    return gates[name]


@contextlib.asynccontextmanager
async def deploying(host: Host, app: App) -> AsyncGenerator[list[Deployment]]:
    """A deploy beside the block, which has ended behind it."""
    done: list[Deployment] = []

    async def run() -> None:
        done.append(await host.deploy(app))

    async with anyio.create_task_group() as group:
        group.start_soon(run)
        await host.settle()
        yield done
