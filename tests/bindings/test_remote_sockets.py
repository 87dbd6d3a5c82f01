"""`connect`: WebSockets through `stub.fetch`."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from roomhost.bindings import connect
from roomhost.runtime import (
    DurableObjectError,
    Request,
    Response,
    WebSocketClosed,
    WebSocketPair,
    limits,
)
from roomhost.runtime.testing import host_for

from ..helpers.remote_app import app, connected
from ..helpers.scripted import script
from ..helpers.served import serving

pytestmark = pytest.mark.anyio
MEBIBYTE = 1024 * 1024


@pytest.fixture(scope="module", params=[False, True], ids=["asyncio", "asyncio+uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """A server has asyncio alone."""
    return ("asyncio", {"use_uvloop": request.param})


def link_of(env: Any) -> Any:
    """The connection that is in use."""
    return env.STATION.get_by_name("any").__channel__._find_link()


@script
async def upgrade(actor: Any, request: Request) -> Response:
    """Accept, with a subprotocol."""
    pair = WebSocketPair()
    actor.ctx.accept_web_socket(pair.server, ["tag"])
    return Response(status=101, web_socket=pair.client, headers={"sec-websocket-protocol": "chat"})


async def opened(stub: Any) -> Any:
    """The client's end of a new WebSocket, accepted."""

    @script
    async def fetch(actor: Any, request: Request) -> Response:
        assert request.is_upgrade
        response: Response = await upgrade(actor, request)
        return response

    response = await stub.fetch("http://x/ws", headers={"upgrade": "websocket"})
    assert response.status == 101
    response.web_socket.accept()
    return response.web_socket


async def test_a_web_socket_speaks_to_the_object() -> None:
    """Text, bytes, empty and large ones, in order, both ways; its URL and protocol are known."""

    @script
    async def message(actor: Any, ws: Any, text: str | bytes) -> None:
        ws.send(text)

    async with connected() as (env, _):
        ws = await opened(env.STATION.get_by_name("a"))
        assert (ws.url, ws.protocol) == ("http://x/ws", "chat")
        sent = ["", b"", "größe", b"\0", "x" * 5 * MEBIBYTE, bytes(5 * MEBIBYTE), "last"]
        for text in sent:
            ws.send(text)
        assert [await ws.receive() for _ in sent] == sent


async def test_messages_before_accept_wait() -> None:
    """What the object sends at once is there when the client's end is accepted."""

    @script
    async def fetch(actor: Any, request: Request) -> Response:
        pair = WebSocketPair()
        pair.server.accept()
        pair.server.send("first")
        response = Response(status=101, web_socket=pair.client)
        pair.server.send("second")
        pair.server.close(4000, "bye")
        return response

    async with connected() as (env, _):
        response = await env.STATION.get_by_name("a").fetch("http://x/")
        response.web_socket.accept()
        assert [text async for text in response.web_socket] == ["first", "second"]


async def closed_with(ws: Any) -> tuple[int, str, bool]:
    """How the other end closed."""
    with pytest.raises(WebSocketClosed) as closed:
        await ws.receive()
    return closed.value.code, closed.value.reason, closed.value.was_clean


@pytest.mark.parametrize(
    ("arguments", "seen"),
    [((4001, "mine"), (4001, "mine", True)), ((), (1005, "", True))],
    ids=["code", "none"],
)
@pytest.mark.parametrize("answers", [True, False], ids=["answered", "echoed"])
async def test_a_close_of_the_client_is_the_handlers_to_answer(
    arguments: Any, seen: Any, answers: bool
) -> None:
    """The code that the object closes with comes back; without one its own."""
    heard: list[Any] = []

    @script
    async def close(actor: Any, ws: Any, *what: Any) -> None:
        heard.append(what)
        if answers:
            ws.close(4002, "yours")

    async with connected() as (env, _):
        stub = env.STATION.get_by_name("a")
        ws = await opened(stub)
        ws.close(*arguments)
        assert await closed_with(ws) == ((4002, "yours", True) if answers else seen)
        assert heard == [seen]
        assert ws.ready_state == 3
        await stub.note(1)
        assert len(link_of(env)._streams) == 0


