"""A caller that gives up on `fetch`: what it would have been handed must not stay open."""

from __future__ import annotations

import anyio
import anyio.lowlevel
import pytest

from roomhost.runtime import Request, Response, WebSocketPair
from roomhost.runtime.testing import ManualClock, host_for

from ..helpers.scripted import Scripted, app, script

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """`fetch` accepts a socket, and stores something first."""

    async def fetch(self: Scripted, request: Request) -> Response:
        pair = WebSocketPair()
        self.ctx.accept_web_socket(pair.server)
        await self.ctx.storage.put("opened", True)
        return Response(status=101, web_socket=pair.client)

    monkeypatch.setattr(Scripted, "fetch", fetch, raising=False)


@pytest.mark.parametrize("steps", [0, 1, 2, 3, 5, 8])
async def test_a_socket_that_its_opener_gave_up_is_lost(steps: int) -> None:
    """Whenever it does: the object is told, and lists the socket no more."""
    taken: list[Response] = []

    @script
    def count(actor: Scripted) -> int:
        return len(actor.ctx.get_web_sockets())

    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.OBJECT.get_by_name("a")

        async def fetch() -> None:
            taken.append(await stub.fetch("http://x/", headers={"upgrade": "websocket"}))

        async with anyio.create_task_group() as group:
            group.start_soon(fetch)
            for _ in range(steps):
                await anyio.lowlevel.checkpoint()
            group.cancel_scope.cancel()
        await host.settle()
        assert await stub.run("count") == len(taken)
