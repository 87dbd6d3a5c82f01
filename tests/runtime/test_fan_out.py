"""One message to many sockets of an object."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from roomhost.runtime import WebSocket, WebSocketClosed, WebSocketPair
from roomhost.runtime.fan_out import send_to_all
from roomhost.runtime.testing import ManualClock, host_for

from ..helpers.actors import Disk
from ..helpers.scripted import Scripted, app, script

pytestmark = pytest.mark.anyio


async def joined(stub: Any, count: int) -> list[WebSocket]:
    """Client ends of so many sockets of an object, accepted."""
    clients: list[WebSocket] = []

    @script
    def enter(actor: Scripted) -> None:
        for _ in range(count):
            pair = WebSocketPair()
            actor.ctx.accept_web_socket(pair.server, ["listens"])
            clients.append(pair.client)

    await stub.run("enter")
    for ws in clients:
        ws.accept()
    return clients


async def test_it_waits_for_the_disk_in_the_order_of_what_else_was_sent() -> None:
    """For each socket, which counts its bytes meanwhile."""
    amounts: list[int] = []

    @script
    async def story(actor: Scripted) -> None:
        everyone = actor.ctx.get_web_sockets("listens")
        await actor.ctx.storage.put("k", 1)
        everyone[0].send("before")
        send_to_all(everyone, "größe")
        everyone[0].send("behind")
        amounts.extend(ws.buffered_amount for ws in everyone)

    disk = Disk()
    async with host_for(app, clock=ManualClock(), wrap_commit=disk) as host:
        stub = host.env.OBJECT.get_by_name("room")
        one, other = await joined(stub, 2)
        disk.hold()
        async with anyio.create_task_group() as group:
            group.start_soon(stub.run, "story")
            await anyio.wait_all_tasks_blocked()
            assert amounts == [6 + 7 + 6, 7]
            disk.release()
        assert [await one.receive() for _ in range(3)] == ["before", "größe", "behind"]
        assert await other.receive() == "größe"


async def test_it_leaves_at_once_where_nothing_was_written() -> None:
    """Half of a surrogate pair is U+FFFD, as for `send`."""

    @script
    def story(actor: Scripted) -> None:
        send_to_all(actor.ctx.get_web_sockets("listens"), "a\ud800")
        send_to_all(actor.ctx.get_web_sockets("listens"), b"bytes")
        send_to_all([], "nobody")

    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.OBJECT.get_by_name("room")
        clients = await joined(stub, 2)
        await stub.run("story")
        for ws in clients:
            assert (await ws.receive(), await ws.receive()) == ("a\ufffd", b"bytes")


async def test_one_that_was_closed_is_left_out() -> None:
    """And one that nobody accepted; the others hear it."""

    @script
    def story(actor: Scripted) -> None:
        everyone = actor.ctx.get_web_sockets("listens")
        everyone[0].close(4_000, "gone")
        send_to_all([WebSocketPair().server, *everyone], "heard")

    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.OBJECT.get_by_name("room")
        one, other = await joined(stub, 2)
        await stub.run("story")
        with pytest.raises(WebSocketClosed, match="4000 gone"):
            await one.receive()
        assert await other.receive() == "heard"


async def test_it_never_leaves_after_a_commit_that_failed() -> None:
    """Every client sees its connection lost instead."""

    @script
    async def story(actor: Scripted) -> None:
        await actor.ctx.storage.put("k", 1)
        send_to_all(actor.ctx.get_web_sockets("listens"), "not durable")

    disk = Disk()
    async with host_for(app, clock=ManualClock(), wrap_commit=disk) as host:
        stub = host.env.OBJECT.get_by_name("room")
        clients = await joined(stub, 2)
        disk.fail()
        with pytest.raises(Exception, match="disk"):
            await stub.run("story")
        for ws in clients:
            with pytest.raises(WebSocketClosed):
                await ws.receive()
