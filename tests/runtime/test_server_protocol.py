"""What a connection of the server leaves behind when it is over."""

from __future__ import annotations

import gc

import anyio
import pytest
from anyio.lowlevel import checkpoint
from websockets.asyncio.client import connect
from websockets.server import ServerProtocol

from roomhost.runtime.direct_protocol import FrameProtocol
from roomhost.runtime.http_protocol import HttpProtocol
from roomhost.runtime.server_protocol import WebSocketProtocol
from roomhost.runtime.testing import host_for

from ..helpers.served import serving
from ..helpers.server_app import app

pytestmark = pytest.mark.anyio
PROTOCOLS = (HttpProtocol, WebSocketProtocol, ServerProtocol, FrameProtocol)


@pytest.fixture
def anyio_backend() -> str:
    """The server is asyncio's."""
    return "asyncio"


@pytest.mark.parametrize("clean", [True, False])
async def test_a_connection_that_is_over_is_free_at_once(clean: bool) -> None:
    """Closed or lost: no circle keeps it for the collector, 27 KiB each, where clients come and go."""
    async with host_for(app) as host, serving(host) as (url, server):
        gc.collect()
        gc.disable()
        try:
            before = protocols()
            async with connect(url.replace("http", "ws") + "/echo-room/a") as client:
                await client.send("hello")
                await client.recv()
                assert protocols() == before + 2, "what it was before the upgrade is gone"
                if not clean:
                    client.transport.abort()
            with anyio.fail_after(10):
                while server.server_state.connections or protocols() > before:
                    await checkpoint()
        finally:
            gc.enable()


async def test_a_connection_of_requests_is_free_at_once() -> None:
    """The application has let go of its scope, which refers to the connection."""
    async with host_for(app) as host, serving(host) as (url, server):
        gc.collect()
        gc.disable()
        try:
            before = protocols()
            port = int(url.rpartition(":")[2])
            stream = await anyio.connect_tcp("127.0.0.1", port)
            await stream.send(b"GET /echo-room/a HTTP/1.1\r\nHost: a\r\n\r\n")
            assert (await stream.receive()).startswith(b"HTTP/1.1 200")
            assert protocols() == before + 1
            await stream.aclose()
            with anyio.fail_after(10):
                while server.server_state.connections or protocols() > before:
                    await checkpoint()
        finally:
            gc.enable()


def protocols() -> int:
    """How many are in memory."""
    return sum(type(each) in PROTOCOLS for each in gc.get_objects())
