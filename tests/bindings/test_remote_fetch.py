"""`connect`: requests and responses that stream, through `stub.fetch`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import anyio
import pytest

from roomhost.bindings import connect
from roomhost.runtime import (
    DurableObjectError,
    OverloadedError,
    Request,
    Response,
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


async def pieces(count: int, size: int, made: list[int]) -> AsyncIterator[bytes]:
    """A body of `count` chunks; `made` counts those that were asked for."""
    for number in range(count):
        made.append(number)
        yield bytes([number % 256]) * size


async def test_a_request_and_its_response_cross_as_they_are() -> None:
    """Method, URL, headers of any number, body; status and headers back."""

    @script
    async def fetch(actor: Any, request: Request) -> Response:
        headers = [
            ("x-two", "1"),
            ("x-two", "ü"),
            ("x-seen", ",".join(request.headers.getlist("x-one"))),
        ]
        text = f"{request.method} {request.url} {await request.text()} {await request.text()}"
        return Response(text, status=418, headers=headers)

    async with connected() as (env, _):
        stub = env.STATION.get_by_name("a")
        headers = [("X-One", "a"), ("x-one", "b")]
        sent = Request("http://x/p%20q?a=1", method="put", headers=headers, body="größe")
        response = await stub.fetch(sent)
        assert response.status == 418
        assert response.headers.getlist("x-two") == ["1", "ü"]
        assert response.headers["x-seen"] == "a,b"
        assert await response.text() == "PUT http://x/p%20q?a=1 größe größe"
        assert await response.text() == "PUT http://x/p%20q?a=1 größe größe"
        with pytest.raises(TypeError, match="Invalid URL"):
            stub.fetch("/relative")


async def test_an_exception_of_the_handler_is_raised_here() -> None:
    """It is no response; nor is what is no response."""

    @script
    async def fetch(actor: Any, request: Request) -> Any:
        if request.url.path == "/wrong":
            return "text"
        raise ValueError("in fetch")

    async with connected() as (env, _):
        stub = env.STATION.get_by_name("a")
        with pytest.raises(ValueError, match="in fetch") as caught:
            await stub.fetch("http://x/")
        error: Any = caught.value
        assert (error.remote, error.durable_object_id) == (True, str(stub.id))
        with pytest.raises(TypeError, match="returns a Response, not str"):
            await stub.fetch("http://x/wrong")


async def test_large_bodies_cross_both_ways() -> None:
    """In memory or streamed, 10 MiB each way at once."""

    @script
    async def fetch(actor: Any, request: Request) -> Response:
        return Response(request.stream())

    async with connected() as (env, _):
        stub = env.STATION.get_by_name("a")
        for body in (bytes(10 * MEBIBYTE), pieces(160, 65_536, [])):
            response = await stub.fetch("http://x/", method="POST", body=body)
            assert len(await response.body()) == 10 * MEBIBYTE


@pytest.mark.parametrize("direction", ["up", "down"])
async def test_a_slow_reader_holds_the_writer(direction: str) -> None:
    """Of 10 MiB only a window is ever on its way: what is not asked for is not produced."""
    made: list[int] = []
    begun, go_on = anyio.Event(), anyio.Event()
    size = limits.REMOTE_CHUNK_BYTES

    async def read(stream: AsyncIterator[bytes]) -> int:
        total = len(await anext(stream))
        begun.set()
        await go_on.wait()
        async for chunk in stream:
            total += len(chunk)
            assert len(made) * size <= total + limits.REMOTE_WINDOW_BYTES + 10 * size
        return total

    @script
    async def fetch(actor: Any, request: Request) -> Response:
        if direction == "up":
            return Response.from_json(await read(request.stream()))
        return Response(pieces(160, size, made))

    async def ask(stub: Any) -> int:
        body = pieces(160, size, made) if direction == "up" else None
        response = await stub.fetch("http://x/", method="POST", body=body)
        return int(await response.json()) if direction == "up" else await read(response.stream())

    async with connected() as (env, _):
        stub = env.STATION.get_by_name("a")
        asked = asyncio.ensure_future(ask(stub))
        await begun.wait()
        for number in range(20):
            assert await stub.note(number) == number  # nothing else is held up
        assert len(made) * size <= limits.REMOTE_WINDOW_BYTES + 10 * size
        go_on.set()
        assert await asked == 10 * MEBIBYTE


async def test_a_body_that_nobody_reads_is_never_begun() -> None:
    """In either direction; the host forgets it when the response is dropped."""
    up: list[int] = []
    down: list[int] = []

    @script
    async def fetch(actor: Any, request: Request) -> Response:
        return Response(pieces(3, 10, down))

    async with connected() as (env, _):
        stub = env.STATION.get_by_name("a")
        response: Any = await stub.fetch("http://x/", method="POST", body=pieces(3, 10, up))
        assert len(link_of(env)._streams) > 0
        del response
        while len(link_of(env)._streams) > 0:
            await stub.note(1)
        assert up == down == []


async def test_a_reader_that_stops_ends_the_writer() -> None:
    """The generator in the object is closed, and the instance may be evicted."""
    closed = anyio.Event()

    async def endless() -> AsyncGenerator[bytes]:
        try:
            while True:
                yield b"x" * 1000
        finally:
            closed.set()

    @script
    async def fetch(actor: Any, request: Request) -> Response:
        return Response(endless())

    async with connected() as (env, host):
        response: Any = await env.STATION.get_by_name("a").fetch("http://x/")
        stream = response.stream()
        await anext(stream)
        await stream.aclose()
        del response, stream
        await closed.wait()
        assert await host.evict(host.env.STATION.get_by_name("a"))


@pytest.mark.parametrize("direction", ["up", "down"])
async def test_a_body_that_fails_raises_where_it_is_read(direction: str) -> None:
    """After what came before; with the error's class."""

    async def failing() -> AsyncIterator[bytes]:
        yield b"first"
        raise ValueError("no more")

    async def read(stream: AsyncIterator[bytes]) -> list[str]:
        seen: list[str] = []
        try:
            async for chunk in stream:
                seen.append(chunk.decode())
        except ValueError as error:
            seen.append(str(error))
        return seen

    @script
    async def fetch(actor: Any, request: Request) -> Response:
        return (
            Response.from_json(await read(request.stream()))
            if direction == "up"
            else Response(failing())
        )

    async with connected() as (env, _):
        stub = env.STATION.get_by_name("a")
        response = await stub.fetch(
            "http://x/", method="POST", body=failing() if direction == "up" else None
        )
        seen = await response.json() if direction == "up" else await read(response.stream())
        assert seen == ["first", "no more"]


