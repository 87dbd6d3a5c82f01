"""WebSockets: closing.

semantics.md 7.7: who learns what when a connection ends, and what may stand in a close frame.
"""

from __future__ import annotations

from typing import Any

import anyio
import anyio.lowlevel
import pytest

from roomhost.runtime import WebSocket, WebSocketPair

from ..helpers.disk import Disk
from ..helpers.scripted import script
from .feature import Feature, mistake, shows
from .sockets import CLOSED, CLOSING, Room, close_of, connect, hall

pytestmark = pytest.mark.anyio

HANDLER = Feature("webSocketClose(ws, code, reason, wasClean)", "7.6, 7.7")
NO_CODE = Feature("ws.close(): 1005", "7.7")
LOST = Feature("a lost connection: 1006", "7.7")
ANSWER = Feature("ws.close in webSocketClose: what the client receives", "7.7")
ECHO = Feature(
    "automatic reply to Close",
    "7.7",
    differs="the code is echoed after the handler returned, if that did not close: programs "
    "written for either behaviour of Cloudflare work",
)
STATE = Feature("webSocketClose: readyState and send", "7.7")
LISTED = Feature("webSocketClose: getWebSockets", "7.2")
FIRST = Feature("ws.close by the object", "7.7")
CODES = Feature(
    "ws.close: codes", "7.7, 9.8", differs="an InvalidAccessError is a ValueError in Python"
)
REASON = Feature(
    "ws.close: reason of at most 123 bytes", "7.7, 9.8", differs="a SyntaxError is a ValueError"
)
STANDARD = Feature("standard sockets: a Close is answered by itself", "7.7, 9.8")
ORDER = Feature("Close comes after the messages before it", "7.6, 7.7")
GATE = Feature("ws.close: waits for the output gate", "4.4, 9.3")


@mistake(36)
@shows(HANDLER)
async def test_mistake_36_the_handler_gets_the_code_and_the_reason() -> None:
    """Of a client that closed: clean, whatever the code."""
    async with hall() as h:

        @script
        def close(actor: Room, ws: WebSocket, *how: Any) -> None:
            h.heard.append((ws.deserialize_attachment(), *how))

        for who, code, reason in (("ann", 1_000, "bye"), ("bob", 4_321, ""), ("cid", 3_000, "é")):
            client = await connect(h.room(), who=who)
            client.close(code, reason)
            await h.quiet()
        assert h.heard == [
            ("ann", 1_000, "bye", True),
            ("bob", 4_321, "", True),
            ("cid", 3_000, "é", True),
        ]


@mistake(36)
@shows(NO_CODE, LOST)
async def test_mistake_36_no_code_is_1005_and_a_loss_is_1006() -> None:
    """The first is clean, the second is not and has a reason that says so."""
    async with hall() as h:

        @script
        def close(actor: Room, ws: WebSocket, *how: Any) -> None:
            h.heard.append(how)

        bare, lost = await connect(h.room()), await connect(h.room())
        bare.close()
        assert await close_of(bare) == (1_005, "", True)
        lost.terminate()
        await h.quiet()
        assert h.heard == [
            (1_005, "", True),
            (1_006, "WebSocket disconnected without sending Close frame.", False),
        ]
        assert await h.room().listed() == []


@shows(NO_CODE)
async def test_a_close_without_a_code_by_the_object_is_1005_at_the_client() -> None:
    """There is no code to show."""

    @script
    def close_all(actor: Room) -> None:
        for ws in actor.ctx.get_web_sockets():
            ws.close()

    async with hall() as h:
        client = await connect(h.room())
        await h.room().run("close_all")
        assert await close_of(client) == (1_005, "", True)


@shows(ANSWER)
async def test_the_handlers_own_close_is_what_the_client_receives() -> None:
    """At once, or after it has waited for something."""

    @script
    async def close(actor: Room, ws: WebSocket, code: int, *how: Any) -> None:
        if code == 4_002:
            await anyio.lowlevel.checkpoint()
            await actor.put("k", 1)
        ws.close(code + 100, "the object's")

    async with hall() as h:
        for code in (4_001, 4_002):
            client = await connect(h.room())
            client.close(code, "the client's")
            assert await close_of(client) == (code + 100, "the object's", True)


@mistake(36)
@shows(ECHO)
async def test_mistake_36_a_close_that_the_handler_does_not_answer_is_echoed() -> None:
    """After the handler returned, however long that takes; with no handler, at once."""
    go_on = anyio.Event()

    @script
    async def close(actor: Room, ws: WebSocket, *how: Any) -> None:
        await go_on.wait()

    async with hall() as h:
        client = await connect(h.room())
        client.close(4_000, "bye")
        await h.quiet()
        assert client.ready_state == CLOSING
        go_on.set()
        assert await close_of(client) == (4_000, "bye", True)
        deaf = h.host.env.DEAF.get_by_name("a")
        client = await connect(deaf)
        client.close(4_001, "and you")
        assert await close_of(client) == (4_001, "and you", True)
        assert await deaf.count() == 0


