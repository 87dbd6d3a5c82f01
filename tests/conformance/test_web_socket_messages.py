"""WebSockets: messages to and from an object.

semantics.md 7.5, 7.6 and 7.8: handlers, their order and their errors, sizes, and the output gate.
"""

from __future__ import annotations

import logging
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from roomhost.runtime import DurableObjectError, LimitError, StorageError, WebSocket

from ..helpers.disk import Disk
from ..helpers.scripted import script
from .feature import Feature, mistake, shows
from .sockets import CLOSED, Room, close_of, connect, hall

pytestmark = pytest.mark.anyio

MESSAGE = Feature("webSocketMessage(ws, message)", "7.6")
BINARY = Feature("webSocketMessage: binary", "7.6", differs="`bytes` in place of an ArrayBuffer")
ORDER = Feature("webSocketMessage: in order, overlapping at waits", "7.6")
ERRORS = Feature("webSocketMessage: exceptions", "7.6")
MISSING_HANDLER = Feature("webSocketMessage: no handler", "7.6")
SEND = Feature("ws.send from an object", "7.6, 9.3")
SHARED = Feature("a socket used by several requests", "9.3")
GATE = Feature("ws.send: waits for the output gate", "4.4, 9.3")
SIZE = Feature("webSocketMessage: 32 MiB", "7.8")
ERROR_HANDLER = Feature("webSocketError(ws, error)", "7.6, 7.8")
TIMEOUT = Feature("ctx.setHibernatableWebSocketEventTimeout(ms)", "7.5")
GET_TIMEOUT = Feature("ctx.getHibernatableWebSocketEventTimeout()", "7.5")

LIMIT_BYTES = 32 * 1024 * 1024


@shows(MESSAGE, BINARY)
async def test_text_and_bytes_reach_the_handler_as_such() -> None:
    """With the socket they came over; bytes stay bytes."""
    async with hall() as h:

        @script
        def message(actor: Room, ws: WebSocket, data: str | bytes) -> None:
            h.heard.append((ws.deserialize_attachment(), data))

        ann, bob = await connect(h.room(), who="ann"), await connect(h.room(), who="bob")
        for client, data in ((ann, "größe 🙂"), (bob, b"\x00\xff"), (ann, ""), (ann, b"")):
            client.send(data)
            await h.quiet()
        assert h.heard == [("ann", "größe 🙂"), ("bob", b"\x00\xff"), ("ann", ""), ("ann", b"")]


@mistake(34)
@shows(ORDER)
async def test_mistake_34_the_next_message_comes_in_at_a_real_wait() -> None:
    """A storage call lets nothing in; a handler that waits for something else does."""
    go_on = anyio.Event()
    async with hall() as h:

        @script
        async def message(actor: Room, ws: WebSocket, data: str) -> None:
            h.heard.append(f"{data} begins")
            for _ in range(3):
                await actor.ctx.storage.put("last", data)
            h.heard.append(f"{data} stored")
            if data == "first":
                await go_on.wait()
            h.heard.append(f"{data} ends")

        client = await connect(h.room())
        client.send("first")
        client.send("second")
        await h.quiet()
        go_on.set()
        await h.quiet()
        first, second = ("first begins", "first stored"), ("second begins", "second stored")
        assert h.heard == [*first, *second, "second ends", "first ends"]


@mistake(34)
@shows(ORDER)
async def test_mistake_34_messages_of_a_socket_begin_in_the_order_they_were_sent() -> None:
    """Text and bytes alike, to an object that sleeps or wakes or waits in between."""
    async with hall() as h:

        @script
        async def message(actor: Room, ws: WebSocket, data: str | bytes) -> None:
            h.heard.append(int(data))
            if int(data) % 7 == 0:
                await anyio.lowlevel.checkpoint()

        client = await connect(h.room())
        for number in range(0, 200, 50):
            await h.host.evict(h.room())
            for each in range(number, number + 50):
                client.send(f"{each}" if each % 2 else b"%d" % each)
            await h.quiet()
        assert h.heard == list(range(200))


