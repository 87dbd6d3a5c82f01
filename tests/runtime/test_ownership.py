"""An object's storage and sockets are used by its own code alone, whoever can reach them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import sniffio

from roomhost.bindings import App
from roomhost.runtime import (
    DurableObject,
    DurableObjectError,
    DurableObjectState,
    Request,
    Response,
    WebSocketPair,
)
from roomhost.runtime.testing import host_for

pytestmark = pytest.mark.anyio

SHARED: dict[str, Any] = {}
REFUSED = "Cannot perform I/O on behalf of a different Durable Object"


class Owner(DurableObject):
    """Gives away what is its own."""

    async def fetch(self, request: Request) -> Response:
        pair = WebSocketPair()
        if request.url.path == "/standard":
            pair.server.accept()
        else:
            self.ctx.accept_web_socket(pair.server)
        SHARED["ctx"], SHARED["ws"] = self.ctx, pair.server
        return Response(status=101, web_socket=pair.client)

    async def stored(self) -> dict[str, Any]:
        return await self.ctx.storage.list()

    async def in_a_task(self) -> None:
        """Use its own in a task that outlives the handler."""

        async def use() -> None:
            await self.ctx.storage.put("task", 1)
            SHARED["ws"].send("from a task")

        SHARED["task"] = asyncio.create_task(use())

    async def use(self, how: str) -> None:
        """Use what another one has given away."""
        await self.ctx.storage.put("mine", 1)
        await USES[how](SHARED["ctx"])


async def closes(_: DurableObjectState) -> None:
    SHARED["ws"].close(1000, "not mine")


async def sends(_: DurableObjectState) -> None:
    SHARED["ws"].send("not mine")


async def sends_to_all(ctx: DurableObjectState) -> None:
    from roomhost.runtime.fan_out import send_to_all

    send_to_all([SHARED["ws"]], "not mine")


async def within_sync(ctx: DurableObjectState) -> None:
    ctx.storage.transaction_sync(lambda: ctx.storage.kv.put("theirs", 1))


USES: dict[str, Callable[[DurableObjectState], Any]] = {
    "send": sends,
    "send to all": sends_to_all,
    "close": closes,
    "put": lambda ctx: ctx.storage.put("theirs", 1),
    "get": lambda ctx: ctx.storage.get("theirs"),
    "list": lambda ctx: ctx.storage.list(),
    "delete_all": lambda ctx: ctx.storage.delete_all(),
    "get_alarm": lambda ctx: ctx.storage.get_alarm(),
    "delete_alarm": lambda ctx: ctx.storage.delete_alarm(),
    "kv": within_sync,
    "sync": lambda ctx: ctx.storage.sync(),
}
app = App(name="owners", bindings={"OWNER": Owner, "OTHER": Owner})


@pytest.mark.parametrize("binding", ["OWNER", "OTHER"])
@pytest.mark.parametrize("how", USES)
async def test_another_object_may_not_use_it(how: str, binding: str) -> None:
    """Of the same class or not; nothing is sent, stored or closed, and the error names both."""
    async with host_for(app) as host:
        owner = host.env.OWNER.get_by_name("a")
        client = (await owner.fetch("http://x/", headers={"upgrade": "websocket"})).web_socket
        assert client is not None
        client.accept()
        with pytest.raises(
            DurableObjectError, match=f"{REFUSED}: .* OWNER a's, and {binding} b runs"
        ):
            await getattr(host.env, binding).get_by_name("b").use(how)
        assert await owner.stored() == {}
        await owner.use("send")  # its own
        assert await client.receive() == "not mine"


@pytest.mark.parametrize("how", ["send", "close"])
async def test_nor_a_socket_that_cannot_hibernate(how: str) -> None:
    """It is its who accepted it."""
    async with host_for(app) as host:
        owner = host.env.OWNER.get_by_name("a")
        request = owner.fetch("http://x/standard", headers={"upgrade": "websocket"})
        client = (await request).web_socket
        assert client is not None
        client.accept()
        with pytest.raises(DurableObjectError, match=REFUSED):
            await host.env.OWNER.get_by_name("b").use(how)
        await owner.use(how)


async def test_a_hibernating_object_keeps_its_sockets_for_itself() -> None:
    """No instance is there to ask."""
    async with host_for(app) as host:
        owner = host.env.OWNER.get_by_name("a")
        await owner.fetch("http://x/", headers={"upgrade": "websocket"})
        assert await host.evict(owner)
        with pytest.raises(DurableObjectError, match=REFUSED):
            await host.env.OWNER.get_by_name("b").use("send")


async def test_a_task_of_its_own_goes_on_using_it() -> None:
    """On asyncio, which lets a task be started so."""
    if sniffio.current_async_library() != "asyncio":
        return

    async with host_for(app) as host:
        owner = host.env.OWNER.get_by_name("a")
        client = (await owner.fetch("http://x/", headers={"upgrade": "websocket"})).web_socket
        assert client is not None
        client.accept()
        await owner.in_a_task()
        await SHARED["task"]
        assert await client.receive() == "from a task"
        assert await owner.stored() == {"task": 1}