@shows(ECHO)
async def test_a_close_is_answered_when_its_handler_raises() -> None:
    """The error is logged, the client does not wait for its own time-out."""

    @script
    def close(actor: Room, ws: WebSocket, *how: Any) -> None:
        raise ValueError("in the close handler")

    async with hall() as h:
        client = await connect(h.room())
        client.close(4_000, "bye")
        assert await close_of(client) == (4_000, "bye", True)
        assert await h.room().listed() == []


@shows(STATE)
async def test_in_the_handler_the_socket_is_closing_and_can_send() -> None:
    """A last word, until the handler closes."""
    async with hall() as h:

        @script
        async def close(actor: Room, ws: WebSocket, *how: Any) -> None:
            h.heard.append(ws.ready_state)
            ws.send("a last word")
            await anyio.lowlevel.checkpoint()
            ws.send("and another")
            ws.close(1_000)
            h.heard.append(ws.ready_state)
            with pytest.raises(TypeError, match=r"send\(\) after close\(\)"):
                ws.send("too late")

        client = await connect(h.room())
        client.close(1_000)
        assert [message async for message in client] == ["a last word", "and another"]
        await h.quiet()
        assert h.heard == [CLOSING, CLOSED]


@shows(LISTED)
async def test_in_the_handler_the_socket_is_listed_until_the_first_wait() -> None:
    """A broadcast that comes after it does not meet the one who left."""
    async with hall() as h:

        @script
        async def close(actor: Room, ws: WebSocket, *how: Any) -> None:
            h.heard.append((await actor.listed(), await actor.listed("t")))
            await anyio.lowlevel.checkpoint()
            h.heard.append((await actor.listed(), await actor.listed("t")))

        client = await connect(h.room(), "t", who="ann")
        await connect(h.room(), "t", who="bob")
        client.close(1_000)
        await h.quiet()
        assert h.heard == [(["bob", "ann"], ["ann", "bob"]), (["bob"], ["bob"])]


@shows(FIRST)
async def test_the_object_closes_first_and_hears_the_answer() -> None:
    """Its handler runs for the client's echo, with nothing left to send."""
    async with hall() as h:

        @script
        def message(actor: Room, ws: WebSocket, data: str) -> None:
            ws.send("goodbye")
            ws.close(4_000, "enough")
            h.heard.append(ws.ready_state)

        @script
        def close(actor: Room, ws: WebSocket, *how: Any) -> None:
            h.heard.append((ws.ready_state, *how))

        client = await connect(h.room())
        client.send("go")
        assert [message async for message in client] == ["goodbye"]
        assert await close_of(client) == (4_000, "enough", True)
        await h.quiet()
        assert h.heard == [CLOSING, (CLOSED, 4_000, "enough", True)]
        assert await h.room().listed() == []


@shows(FIRST)
async def test_a_second_close_is_ignored() -> None:
    """Of the object, and of the client that is answering already."""

    @script
    def close_twice(actor: Room) -> None:
        (ws,) = actor.ctx.get_web_sockets()
        ws.close(4_000, "first")
        ws.close(4_001, "second")

    async with hall() as h:
        client = await connect(h.room())
        await h.room().run("close_twice")
        client.close(4_002, "third")
        assert await close_of(client) == (4_000, "first", True)
        await h.quiet()
        assert await h.room().listed() == []


@shows(FIRST, HANDLER)
async def test_both_ends_may_close_at_once() -> None:
    """Each sees the other's close, and the connection is over."""
    async with hall() as h:

        @script
        def message(actor: Room, ws: WebSocket, data: str) -> None:
            ws.close(4_000, "the object's")

        @script
        def close(actor: Room, ws: WebSocket, *how: Any) -> None:
            h.heard.append(how)

        client = await connect(h.room())
        client.send("close, please")
        client.close(4_001, "the client's")
        assert (await close_of(client))[0] in (4_000, 4_001)
        await h.quiet()
        assert h.heard == [(4_001, "the client's", True)]
        assert await h.room().listed() == []


@pytest.mark.parametrize("code", [1_000, 1_001, 1_002, 1_003, 1_007, 1_014, 1_016, 3_000, 4_999])
@mistake(36)
@shows(CODES)
async def test_mistake_36_these_codes_may_be_sent(code: int) -> None:
    """1000 to 4999 without the four that mean something else."""
    client, server = WebSocketPair()
    for end in (client, server):
        end.accept()
    client.close(code)
    assert (await close_of(server))[0] == code


