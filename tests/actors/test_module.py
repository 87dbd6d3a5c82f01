"""`realtime()`: its own methods find the host that is meant, wherever they are called."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from roomhost.actors import InvalidArgument, RealtimeModuleOptions, realtime
from roomhost.bindings import App
from roomhost.runtime import DurableObject, HostError
from roomhost.runtime.testing import ManualClock, host_for

pytestmark = pytest.mark.anyio
live = realtime(name="live")


class Bot(DurableObject):
    """An actor that uses rooms."""

    async def say(self, text: str) -> None:
        """Publish, by the module and by the binding."""
        await live.room("lobby").publish(type="said", data=text)
        await self.env.LIVE.room("lobby").publish(type="said", data=text)


async def publish(request: Request) -> JSONResponse:
    """A route handler."""
    room = live.room(request.path_params["name"])
    result = await room.publish(type="note", data=request.path_params["name"], actor=ACTOR)
    return JSONResponse({"id": result.message_id})


async def talk(ws: WebSocket) -> None:
    """A WebSocket of `main`."""
    await ws.accept()
    data = (await live.room("lobby").history()).items[0].data
    await ws.send_json(data)
    await ws.close()


ACTOR: Any = {"kind": "user", "userId": "ada"}


def make_app(**bindings: Any) -> App:
    """An application with the module."""
    routes = [Route("/publish/{name}", publish), WebSocketRoute("/talk", talk)]
    bindings = {"LIVE": live, "BOT": Bot, **bindings}
    return App(name="live", bindings=bindings, main=Starlette(routes=routes))


async def test_in_route_handlers() -> None:
    """Of the host that was asked, though two run."""
    async with (
        host_for(make_app(), clock=ManualClock()) as one,
        host_for(make_app(), clock=ManualClock()) as two,
    ):
        for host, name in ((one, "a"), (two, "b")):
            transport = httpx.ASGITransport(host.asgi)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                answer = (await client.get(f"/publish/{name}")).json()
            items = (await host.env.LIVE.room(name).history()).items
            assert [(item.message_id, item.data) for item in items] == [(answer["id"], name)]
        assert [found.name for found in await one.env.LIVE.rooms()] == ["a"]
        assert [found.name for found in await two.env.LIVE.rooms()] == ["b"]


async def test_in_sockets_of_main() -> None:
    """Likewise."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    async with host_for(make_app(), clock=ManualClock()) as host:
        await host.env.LIVE.room("lobby").publish(type="note", data="hi")
        scope = {"type": "websocket", "path": "/talk", "raw_path": b"/talk", "headers": []}
        await host.asgi({**scope, "query_string": b"", "subprotocols": []}, receive, send)
    assert sent[1]["text"] == '"hi"'


async def test_in_actors() -> None:
    """Of the host that they live in."""
    async with (
        host_for(make_app(), clock=ManualClock()) as one,
        host_for(make_app(), clock=ManualClock()) as two,
    ):
        await one.env.BOT.get_by_name("a").say("hi")
        assert len((await one.env.LIVE.room("lobby").history()).items) == 2
        assert (await two.env.LIVE.room("lobby").history()).items == []


async def test_outside_while_one_host_runs() -> None:
    """As a script would; not while none does, or several do, or the one that runs has it not."""
    with pytest.raises(HostError, match="no host runs here"):
        live.room("lobby")
    async with host_for(make_app(), clock=ManualClock()) as host:
        await live.room("lobby").publish(type="note")
        await live.channel("news").publish(type="note")
        stats = await live.stats()
        assert (stats.rooms, stats.members, stats.messages) == (2, 0, 2)
        assert [found.name for found in await live.rooms()] == ["lobby"]
        assert [found.name for found in await live.rooms(kind="channel")] == ["news"]
        assert await host.env.LIVE.stats() == stats
        with pytest.raises(LookupError, match="no binding of the application"):
            realtime(name="other").room("lobby")
        async with host_for(make_app(), clock=ManualClock()):
            with pytest.raises(HostError, match="several hosts run here"):
                live.room("lobby")
        assert (await live.room("lobby").history()).items


async def test_modules_of_one_application_are_apart() -> None:
    """A room of one is none of the other, and a room outlives the name of its binding."""
    other = realtime(RealtimeModuleOptions(name="other"))
    async with host_for(make_app(OTHER=other), clock=ManualClock()) as host:
        await live.room("lobby").publish(type="note")
        assert (await other.room("lobby").history()).items == []
        assert (await host.env.OTHER.stats()).rooms == 0
    with pytest.raises(ValueError, match="realtime/live"):
        App(name="twice", bindings={"ONE": live, "TWO": realtime(name="live")})


def test_options() -> None:
    """Are checked, and read back whole."""
    assert (live.name, live.config.namespace, live.path) == (
        "realtime",
        "default",
        "/realtime/live",
    )
    assert live.observability is None
    assert realtime(name="x", observability={"a": 1}).observability == {"a": 1}
    assert repr(live) == "<RealtimeModule live>"
    for fields, field in (
        ({"name": ""}, "name"),
        ({"name": "x", "history_limit": 0}, "historyLimit"),
    ):
        with pytest.raises(InvalidArgument) as refused:
            realtime(**fields)
        assert refused.value.field == field
