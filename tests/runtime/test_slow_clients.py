"""Slow clients of a served host, on real sockets, with a clock that the test moves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from anyio.abc import ByteStream

from roomhost.runtime.testing import host_for

from ..helpers import served
from ..helpers.manual_loop import ManualLoop
from ..helpers.server_app import app

pytestmark = pytest.mark.anyio
HEAD = b"GET /echo-room/a HTTP/1.1\r\nHost: h\r\n"
UPGRADE = HEAD + b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
POST = b"POST /echo-room/a/upload HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n"
MANY = 20


@pytest.fixture(scope="module", params=[False, True], ids=["asyncio", "asyncio+uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """A server has asyncio alone."""
    return ("asyncio", {"use_uvloop": request.param})


@asynccontextmanager
async def serving(
    monkeypatch: pytest.MonkeyPatch, **settings: Any
) -> AsyncGenerator[tuple[int, ManualLoop]]:
    """The port of a host, and the loop with the timers of its connections."""
    manual = ManualLoop()

    class TimedServer(served.QuietServer):
        def make_protocol(self, loop: asyncio.AbstractEventLoop | None = None) -> asyncio.Protocol:
            return super().make_protocol(manual)  # type: ignore[arg-type]

    monkeypatch.setattr(served, "QuietServer", TimedServer)
    async with host_for(app, **settings) as host, served.serving(host) as (url, _):
        yield int(url.rpartition(":")[2]), manual


async def open_one(port: int, data: bytes, manual: ManualLoop) -> ByteStream:
    """A connection that has sent something, which the server has taken."""
    manual.armed.clear()
    stream = await anyio.connect_tcp("127.0.0.1", port)
    await manual.armed.wait()  # for its headers
    manual.armed.clear()
    await stream.send(data)
    await manual.armed.wait()  # and for what is missing
    return stream


async def rest_of(stream: ByteStream) -> bytes:
    """What the server sends until it hangs up."""
    data = b""
    with anyio.fail_after(20):
        try:
            async for chunk in stream:
                data += chunk
        except anyio.BrokenResourceError:
            pass
    await stream.aclose()
    return data


@pytest.mark.parametrize("sent", [HEAD, UPGRADE, POST + b"abc"], ids=["headers", "upgrade", "body"])
async def test_slow_clients_are_told_and_hung_up_on(
    monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    """Many of them; meanwhile and afterwards others are served."""
    async with serving(monkeypatch) as (port, manual):
        slow = [await open_one(port, sent, manual) for _ in range(MANY)]
        await ask(port)
        manual.advance(21)
        for stream in slow:
            assert (await rest_of(stream)).startswith(b"HTTP/1.1 408 Request Timeout\r\n")
        await ask(port)


async def ask(port: int) -> None:
    """One request of somebody else."""
    async with await anyio.connect_tcp("127.0.0.1", port) as stream:
        await stream.send(HEAD.replace(b"a HTTP", b"a/add HTTP") + b"Connection: close\r\n\r\n")
        assert (await rest_of(stream)).startswith(b"HTTP/1.1 200 OK\r\n")


async def test_a_client_that_sends_too_much_reads_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one that goes on sending: the answer is not lost in a reset."""
    async with serving(monkeypatch, max_request_bytes=100_000) as (port, _):
        for head, status in (
            (HEAD + b"X: ", b"431"),
            (POST.replace(b": 9", b": 9000000"), b"413"),
        ):
            async with await anyio.connect_tcp("127.0.0.1", port) as stream:
                await stream.send(head + b"x" * 200_000)
                answer = await rest_of(stream)
                assert answer.startswith(b"HTTP/1.1 " + status)
        await ask(port)


async def test_further_connections_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until one ends."""
    async with serving(monkeypatch, max_connections=2) as (port, manual):
        two = [await open_one(port, HEAD, manual) for _ in range(2)]
        async with await anyio.connect_tcp("127.0.0.1", port) as third:
            assert (await rest_of(third)).startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
        for stream in two:
            await stream.send(b"Connection: close\r\n\r\n")
            assert (await rest_of(stream)).startswith(b"HTTP/1.1 200 OK\r\n")
        await ask(port)
