"""WebSockets: hibernation.

semantics.md 7.9 and 3.5: the instance leaves memory, its sockets stay; what wakes it, what it finds
then, and what is too much for them.
"""

from __future__ import annotations

from typing import Any

import anyio
import anyio.lowlevel
import pytest

from roomhost.runtime import (
    AlarmInfo,
    WebSocket,
)

from ..helpers.disk import Disk
from ..helpers.scripted import script
from .feature import Feature, mistake, shows
from .sockets import Hall, Room, close_of, connect, hall

pytestmark = pytest.mark.anyio

IDLE = Feature("hibernation after 10 s without an event", "3.5")
CONSTRUCTOR = Feature("hibernation: the constructor runs before the event", "7.9")
KEPT = Feature("hibernation: tags, attachment, url, protocol are kept", "7.9")
LOST = Feature("hibernation: memory is lost", "7.9")
LIST = Feature("getWebSockets in the constructor", "7.9")
WOKEN = Feature("hibernation: what wakes an object", "7.9")
CLOSED_ASLEEP = Feature("a close while the object hibernates", "7.9")
TRAFFIC = Feature("hibernation: traffic goes on", "7.9, 9.3")
IN_FLIGHT = Feature(
    "hibernation: sends and closes in flight",
    "7.9, 9.3",
    differs="they are delivered; workerd's tests pin their loss as a known defect",
)
ABORT = Feature("abort: sockets drop with 1006", "3.4, 7.9")
FAILED_WAKE = Feature("hibernation: a constructor that raises drops the sockets", "3.1, 7.6")


async def asleep(h: Hall) -> None:
    """Drop the room's instance, and see that its socket is still there."""
    assert await h.host.evict(h.room())
    assert h.awake == 0
    assert h.host.statistics().web_sockets > 0


@mistake(39)
@shows(IDLE, LOST)
async def test_mistake_39_an_eviction_costs_memory_and_no_socket() -> None:
    """After ten seconds the instance is gone; the client notices nothing."""
    instances: set[Room] = set()

    @script
    def message(actor: Room, ws: WebSocket, data: str) -> None:
        instances.add(actor)
        ws.send(f"{data} {len(instances)}")

    async with hall() as h:
        client = await connect(h.room())
        for number in (1, 2, 3):
            client.send("hello")
            assert await client.receive() == f"hello {number}"
            await h.clock.advance(9.9)
            assert h.awake == 1
            await h.clock.advance(0.1)
            assert (h.awake, h.host.statistics().web_sockets) == (0, 1)


@mistake(38)
@shows(CONSTRUCTOR, LIST)
async def test_mistake_38_the_constructor_runs_before_the_event_and_finds_the_sockets() -> None:
    """What it blocks for comes before the message too."""
    async with hall() as h:

        @script
        def construct(actor: Room) -> None:
            who = [ws.deserialize_attachment() for ws in actor.ctx.get_web_sockets()]
            h.heard.append(("constructor", who, len(actor.ctx.get_web_sockets("t"))))
            actor.ctx.block_concurrency_while(load)

        async def load() -> None:
            await anyio.lowlevel.checkpoint()
            h.heard.append("loaded")

        @script
        def message(actor: Room, ws: WebSocket, data: str) -> None:
            h.heard.append(data)

        client = await connect(h.room(), "t", who="ann")
        await asleep(h)
        h.heard.clear()
        client.send("hello")
        await h.quiet()
        assert h.heard == [("constructor", ["ann"], 1), "loaded", "hello"]


@shows(CONSTRUCTOR, LIST)
async def test_a_constructor_can_speak_to_the_sockets_it_finds() -> None:
    """Send to them and close them, before the event that woke the object."""

    @script
    def construct(actor: Room) -> None:
        for ws in actor.ctx.get_web_sockets():
            ws.send("good morning")
        for ws in actor.ctx.get_web_sockets("guest"):
            ws.close(4_000, "the night is over")

    async with hall() as h:
        guest = await connect(h.room(), "guest")
        member = await connect(h.room(), "member", who="member")
        await asleep(h)
        await h.room().listed()
        assert [message async for message in guest] == ["good morning"]
        assert await close_of(guest) == (4_000, "the night is over", True)
        assert await member.receive() == "good morning"
        await h.quiet()
        assert await h.room().listed() == ["member"]


