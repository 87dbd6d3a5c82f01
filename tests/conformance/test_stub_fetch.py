"""Stubs: fetch, streaming bodies, WebSocket upgrades"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, ClassVar

import anyio
import pytest

from roomhost.bindings import App
from roomhost.runtime import (
    DurableObject,
    DurableObjectError,
    Request,
    Response,
    WebSocketClosed,
    WebSocketPair,
)
from roomhost.runtime.testing import ManualClock, host_for

from ..helpers.outcomes import failure, flags
from .feature import Feature, mistake, shows

pytestmark = pytest.mark.anyio

FETCH = Feature("DurableObjectStub.fetch", "2.3")
REQUEST_OBJECT = Feature("DurableObjectStub.fetch: a Request", "2.3")
ABSOLUTE = Feature("DurableObjectStub.fetch: absolute URLs", "2.3")
EXCEPTIONS = Feature("DurableObjectStub.fetch: exceptions of the handler", "2.3")
STATUSES = Feature("DurableObjectStub.fetch: error statuses are responses", "2.3")
NO_RESPONSE = Feature("fetch handler: a result that is no Response", "2.3")
NO_HANDLER = Feature("fetch handler: a class without one", "2.1")
REQUEST_STREAM = Feature("Request: a streaming body", "2.3")
RESPONSE_STREAM = Feature("Response: a streaming body", "2.3")
RESPONSE_HEADERS = Feature(
    "Response: headers of a fetched response",
    "2.3",
    differs="each side has a copy of its own, which it may change; workerd's are immutable",
)
RESPONSE_STATUS = Feature("Response: status", "2.3")
UPGRADE = Feature("DurableObjectStub.fetch: WebSocket upgrade", "2.3, 7.1")
STANDARD_UPGRADE = Feature("WebSocket.accept: an upgrade served by the instance", "7.1")

Handler = Callable[["Server", Request], Any]


class Server(DurableObject):
    """Serves requests with the handler of the test."""

    handler: ClassVar[Handler]

    async def fetch(self, request: Request) -> Response:
        result: Response | Awaitable[Response] = Server.handler(self, request)
        return await result if isinstance(result, Awaitable) else result

    async def web_socket_message(self, ws: Any, message: str | bytes) -> None:
        ws.send(message)


class Synchronous(DurableObject):
    """A handler that is no coroutine."""

    def fetch(self, request: Request) -> Response:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        return Response("at once")


class Silent(DurableObject):
    """Has no fetch."""

    async def method(self) -> str:
        return "works"


app = App(name="fetch", bindings={"SERVER": Server, "SYNCHRONOUS": Synchronous, "SILENT": Silent})


async def describe(_server: Server, request: Request) -> Response:
    """What arrived, as JSON."""
    seen = {
        "url": str(request.url),
        "method": request.method,
        "header": request.headers.get("X-One"),
        "body": await request.text(),
    }
    return Response.from_json(seen, status=201, headers={"X-Two": "2"})


@shows(FETCH)
async def test_fetch_carries_the_request_and_brings_the_response() -> None:
    """Method, headers and body one way; status, headers and body the other."""
    Server.handler = describe
    async with host_for(app, clock=ManualClock()) as host:
        response = await host.env.SERVER.get_by_name("a").fetch(
            "https://x/path?q=ö", method="post", headers={"x-one": "1"}, body="größe"
        )
        assert (response.status, response.ok, response.headers["x-two"]) == (201, True, "2")
        assert response.web_socket is None
        assert await response.json() == {
            "url": "https://x/path?q=ö",
            "method": "POST",
            "header": "1",
            "body": "größe",
        }


@shows(REQUEST_OBJECT)
async def test_fetch_takes_a_request_object() -> None:
    """One that came in can be passed on as it is; it can be sent again while it is in memory."""
    Server.handler = describe
    async with host_for(app, clock=ManualClock()) as host:
        request = Request("http://x/", method="PUT", headers=[("x-one", "1")], body=b"bytes")
        for name in ("a", "b"):
            response = await host.env.SERVER.get_by_name(name).fetch(request)
            seen = await response.json()
            assert (seen["method"], seen["header"], seen["body"]) == ("PUT", "1", "bytes")


@shows(ABSOLUTE)
@pytest.mark.parametrize("url", ["/path", "path", "", "?q=1", "//host/path", "host/path"])
async def test_a_relative_url_is_a_type_error(url: str) -> None:
    """There is no host that it could be relative to; the object is not started."""
    async with host_for(app, clock=ManualClock()) as host:
        with pytest.raises(TypeError, match=r"^Invalid URL"):
            await host.env.SERVER.get_by_name("a").fetch(url)
        assert host.statistics().activations == 0


@shows(ABSOLUTE)
@pytest.mark.parametrize("url", ["http://x/p", "https://fake-host/p", "http://127.0.0.1:1/p"])
async def test_the_host_name_of_a_url_is_nobody_s_business(url: str) -> None:
    """The stub says which object it is; the URL arrives as it was given."""
    Server.handler = describe
    async with host_for(app, clock=ManualClock()) as host:
        response = await host.env.SERVER.get_by_name("a").fetch(url)
        assert (await response.json())["url"] == url


@shows(EXCEPTIONS)
@mistake(42)
async def test_mistake_42_an_exception_of_fetch_is_an_exception_of_the_caller() -> None:
    """Of its class, with its message, marked as remote; no response of status 500. The object
    goes on."""

    def fail(_server: Server, request: Request) -> Response:
        raise LookupError(f"nothing at {request.url.path}")

    Server.handler = fail
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.SERVER.get_by_name("a")
        error = await failure(stub.fetch("http://x/path"))
        assert (type(error), str(error)) == (LookupError, "nothing at /path")
        assert flags(error) == {"remote"}
        Server.handler = describe
        assert (await stub.fetch("http://x/")).status == 201


@shows(STATUSES)
@pytest.mark.parametrize("status", [200, 204, 302, 404, 500, 599])
async def test_a_response_of_any_status_is_a_response(status: int) -> None:
    """An object that answers 500 has answered."""
    Server.handler = lambda _server, _request: Response(status=status)
    async with host_for(app, clock=ManualClock()) as host:
        response = await host.env.SERVER.get_by_name("a").fetch("http://x/")
        assert (response.status, response.ok) == (status, status < 300)


@shows(NO_RESPONSE)
@pytest.mark.parametrize("result", [None, "text", b"bytes", {"status": 200}, 200])
async def test_a_handler_that_returns_no_response_is_a_type_error(result: Any) -> None:
    """It is the object's error, and names what came; the object goes on."""
    Server.handler = lambda _server, _request: result
    async with host_for(app, clock=ManualClock()) as host:
        error = await failure(host.env.SERVER.get_by_name("a").fetch("http://x/"))
        assert (type(error), flags(error)) == (TypeError, {"remote"})
        assert type(result).__name__ in str(error)