async def test_a_close_of_the_object_reaches_the_client() -> None:
    """After the messages before it."""

    @script
    async def message(actor: Any, ws: Any, text: str) -> None:
        ws.send("before")
        ws.close(4003, "enough")

    async with connected() as (env, _):
        ws = await opened(env.STATION.get_by_name("a"))
        ws.send("go")
        assert await ws.receive() == "before"
        assert await closed_with(ws) == (4003, "enough", True)


async def test_a_reset_object_is_a_lost_web_socket() -> None:
    """1006, not clean."""
    async with connected() as (env, _):
        stub = env.STATION.get_by_name("a")
        ws = await opened(stub)
        with pytest.raises(DurableObjectError, match="told to"):
            await stub.abort()
        assert (await closed_with(ws))[::2] == (1006, False)


async def test_a_lost_connection_is_a_lost_web_socket_on_both_sides() -> None:
    """1006, not clean."""
    heard: list[Any] = []
    told = anyio.Event()

    @script
    async def close(actor: Any, ws: Any, code: int, reason: str, was_clean: bool) -> None:
        heard.append((code, was_clean))
        told.set()

    async with connected() as (env, _):
        ws = await opened(env.STATION.get_by_name("a"))
        link_of(env).socket.transport.abort()
        assert (await closed_with(ws))[::2] == (1006, False)
        await told.wait()
        assert heard == [(1006, False)]


async def test_a_client_that_gives_up_an_upgrade_leaves_no_socket() -> None:
    """The object learns that nobody is there."""
    begun, go_on, told = anyio.Event(), anyio.Event(), anyio.Event()

    @script
    async def fetch(actor: Any, request: Request) -> Response:
        begun.set()
        await go_on.wait()
        response: Response = await upgrade(actor, request)
        return response

    @script
    async def close(actor: Any, ws: Any, *what: Any) -> None:
        told.set()

    async with connected() as (env, _):
        async with anyio.create_task_group() as group:
            group.start_soon(env.STATION.get_by_name("a").fetch, "http://x/")
            await begun.wait()
            group.cancel_scope.cancel()
        go_on.set()
        await told.wait()


async def test_an_object_that_is_slow_to_begin_holds_the_sender() -> None:
    """A window of messages is on its way, the others wait in the client; nothing else is held up."""
    go_on = anyio.Event()
    seen: list[int] = []

    @script
    async def message(actor: Any, ws: Any, text: bytes) -> None:
        async def wait() -> None:
            await go_on.wait()

        await actor.ctx.block_concurrency_while(wait)
        seen.append(text[0])
        if len(seen) == 100:
            ws.send("all")

    async with connected() as (env, host):
        stub = env.STATION.get_by_name("a")
        ws = await opened(stub)
        for number in range(100):
            ws.send(bytes([number]) * 100_000)
        assert await env.STATION.get_by_name("other").note(1) == 1
        await anyio.wait_all_tasks_blocked()
        local = host.env.STATION.get_by_name("a").__channel__.slot()
        assert (
            sum(ws.unstarted for ws in local.sockets.select(None)) <= limits.MAX_UNSTARTED_MESSAGES
        )
        go_on.set()
        assert await ws.receive() == "all"
        assert seen == list(range(100))


async def test_what_cannot_be_carried_closes_the_web_socket() -> None:
    """A message over 32 MiB, with 1009; both ends learn it."""
    heard: list[int] = []

    @script
    async def close(actor: Any, ws: Any, code: int, *more: Any) -> None:
        heard.append(code)

    async with connected() as (env, _):
        stub = env.STATION.get_by_name("a")
        ws = await opened(stub)
        ws.send(bytes(limits.MAX_MESSAGE_BYTES + 1))
        assert (await closed_with(ws))[0] == 1009
        await stub.note(1009)
        assert heard == [1009]


async def test_a_host_that_stops_restarts_its_web_sockets() -> None:
    """1012, to come back."""
    async with host_for(app, api_keys=("key",)) as host, serving(host) as (url, server):
        async with connect(url, api_key="key") as env:
            ws = await opened(env.STATION.get_by_name("a"))
            server.stop()
            assert (await closed_with(ws))[0] == 1012