@mistake(38)
@shows(KEPT)
async def test_mistake_38_tags_attachment_url_and_protocol_are_kept() -> None:
    """And the order of the sockets, over as many lives as it takes."""

    @script
    def message(actor: Room, ws: WebSocket, data: str) -> None:
        ws.send(repr([actor.ctx.get_tags(ws), ws.deserialize_attachment(), ws.url, ws.protocol]))

    async with hall() as h:
        client = await connect(h.room(), "t", "u", who="ann", protocol="v2")
        await connect(h.room(), "t", who="bob")
        url = "http://rooms/ann?tag=t&tag=u&who=ann&protocol=v2"
        for _ in range(3):
            await asleep(h)
            client.send("what do you know of me?")
            assert await client.receive() == repr([["t", "u"], "ann", url, "v2"])
            await asleep(h)
            assert await h.room().listed("t") == ["ann", "bob"]
            assert await h.room().listed() == ["bob", "ann"]


@pytest.mark.parametrize("cause", ["message", "close", "loss", "error", "call", "fetch", "alarm"])
@shows(WOKEN)
async def test_a_sleeping_object_is_woken(cause: str) -> None:
    """By a message, a close, an error, a call, a request, and its alarm."""
    async with hall() as h:
        woken_for: list[str] = []

        @script
        def message(actor: Room, ws: WebSocket, data: str) -> None:
            woken_for.append("message")

        @script
        def close(actor: Room, ws: WebSocket, code: int, *rest: Any) -> None:
            woken_for.append("loss" if code == 1_006 else "close")

        @script
        def error(actor: Room, ws: WebSocket, problem: Exception) -> None:
            woken_for.append("error")

        @script
        def alarm(actor: Room, info: AlarmInfo) -> None:
            woken_for.append("alarm")

        @script
        def call(actor: Room) -> None:
            woken_for.append("call")

        @script
        async def arm(actor: Room) -> None:
            await actor.ctx.storage.set_alarm(h.clock.now_ms() + 60_000)

        client = await connect(h.room())
        await h.room().run("arm")
        await asleep(h)
        if cause == "message":
            client.send("hello")
        elif cause == "close":
            client.close(1_000)
        elif cause == "loss":
            client.terminate()
        elif cause == "error":
            client.send(bytes(32 * 1024 * 1024 + 1))
        elif cause == "call":
            await h.room().run("call")
        elif cause == "fetch":
            await connect(h.room())
            woken_for.append("fetch")
        await h.clock.advance(60 if cause == "alarm" else 0)
        assert woken_for == [cause]
        assert h.awake == 1


@shows(CLOSED_ASLEEP)
async def test_a_close_while_the_object_sleeps_is_delivered() -> None:
    """With the socket's tags and attachment; the client is answered."""
    async with hall() as h:

        @script
        def close(actor: Room, ws: WebSocket, *how: Any) -> None:
            h.heard.append((actor.ctx.get_tags(ws), ws.deserialize_attachment(), *how))

        client = await connect(h.room(), "t", who="ann")
        await asleep(h)
        client.close(4_000, "bye")
        assert await close_of(client) == (4_000, "bye", True)
        assert h.heard == [(["t"], "ann", 4_000, "bye", True)]
        assert await h.room().listed() == []


@shows(TRAFFIC)
async def test_traffic_survives_many_hibernations() -> None:
    """Nothing is lost, doubled or reordered, in either direction."""

    @script
    async def message(actor: Room, ws: WebSocket, data: str) -> None:
        n = await actor.ctx.storage.get("n", 0) + 1
        await actor.ctx.storage.put("n", n)
        ws.send(f"{data} is {n}")

    async with hall() as h:
        client = await connect(h.room())
        for number in range(1, 31):
            client.send(f"{number}")
            if number % 3 == 0:
                await h.host.evict(h.room())
        received = [await client.receive() for _ in range(30)]
        assert received == [f"{number} is {number}" for number in range(1, 31)]


@shows(TRAFFIC, CONSTRUCTOR)
async def test_a_burst_to_a_sleeping_object_wakes_it_once() -> None:
    """From many sockets at once: one constructor, every message handled."""
    instances: list[Room] = []

    @script
    def construct(actor: Room) -> None:
        instances.append(actor)

    @script
    def message(actor: Room, ws: WebSocket, data: str) -> None:
        ws.send(data)

    async with hall() as h:
        clients = [await connect(h.room()) for _ in range(20)]
        await asleep(h)
        instances.clear()
        for client in clients:
            client.send("first")
            client.send("second")
        for client in clients:
            assert [await client.receive(), await client.receive()] == ["first", "second"]
        assert len(instances) == 1