@pytest.mark.parametrize("code", [-1, 0, 1, 999, 1_004, 1_005, 1_006, 1_015, 5_000, 65_536])
@mistake(36)
@shows(CODES)
async def test_mistake_36_these_codes_may_not_be_sent(code: int) -> None:
    """A ValueError that names the code; the connection stands."""
    client, server = WebSocketPair()
    for end in (client, server):
        end.accept()
    with pytest.raises(ValueError, match=f"Invalid WebSocket close code: {code}"):
        client.close(code)
    client.send("still open")
    assert await server.receive() == "still open"


@pytest.mark.parametrize("code", ["1000", 1_000.0, True], ids=repr)
@shows(CODES)
async def test_a_code_is_a_whole_number(code: Any) -> None:
    """Anything else is a TypeError."""
    client, _ = WebSocketPair()
    client.accept()
    with pytest.raises(TypeError):
        client.close(code)


@pytest.mark.parametrize("reason", ["", "x" * 123, "é" * 61 + "x", "🙂" * 30 + "abc"])
@shows(REASON)
async def test_a_reason_of_123_bytes_arrives(reason: str) -> None:
    """In UTF-8."""
    client, server = WebSocketPair()
    for end in (client, server):
        end.accept()
    client.close(1_000, reason)
    assert await close_of(server) == (1_000, reason, True)


@pytest.mark.parametrize("reason", ["x" * 124, "é" * 62, "🙂" * 31])
@shows(REASON)
async def test_a_longer_reason_is_refused(reason: str) -> None:
    """A ValueError with the limit; the connection stands."""
    client, server = WebSocketPair()
    for end in (client, server):
        end.accept()
    with pytest.raises(ValueError, match="123 bytes"):
        client.close(1_000, reason)
    client.send("still open")
    assert await server.receive() == "still open"


@shows(REASON)
async def test_a_reason_needs_a_code() -> None:
    """A frame cannot have one without the other."""
    client, _ = WebSocketPair()
    client.accept()
    with pytest.raises(ValueError, match="must also specify a code"):
        client.close(reason="because")


@shows(STANDARD)
async def test_a_standard_socket_answers_a_close_by_itself() -> None:
    """It is CLOSED when its owner hears of it; closing it then, or letting it go, does nothing."""
    client, server = WebSocketPair()
    for end in (client, server):
        end.accept()
    client.close(4_000, "bye")
    assert await close_of(server) == (4_000, "bye", True)
    assert await close_of(client) == (4_000, "bye", True)
    server.close(4_001, "ignored")
    assert (client.ready_state, server.ready_state) == (CLOSED, CLOSED)
    assert await close_of(client) == (4_000, "bye", True)


@shows(ORDER)
async def test_everything_sent_before_a_close_arrives_before_it() -> None:
    """At the object and at the client."""
    async with hall() as h:

        @script
        async def message(actor: Room, ws: WebSocket, data: str) -> None:
            h.heard.append(data)
            ws.send(f"got {data}")

        @script
        async def close(actor: Room, ws: WebSocket, *how: Any) -> None:
            h.heard.append("close")

        client = await connect(h.room())
        for data in ("1", "2", "3"):
            client.send(data)
        client.close(1_000)
        assert [message async for message in client] == ["got 1", "got 2", "got 3"]
        assert h.heard == ["1", "2", "3", "close"]


@shows(GATE, ORDER)
async def test_a_client_that_closes_still_gets_what_waits_for_the_disk() -> None:
    """The answer to its close comes behind it."""

    @script
    async def put_and_send(actor: Room) -> None:
        await actor.ctx.storage.put("k", 1)
        for ws in actor.ctx.get_web_sockets():
            ws.send("stored")

    disk = Disk()
    async with hall(wrap_commit=disk.wrap) as h:
        client = await connect(h.room())
        disk.hold()
        async with anyio.create_task_group() as group:
            group.start_soon(h.room().run, "put_and_send")
            await disk.reached()
            client.close(4_000, "bye")
            await anyio.wait_all_tasks_blocked()
            disk.release()
        assert [message async for message in client] == ["stored"]
        assert await close_of(client) == (4_000, "bye", True)


@shows(GATE)
async def test_a_close_waits_for_the_writes_before_it() -> None:
    """As a message does: the client is not told before they are on disk."""

    @script
    async def put_and_close(actor: Room) -> None:
        await actor.ctx.storage.put("k", 1)
        for ws in actor.ctx.get_web_sockets():
            ws.send("stored")
            ws.close(4_000, "stored")

    disk = Disk()
    async with hall(wrap_commit=disk.wrap) as h:
        client = await connect(h.room())
        disk.hold()
        async with anyio.create_task_group() as group:
            group.start_soon(h.room().run, "put_and_close")
            await disk.reached()
            with anyio.move_on_after(0) as waited:
                await client.receive()
            assert waited.cancelled_caught
            disk.release()
        assert await client.receive() == "stored"
        assert await close_of(client) == (4_000, "stored", True)
