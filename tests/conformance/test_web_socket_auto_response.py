"""WebSockets: auto-response.

semantics.md 7.4: one text that is answered without the object: no handler, no gate, no wake-up.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import pytest

from roomhost.runtime import LimitError, WebSocket, WebSocketRequestResponsePair

from ..helpers.disk import Disk
from ..helpers.scripted import script
from .feature import Feature, mistake, shows
from .sockets import Hall, Room, connect, hall

pytestmark = pytest.mark.anyio

SET = Feature("ctx.setWebSocketAutoResponse(pair)", "7.4")
GET = Feature("ctx.getWebSocketAutoResponse()", "7.4")
UNSET = Feature("ctx.setWebSocketAutoResponse()", "7.4")
EXACT = Feature("auto-response: exact text only", "7.4")
LIMIT = Feature("WebSocketRequestResponsePair: 2,048 bytes each", "7.4")
ASLEEP = Feature("auto-response: without waking the object", "7.4")
KEPT = Feature("auto-response across hibernation", "7.4, 7.9")
TIMESTAMP = Feature("ctx.getWebSocketAutoResponseTimestamp(ws)", "7.4")
GATES = Feature("auto-response: past the gates", "4.2, 4.4, 7.4")
QUEUED = Feature("auto-response: behind sends that wait on its socket", "4.4, 7.4")


@pytest.fixture(autouse=True)
def common(no_scripts: None) -> None:
    """`auto` sets the pair or takes it away, `when` tells the timestamps; `put_and_send` writes,
    then sends to all."""

    @script
    def auto(actor: Room, request: str | None = None, response: str = "pong") -> None:
        if request is None:
            actor.ctx.set_web_socket_auto_response()
        else:
            actor.ctx.set_web_socket_auto_response(WebSocketRequestResponsePair(request, response))

    @script
    def when(actor: Room) -> list[Any]:
        timestamp = actor.ctx.get_web_socket_auto_response_timestamp
        return [timestamp(ws) for ws in actor.ctx.get_web_sockets()]

    @script
    def message(actor: Room, ws: WebSocket, data: str | bytes) -> None:
        ws.send(f"handled {data!r}")

    @script
    async def put_and_send(actor: Room, text: str, tag: str | None = None) -> None:
        await actor.ctx.storage.put("k", text)
        for ws in actor.ctx.get_web_sockets(tag):
            ws.send(text)


async def pinging(h: Hall, **who: str) -> WebSocket:
    """A client of a room that answers ping."""
    await h.room().run("auto", "ping")
    return await connect(h.room(), **who)


@shows(SET)
async def test_the_request_is_answered_without_the_handler() -> None:
    """Each time, on every socket of the object: one pair for all."""
    async with hall() as h:
        early = await connect(h.room())
        late = await pinging(h)
        for client in (early, late, early):
            client.send("ping")
            assert await client.receive() == "pong"


@pytest.mark.parametrize(
    "data", ["ping ", "Ping", "pin", "", "pingping", b"ping", "ping\0"], ids=repr
)
@shows(EXACT)
async def test_anything_else_goes_to_the_handler(data: str | bytes) -> None:
    """Text that is not equal, and bytes that are."""
    async with hall() as h:
        client = await pinging(h)
        client.send(data)
        assert await client.receive() == f"handled {data!r}"


@shows(EXACT)
async def test_any_text_can_be_the_request() -> None:
    """The empty one too, and one that is its own answer."""
    async with hall() as h:
        client = await connect(h.room())
        for request, response in (("", "empty"), ("größe 🙂", "größe 🙂"), ("quiet", "")):
            await h.room().run("auto", request, response)
            client.send(request)
            assert await client.receive() == response


@shows(GET, UNSET)
async def test_the_pair_can_be_read_replaced_and_taken_away() -> None:
    """The last one set is the only one; without one messages reach the handler."""

    @script
    def pair(actor: Room) -> list[str] | None:
        found = actor.ctx.get_web_socket_auto_response()
        return None if found is None else [found.request, found.response]

    async with hall() as h:
        assert await h.room().run("pair") is None
        client = await pinging(h)
        assert await h.room().run("pair") == ["ping", "pong"]
        await h.room().run("auto", "tick", "tock")
        assert await h.room().run("pair") == ["tick", "tock"]
        client.send("ping")
        assert await client.receive() == "handled 'ping'"
        await h.room().run("auto")
        assert await h.room().run("pair") is None
        client.send("tick")
        assert await client.receive() == "handled 'tick'"


@shows(LIMIT)
async def test_request_and_response_have_2048_bytes_each() -> None:
    """UTF-8 bytes, not characters; the error says which of them and how long it was."""
    pair = WebSocketRequestResponsePair("x" * 2_048, "é" * 1_024)
    assert (len(pair.request), len(pair.response)) == (2_048, 1_024)
    with pytest.raises(LimitError, match=r"Request cannot be larger than 2048.* 2049 was provided"):
        WebSocketRequestResponsePair("x" * 2_049, "")
    with pytest.raises(
        LimitError, match=r"Response cannot be larger than 2048.* 2050 was provided"
    ):
        WebSocketRequestResponsePair("", "é" * 1_025)


@mistake(38)
@shows(ASLEEP, KEPT)
async def test_mistake_38_a_sleeping_object_answers_and_sleeps_on() -> None:
    """No constructor runs; awake again, it has the pair still."""
    async with hall() as h:
        client = await pinging(h)
        await h.clock.advance(10)
        assert h.awake == 0
        for _ in range(3):
            client.send("ping")
            assert await client.receive() == "pong"
        await h.quiet()
        assert h.awake == 0
        client.send("wake up")
        assert await client.receive() == "handled 'wake up'"
        client.send("ping")
        assert await client.receive() == "pong"


@shows(ASLEEP)
async def test_pings_do_not_keep_an_object_awake() -> None:
    """It leaves memory ten seconds after its last event, pinged or not."""
    async with hall() as h:
        client = await pinging(h)
        for _ in range(4):
            await h.clock.advance(2.5)
            client.send("ping")
        assert h.awake == 0


@shows(TIMESTAMP)
async def test_the_timestamp_is_that_of_the_last_answer_on_the_socket() -> None:
    """An aware datetime, None for a socket that got none; other messages do not change it."""
    async with hall() as h:
        start = datetime.fromtimestamp(h.clock.now_ms() / 1_000, UTC)
        client = await pinging(h)
        await connect(h.room())
        assert await h.room().run("when") == [None, None]
        client.send("ping")
        await h.clock.advance(5)
        assert await h.room().run("when") == [None, start]
        client.send("ping")
        await h.clock.advance(3)
        client.send("something else")
        await h.quiet()
        assert await h.room().run("when") == [None, start + timedelta(seconds=5)]


@mistake(38)
@shows(TIMESTAMP, KEPT)
async def test_mistake_38_the_timestamp_outlives_the_pair_and_the_instance() -> None:
    """Taken while the object sleeps, it is there when it wakes, and when the pair is gone."""
    async with hall() as h:
        client = await pinging(h)
        await h.clock.advance(60)
        client.send("ping")
        answered = datetime.fromtimestamp(h.clock.now_ms() / 1_000, UTC)
        await h.clock.advance(60)
        assert await h.room().run("when") == [answered]
        await h.room().run("auto")
        await h.host.evict(h.room())
        assert await h.room().run("when") == [answered]


@mistake(10)
@shows(GATES)
async def test_mistake_10_an_auto_response_passes_a_closed_output_gate() -> None:
    """While a reply waits for the disk, the ping is answered."""
    disk = Disk()
    async with hall(wrap_commit=disk.wrap) as h:
        client = await pinging(h)
        disk.hold()
        async with anyio.create_task_group() as group:
            group.start_soon(h.room().put, "k", 1)
            await disk.reached()
            client.send("ping")
            with anyio.fail_after(10):
                assert await client.receive() == "pong"
            disk.release()


@shows(GATES)
async def test_an_auto_response_passes_a_closed_input_gate() -> None:
    """No critical section holds it up."""
    go_on = anyio.Event()

    @script
    async def block(actor: Room) -> None:
        await actor.ctx.block_concurrency_while(go_on.wait)

    async with hall() as h:
        client = await pinging(h)
        async with anyio.create_task_group() as group:
            group.start_soon(h.room().run, "block")
            await anyio.wait_all_tasks_blocked()
            client.send("for the handler")
            client.send("ping")
            assert await client.receive() == "pong"
            go_on.set()
        assert await client.receive() == "handled 'for the handler'"


@shows(QUEUED)
async def test_an_auto_response_comes_after_a_send_that_waits_for_the_disk() -> None:
    """On the same socket; on another one it need not wait."""
    disk = Disk()
    async with hall(wrap_commit=disk.wrap) as h:
        other = await pinging(h)
        client = await connect(h.room(), "told")
        disk.hold()
        async with anyio.create_task_group() as group:
            group.start_soon(h.room().run, "put_and_send", "sent first", "told")
            await disk.reached()
            client.send("ping")
            other.send("ping")
            assert await other.receive() == "pong"
            disk.release()
        assert [await client.receive(), await client.receive()] == ["sent first", "pong"]


@shows(QUEUED)
async def test_changing_the_pair_does_not_change_an_answer_that_waits() -> None:
    """It was decided when the ping came."""
    disk = Disk()
    async with hall(wrap_commit=disk.wrap) as h:
        client = await pinging(h)
        disk.hold()
        async with anyio.create_task_group() as group:
            group.start_soon(h.room().run, "put_and_send", "sent first")
            await disk.reached()
            client.send("ping")
            group.start_soon(h.room().run, "auto", "ping", "another answer")
            await anyio.wait_all_tasks_blocked()
            disk.release()
        client.send("ping")
        received = [await client.receive() for _ in range(3)]
        assert received == ["sent first", "pong", "another answer"]


@shows(QUEUED, KEPT)
async def test_an_answer_that_waits_is_delivered_though_the_object_leaves_memory() -> None:
    """As is the send that it waits behind: nothing in flight is lost in hibernation."""
    disk = Disk()
    async with hall(wrap_commit=disk.wrap) as h:
        client = await pinging(h)
        disk.hold()
        async with anyio.create_task_group() as group:
            group.start_soon(h.room().run, "put_and_send", "sent first")
            await disk.reached()
            client.send("ping")
            group.start_soon(h.host.evict, h.room())
            await anyio.wait_all_tasks_blocked()
            disk.release()
        assert h.awake == 0
        client.send("ping")
        assert [await client.receive() for _ in range(3)] == ["sent first", "pong", "pong"]


@shows(SET)
async def test_answers_and_sends_of_the_object_all_arrive() -> None:
    """Interleaved; each kind keeps its own order."""
    async with hall() as h:
        client = await pinging(h)
        for number in range(50):
            client.send("ping")
            client.send(f"{number}")
        received = [await client.receive() for _ in range(100)]
        assert received.count("pong") == 50
        assert [text for text in received if text != "pong"] == [
            f"handled '{number}'" for number in range(50)
        ]