@shows(NO_HANDLER)
async def test_a_class_without_fetch_refuses_requests_and_takes_calls() -> None:
    """The error says so."""
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.SILENT.get_by_name("a")
        error = await failure(stub.fetch("http://x/"))
        assert isinstance(error, DurableObjectError)
        assert str(error) == "Handler does not export a fetch() function."
        assert flags(error) == {"remote"}
        assert await stub.method() == "works"


@shows(FETCH)
async def test_a_handler_may_be_synchronous() -> None:
    """Then its response is there at once."""
    async with host_for(app, clock=ManualClock()) as host:
        response = await host.env.SYNCHRONOUS.get_by_name("a").fetch("http://x/")
        assert await response.text() == "at once"


@shows(REQUEST_STREAM)
async def test_a_request_body_streams_to_the_object() -> None:
    """The object has the first chunk before the second is made."""
    received = anyio.Event()

    async def chunks() -> AsyncIterator[bytes]:
        yield b"one"
        await received.wait()
        yield b"two"

    async def read(_server: Server, request: Request) -> Response:
        parts: list[bytes] = []
        async for chunk in request.stream():
            parts.append(chunk)
            received.set()
        return Response(b"|".join(parts))

    Server.handler = read
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.SERVER.get_by_name("a")
        response = await stub.fetch("http://x/", method="POST", body=chunks())
        assert await response.body() == b"one|two"


@shows(RESPONSE_STREAM)
async def test_a_response_body_streams_to_the_caller() -> None:
    """The caller has the response before the body, and a chunk before the next is made; meanwhile
    the instance stays in memory."""
    received = anyio.Event()

    async def chunks() -> AsyncIterator[bytes]:
        yield b"one"
        await received.wait()
        yield b"two"

    Server.handler = lambda _server, _request: Response(chunks())
    clock = ManualClock()
    async with host_for(app, clock=clock) as host:
        response = await host.env.SERVER.get_by_name("a").fetch("http://x/")
        parts: list[bytes] = []
        async for chunk in response.stream():
            parts.append(chunk)
            await clock.advance(60)
            received.set()
        assert parts == [b"one", b"two"]
        await clock.advance(11)
        assert host.statistics().activations == 0


@shows(RESPONSE_STREAM)
async def test_an_error_in_a_stream_reaches_its_reader_after_the_chunks_before_it() -> None:
    """Of its class and message; the object goes on."""

    async def chunks() -> AsyncIterator[bytes]:
        yield b"one"
        raise ValueError("in the middle")

    Server.handler = lambda _server, _request: Response(chunks())
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.SERVER.get_by_name("a")
        stream = (await stub.fetch("http://x/")).stream()
        assert await anext(stream) == b"one"
        error = await failure(anext(stream))
        assert (type(error), str(error), error.remote) == (ValueError, "in the middle", True)
        assert (await stub.fetch("http://x/")).status == 200


@shows(RESPONSE_STREAM)
async def test_a_reset_ends_a_stream_with_its_error() -> None:
    """A reader is not left waiting, and does not take what it has for the whole."""

    async def chunks() -> AsyncIterator[bytes]:
        yield b"one"
        await anyio.Event().wait()

    Server.handler = lambda _server, _request: Response(chunks())
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.SERVER.get_by_name("a")
        stream = (await stub.fetch("http://x/")).stream()
        assert await anext(stream) == b"one"
        Server.handler = lambda server, _request: server.ctx.abort("why")
        assert str(await failure(stub.fetch("http://x/"))) == "why"
        assert (await failure(anext(stream))).durable_object_reset


