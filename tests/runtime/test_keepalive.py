"""Pings find the clients that are lost, and not those that are busy."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from websockets.asyncio.client import connect

from roomhost.runtime import Request, Response, WebSocket, WebSocketPair, limits
from roomhost.runtime.server_protocol import WebSocketProtocol
from roomhost.runtime.testing import host_for

from ..helpers.remote_app import app
from ..helpers.scripted import Scripted, script
from ..helpers.served import serving

pytestmark = pytest.mark.anyio
PING_SECONDS = 0.2
WAIT_SECONDS = 20
CHECKS = 3
MESSAGES = 2 * limits.MAX_UNSTARTED_MESSAGES


@pytest.fixture(scope="module", params=[False, True], ids=["asyncio", "asyncio+uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """A server has asyncio alone."""
    return ("asyncio", {"use_uvloop": request.param})


async def test_a_client_whose_pong_waits_behind_its_messages_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its object takes none of them for as long as three pings may stay unanswered."""
    checked, released = anyio.Event(), anyio.Event()
    checks: list[WebSocketProtocol] = []
    check = WebSocketProtocol.keepalive_timeout

    def keepalive_timeout(protocol: WebSocketProtocol) -> None:
        checks.append(protocol)
        if len(checks) == CHECKS:
            protocol.ping_timeout = WAIT_SECONDS  # no check is left to fail from here on
            checked.set()
        check(protocol)

    monkeypatch.setattr(WebSocketProtocol, "keepalive_timeout", keepalive_timeout)

    @script
    async def fetch(actor: Scripted, request: Request) -> Response:
        pair = WebSocketPair()
        actor.ctx.accept_web_socket(pair.server)
        return Response(status=101, web_socket=pair.client)

    @script
    async def message(actor: Scripted, ws: WebSocket, text: str) -> None:
        await actor.ctx.block_concurrency_while(released.wait)
        ws.send(text)

    async with host_for(app) as host, serving(host) as (url, server):
        server.config.ws_ping_interval = server.config.ws_ping_timeout = PING_SECONDS
        address = url.replace("http:", "ws:") + "/station/room"
        async with connect(address, ping_interval=None) as ws:
            for number in range(MESSAGES):
                await ws.send(str(number))
            with anyio.fail_after(WAIT_SECONDS):
                await checked.wait()
            released.set()
            assert [await ws.recv() for _ in range(MESSAGES)] == [*map(str, range(MESSAGES))]