@pytest.mark.parametrize("closes", [False, True], ids=["send", "close"])
@shows(IN_FLIGHT)
async def test_what_waits_for_the_disk_is_delivered_though_the_instance_is_gone(
    closes: bool,
) -> None:
    """A send and a close behind a held commit leave when that is done; the next life goes on."""

    @script
    async def put_and_send(actor: Room) -> None:
        (ws,) = actor.ctx.get_web_sockets()
        await actor.ctx.storage.put("k", 1)
        ws.send("in flight")
        if closes:
            ws.close(4_000, "in flight")

    @script
    def message(actor: Room, ws: WebSocket, data: str) -> None:
        ws.send(data)

    disk = Disk()
    async with hall(wrap_commit=disk.wrap) as h:
        client = await connect(h.room())
        disk.hold()
        async with anyio.create_task_group() as group:
            group.start_soon(h.room().run, "put_and_send")
            await disk.reached()
            group.start_soon(h.host.evict, h.room())
            await anyio.wait_all_tasks_blocked()
            disk.release()
        assert await client.receive() == "in flight"
        if closes:
            assert await close_of(client) == (4_000, "in flight", True)
        else:
            client.send("and on")
            assert await client.receive() == "and on"


@shows(IN_FLIGHT)
async def test_unconfirmed_writes_hold_the_instance_and_not_the_message() -> None:
    """It is sent at once; hibernation waits for the disk."""

    @script
    async def put_and_send(actor: Room) -> None:
        await actor.ctx.storage.put("k", "v", allow_unconfirmed=True)
        for ws in actor.ctx.get_web_sockets():
            ws.send("sent")

    disk = Disk()
    async with hall(wrap_commit=disk.wrap) as h:
        client = await connect(h.room())
        disk.hold()
        await h.room().run("put_and_send")
        assert await client.receive() == "sent"
        async with anyio.create_task_group() as group:
            group.start_soon(h.host.evict, h.room())
            await disk.reached()
            await anyio.wait_all_tasks_blocked()
            assert h.awake == 1
            disk.release()
        assert h.awake == 0
        assert await h.room().get("k") == "v"


@mistake(39)
@shows(ABORT)
async def test_mistake_39_an_abort_drops_every_socket_with_1006() -> None:
    """Unclean, without a close handler; the next instance has none, and accepts new ones."""
    async with hall() as h:

        @script
        def message(actor: Room, ws: WebSocket, data: str) -> None:
            actor.ctx.abort("enough")

        @script
        def close(actor: Room, ws: WebSocket, *how: Any) -> None:
            h.heard.append(how)

        clients = [await connect(h.room()) for _ in range(3)]
        clients[1].send("go")
        for client in clients:
            code, _, was_clean = await close_of(client)
            assert (code, was_clean) == (1_006, False)
        await h.quiet()
        assert h.heard == []
        assert await h.room().listed() == []
        await connect(h.room(), who="new")
        assert await h.room().listed() == ["new"]


@pytest.mark.parametrize("how", ["block", "all", "constructor", "constructor's section"])
@mistake(39)
@shows(ABORT, FAILED_WAKE)
async def test_mistake_39_no_socket_survives_a_reset(how: str) -> None:
    """By a critical section that raises, by the host, by a constructor that fails on waking."""

    async def fail() -> None:
        raise ValueError("a failed section")

    @script
    async def block(actor: Room) -> None:
        await actor.ctx.block_concurrency_while(fail)

    async with hall() as h:
        client = await connect(h.room())
        if how == "block":
            with pytest.raises(ValueError, match="a failed section"):
                await h.room().run("block")
        elif how == "all":
            await h.host.abort_all()
        else:
            await asleep(h)

            @script
            def construct(actor: Room) -> None:
                if how == "constructor":
                    raise ValueError("not today")
                actor.ctx.block_concurrency_while(fail)

            client.send("hello")
        code, _, was_clean = await close_of(client)
        assert (code, was_clean) == (1_006, False)
        assert h.host.statistics().web_sockets == 0


@shows(FAILED_WAKE)
async def test_an_object_that_could_not_wake_can_be_reached_again() -> None:
    """By a new stub, once its constructor works; the old sockets are gone."""
    async with hall() as h:
        client = await connect(h.room())
        await asleep(h)

        @script
        def construct(actor: Room) -> None:
            if not h.heard:
                h.heard.append("failed")
                raise ValueError("not the first time")

        client.send("hello")
        assert (await close_of(client))[0] == 1_006
        again = await connect(h.room(), who="again")
        assert await h.room().listed() == ["again"]
        again.close()