@mistake(35)
@shows(ERRORS)
async def test_mistake_35_an_exception_drops_neither_socket_nor_object(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is logged; the same instance handles the next message of the same socket."""
    instances: set[Room] = set()

    @script
    async def message(actor: Room, ws: WebSocket, data: str) -> None:
        instances.add(actor)
        if data == "late":
            await anyio.lowlevel.checkpoint()
        if data != "good":
            raise ValueError(f"a bad message: {data}")
        ws.send("still here")

    async with hall() as h:
        client = await connect(h.room())
        for data in ("early", "late", "good"):
            client.send(data)
        assert await client.receive() == "still here"
        assert len(instances) == 1
    logged = [record.exc_text or "" for record in caplog.records if record.levelno >= logging.ERROR]
    assert "a bad message: early" in logged[0]
    assert "a bad message: late" in logged[1]


@shows(MISSING_HANDLER)
async def test_without_a_handler_a_message_is_ignored() -> None:
    """The socket and the object live on."""
    async with hall() as h:
        deaf = h.host.env.DEAF.get_by_name("a")
        client = await connect(deaf)
        client.send("hello?")
        client.send(b"hello?")
        await h.quiet()
        assert await deaf.count() == 1
        await deaf.shout("HELLO")
        assert await client.receive() == "HELLO"


@shows(SEND)
async def test_an_object_sends_text_and_bytes_to_every_socket() -> None:
    """From a call, not only from a handler; each client gets all of it in order."""

    @script
    def tell(actor: Room, data: Any) -> None:
        for ws in actor.ctx.get_web_sockets():
            ws.send(data)

    async with hall() as h:
        clients = [await connect(h.room()) for _ in range(5)]
        sent: list[Any] = ["one", b"two", "three"]
        for data in sent:
            await h.room().run("tell", data)
        for client in clients:
            assert [await client.receive() for _ in sent] == sent


@shows(SHARED)
async def test_two_requests_in_flight_share_a_socket() -> None:
    """The older one ends first; the younger goes on using it."""
    go_on = {"old": anyio.Event(), "young": anyio.Event()}

    @script
    async def use(actor: Room, who: str) -> None:
        (ws,) = actor.ctx.get_web_sockets()
        ws.send(f"{who} begins")
        await go_on[who].wait()
        ws.send(f"{who} ends")

    async with hall() as h:
        client = await connect(h.room())
        async with anyio.create_task_group() as group:
            for who in ("old", "young"):
                group.start_soon(h.room().run, "use", who)
                assert await client.receive() == f"{who} begins"
            go_on["old"].set()
            assert await client.receive() == "old ends"
            go_on["young"].set()
        assert await client.receive() == "young ends"


@shows(GATE)
async def test_a_message_waits_for_the_writes_before_it_alone() -> None:
    """What was sent before the write is there at once; what comes after it, when it is on disk."""

    @script
    async def send(actor: Room) -> None:
        (ws,) = actor.ctx.get_web_sockets()
        ws.send("before")
        await actor.ctx.storage.put("k", 1)
        ws.send("after")
        ws.send("after that")

    disk = Disk()
    async with hall(wrap_commit=disk.wrap) as h:
        client = await connect(h.room())
        disk.hold()
        received: list[str | bytes] = []
        async with anyio.create_task_group() as group:

            async def receive() -> None:
                for _ in range(3):
                    received.append(await client.receive())

            group.start_soon(receive)
            group.start_soon(h.room().run, "send")
            await disk.reached()
            await anyio.wait_all_tasks_blocked()
            assert received == ["before"]
            disk.release()
        assert received == ["before", "after", "after that"]


@shows(GATE)
async def test_a_message_after_a_write_that_fails_never_leaves() -> None:
    """The object is reset, and the client sees its connection lost."""

    @script
    async def send(actor: Room) -> None:
        (ws,) = actor.ctx.get_web_sockets()
        await actor.ctx.storage.put("k", 1)
        ws.send("it is stored")

    disk = Disk()
    async with hall(wrap_commit=disk.wrap) as h:
        client = await connect(h.room())
        disk.failing = True
        with pytest.raises(StorageError):
            await h.room().run("send")
        disk.failing = False
        assert [message async for message in client] == []
        assert (await close_of(client))[0] == 1_006


@mistake(40)
@shows(SIZE, ERROR_HANDLER)
async def test_mistake_40_a_message_of_32_mebibytes_passes_and_not_one_byte_more() -> None:
    """That one is an error event, and the socket closes with 1009."""
    async with hall() as h:

        @script
        def message(actor: Room, ws: WebSocket, data: bytes) -> None:
            h.heard.append(len(data))

        @script
        def error(actor: Room, ws: WebSocket, problem: Exception) -> None:
            h.heard.append((str(problem), ws.deserialize_attachment(), ws.ready_state))

        client = await connect(h.room(), who="ann")
        client.send(bytes(LIMIT_BYTES))
        client.send(bytes(LIMIT_BYTES + 1))
        assert (await close_of(client))[0] == 1_009
        await h.quiet()
        assert h.heard == [LIMIT_BYTES, ("Message is too large", "ann", CLOSED)]
        assert await h.room().listed() == []


@pytest.mark.parametrize("letter", ["x", "é", "€"])
@shows(SIZE)
async def test_the_size_of_text_is_that_of_its_utf_8(letter: str) -> None:
    """However many characters that is."""
    fits = LIMIT_BYTES // len(letter.encode())
    async with hall() as h:

        @script
        def message(actor: Room, ws: WebSocket, data: str) -> None:
            h.heard.append(len(data))

        client = await connect(h.room())
        client.send(letter * fits)
        client.send(letter * (fits + 1))
        assert (await close_of(client))[0] == 1_009
        await h.quiet()
        assert h.heard == [fits]


@shows(SIZE)
async def test_a_message_that_is_too_large_costs_nobody_else() -> None:
    """The other sockets and the object stand; what was sent before it is handled."""
    async with hall() as h:

        @script
        def message(actor: Room, ws: WebSocket, data: str) -> None:
            h.heard.append(data)
            ws.send(f"got {data}")

        large, small = await connect(h.room()), await connect(h.room(), who="small")
        large.send("before")
        large.send(bytes(LIMIT_BYTES + 1))
        small.send("after")
        assert await small.receive() == "got after"
        assert (await close_of(large))[0] == 1_009
        assert h.heard == ["before", "after"]
        assert await h.room().listed() == ["small"]


@shows(GET_TIMEOUT, TIMEOUT)
async def test_the_event_timeout_is_set_read_and_unset() -> None:
    """Milliseconds up to seven days; 0 and nothing unset it; the rest is refused."""

    @script
    def timeout(actor: Room, ms: int | None) -> int | None:
        actor.ctx.set_hibernatable_web_socket_event_timeout(ms)
        return actor.ctx.get_hibernatable_web_socket_event_timeout()

    @script
    def unset(actor: Room) -> int | None:
        actor.ctx.set_hibernatable_web_socket_event_timeout()
        return actor.ctx.get_hibernatable_web_socket_event_timeout()

    async with hall() as h:
        assert await h.room().run("unset") is None
        for ms in (1, 500, 604_800_000):
            assert await h.room().run("timeout", ms) == ms
        with pytest.raises(LimitError, match="should not exceed 604800000 ms"):
            await h.room().run("timeout", 604_800_001)
        with pytest.raises(TypeError):
            await h.room().run("timeout", -1)
        assert await h.room().run("timeout", 0) is None
        assert await h.room().run("timeout", 5) == 5
        assert await h.room().run("unset") is None


@shows(TIMEOUT)
async def test_a_handler_over_its_time_resets_the_object() -> None:
    """In-flight callers are told, the sockets drop; a new instance starts afresh."""

    @script
    def limit(actor: Room) -> None:
        actor.ctx.set_hibernatable_web_socket_event_timeout(2_000)

    @script
    async def message(actor: Room, ws: WebSocket, data: str) -> None:
        await anyio.sleep_forever()

    async with hall() as h:
        stub = h.room()
        await stub.run("limit")
        client = await connect(stub)
        client.send("hang")
        await h.clock.advance(1.999)
        assert await stub.listed() == [None]
        await h.clock.advance(0.001)
        with pytest.raises(DurableObjectError, match="exceeded event execution time") as error:
            await stub.listed()
        assert error.value.durable_object_reset
        assert (await close_of(client))[0] == 1_006
        assert await h.room().listed() == []


@shows(TIMEOUT)
async def test_the_event_timeout_is_for_one_run_of_a_handler() -> None:
    """Many short ones in a row are fine, and so is a long call that is no socket event."""
    go_on = anyio.Event()

    @script
    def limit(actor: Room) -> None:
        actor.ctx.set_hibernatable_web_socket_event_timeout(1_000)

    @script
    async def long_call(actor: Room) -> None:
        await go_on.wait()

    @script
    def message(actor: Room, ws: WebSocket, data: str) -> None:
        ws.send(data)

    async with hall() as h:
        await h.room().run("limit")
        client = await connect(h.room())
        async with anyio.create_task_group() as group:
            group.start_soon(h.room().run, "long_call")
            for number in range(5):
                client.send(f"{number}")
                assert await client.receive() == f"{number}"
                await h.clock.advance(0.9)
            go_on.set()