async def test_a_chunk_that_is_no_bytes_is_refused_where_it_is_read() -> None:
    """As a TypeError."""

    async def wrong() -> AsyncIterator[Any]:
        yield "text"

    async with connected() as (env, _):
        with pytest.raises(TypeError, match="a chunk of a body is bytes, not str"):
            await env.STATION.get_by_name("a").fetch("http://x/", method="POST", body=wrong())


async def test_a_lost_connection_ends_bodies_with_a_retryable_error() -> None:
    """On both sides."""
    heard: list[Any] = []
    ended = anyio.Event()

    async def endless(begun: anyio.Event) -> AsyncIterator[bytes]:
        yield b"first"
        begun.set()
        await anyio.sleep_forever()

    @script
    async def fetch(actor: Any, request: Request) -> Response:
        async def answer() -> AsyncIterator[bytes]:
            try:
                async for chunk in request.stream():
                    yield chunk
            except DurableObjectError as error:
                heard.append(error)
                raise
            finally:
                ended.set()

        return Response(answer())

    async with connected() as (env, _):
        begun = anyio.Event()
        stub = env.STATION.get_by_name("a")
        response = await stub.fetch("http://x/", method="POST", body=endless(begun))
        stream = response.stream()
        assert await anext(stream) == b"first"
        await begun.wait()
        link_of(env).socket.transport.abort()
        with pytest.raises(DurableObjectError, match="Network connection lost") as lost:
            await anext(stream)
        assert lost.value.retryable
        await ended.wait()
        assert [error.retryable for error in heard] in ([True], [])


async def test_streams_are_bounded_for_each_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """`OverloadedError` above the limit, on either side."""

    @script
    async def fetch(actor: Any, request: Request) -> Response:
        return Response(pieces(1, 10, []))

    monkeypatch.setattr(limits, "MAX_REMOTE_STREAMS", 2)
    async with connected() as (env, _):
        stub = env.STATION.get_by_name("a")
        kept = [await stub.fetch("http://x/") for _ in range(2)]
        with pytest.raises(OverloadedError, match="at most 2 streaming bodies"):
            await stub.fetch("http://x/")
        with pytest.raises(OverloadedError, match="at most 2 streaming bodies"):
            await stub.fetch("http://x/", method="POST", body=pieces(1, 10, []))
        assert await kept[0].body() == bytes(10)
        assert (await stub.fetch("http://x/")).status == 200


async def test_a_host_that_stops_ends_the_body_that_is_under_way() -> None:
    """It is sent in full before the connection closes."""
    go_on = anyio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield b"first "
        await go_on.wait()
        yield b"last"

    @script
    async def fetch(actor: Any, request: Request) -> Response:
        return Response(body())

    async with host_for(app, api_keys=("key",)) as host, serving(host) as (url, server):
        async with connect(url, api_key="key") as env:
            response: Any = await env.STATION.get_by_name("a").fetch("http://x/")
            stream = response.stream()
            assert await anext(stream) == b"first "
            server.stop()
            with pytest.raises(DurableObjectError, match="host is stopping"):
                await env.STATION.get_by_name("a").note(1)
            go_on.set()
            assert b"".join([chunk async for chunk in stream]) == b"last"
            await asyncio.wait((link_of(env)._main,))