@shows(RESPONSE_HEADERS)
async def test_each_side_has_its_own_copy_of_a_response() -> None:
    """What a caller changes does not show in the object that kept the response, nor to the next
    caller."""
    kept = Response("body", headers={"x-one": "1"})
    Server.handler = lambda _server, _request: kept
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.SERVER.get_by_name("a")
        first = await stub.fetch("http://x/")
        first.headers["x-one"] = "changed"
        first.status = 500
        assert (kept.headers["x-one"], kept.status) == ("1", 200)
        second = await stub.fetch("http://x/")
        assert (second.headers["x-one"], await second.text()) == ("1", "body")


@shows(RESPONSE_STATUS)
@pytest.mark.parametrize("status", [0, 99, 100, 101, 199, 600, -1])
async def test_a_status_that_no_response_has_is_a_value_error(status: int) -> None:
    """101 is for an upgrade alone, with its WebSocket; and that has no other status."""
    with pytest.raises(ValueError, match="status"):
        Response(status=status)
    with pytest.raises(ValueError, match="status 101"):
        Response(status=200, web_socket=WebSocketPair().client)


@shows(UPGRADE)
async def test_an_upgrade_gives_the_caller_one_end_of_the_pair() -> None:
    """The handler sees what was asked for; messages go both ways, those sent before the response
    too; the close handshake ends the iteration."""

    def upgrade(server: Server, request: Request) -> Response:
        assert request.headers["upgrade"] == "websocket"
        pair = WebSocketPair()
        server.ctx.accept_web_socket(pair.server)
        pair.server.send("welcome")
        return Response(status=101, web_socket=pair.client)

    Server.handler = upgrade
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.SERVER.get_by_name("a")
        response = await stub.fetch("https://x/ws", headers={"Upgrade": "websocket"})
        assert response.status == 101
        ws = response.web_socket
        ws.accept()
        for message in ("text", b"bytes", "ende"):
            ws.send(message)
        seen: list[str | bytes] = []
        async for message in ws:
            seen.append(message)
            if message == "ende":
                ws.close(1000, "enough")
        assert seen == ["welcome", "text", b"bytes", "ende"]


@shows(UPGRADE)
async def test_an_end_must_be_accepted_before_it_is_used() -> None:
    """By the caller too: sending or receiving before is a TypeError that says so."""

    def upgrade(server: Server, _request: Request) -> Response:
        pair = WebSocketPair()
        server.ctx.accept_web_socket(pair.server)
        return Response(status=101, web_socket=pair.client)

    Server.handler = upgrade
    async with host_for(app, clock=ManualClock()) as host:
        ws = (await host.env.SERVER.get_by_name("a").fetch("http://x/")).web_socket
        with pytest.raises(TypeError, match=r"must call one of accept\(\)"):
            ws.send("too early")
        with pytest.raises(TypeError, match=r"accept\(\)"):
            await ws.receive()
        ws.accept()
        ws.send("now")
        assert await ws.receive() == "now"


@shows(STANDARD_UPGRADE)
async def test_an_instance_can_serve_an_upgrade_by_itself() -> None:
    """It reads with `receive()`; the caller's close reaches it with code and reason."""
    closes: list[tuple[int, str, bool]] = []

    async def serve(ws: Any) -> None:
        try:
            while True:
                ws.send(f"echo {await ws.receive()}")
        except WebSocketClosed as closed:
            closes.append((closed.code, closed.reason, closed.was_clean))

    def upgrade(server: Server, _request: Request) -> Response:
        pair = WebSocketPair()
        pair.server.accept()
        server.ctx.wait_until(serve(pair.server))
        return Response(status=101, web_socket=pair.client)

    Server.handler = upgrade
    async with host_for(app, clock=ManualClock()) as host:
        ws = (await host.env.SERVER.get_by_name("a").fetch("http://x/")).web_socket
        ws.accept()
        ws.send("one")
        assert await ws.receive() == "echo one"
        ws.close(3000, "done")
        await host.settle()
        assert closes == [(3000, "done", True)]


@shows(UPGRADE, EXCEPTIONS)
async def test_an_upgrade_that_fails_is_an_error_not_a_socket() -> None:
    """Whether the handler raises or answers with a status of its own."""

    def refuse(_server: Server, request: Request) -> Response:
        if request.url.path == "/raise":
            raise PermissionError("not you")
        return Response("upgrade refused", status=403)

    Server.handler = refuse
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.SERVER.get_by_name("a")
        headers = {"upgrade": "websocket"}
        error = await failure(stub.fetch("http://x/raise", headers=headers))
        assert (type(error), str(error)) == (PermissionError, "not you")
        response = await stub.fetch("http://x/", headers=headers)
        assert (response.status, response.web_socket) == (403, None)
