"""WebSockets in process, as semantics.md 7 has them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from roomhost.bindings import DurableObjectStub
from roomhost.runtime import (
    DataCloneError,
    DurableObjectError,
    LimitError,
    Request,
    Response,
    WebSocket,
    WebSocketClosed,
    WebSocketPair,
    WebSocketRequestResponsePair,
)
from roomhost.runtime.testing import ManualClock, host_for
from roomhost.runtime.web_socket import ReadyState

from ..helpers.scripted import Scripted, app, script

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """`fetch` accepts a socket, with the tags of `?tags=a,b` and the attachment `?name=`."""

    async def fetch(self: Scripted, request: Request) -> Response:
        pair = WebSocketPair()
        tags = request.query_params.get("tags", "")
        self.ctx.accept_web_socket(pair.server, tags.split(",") if tags else ())
        pair.server.serialize_attachment(request.query_params.get("name"))
        if "greet" in request.query_params:
            pair.server.send("welcome")
        headers = {"sec-websocket-protocol": "chat"}
        return Response(status=101, web_socket=pair.client, headers=headers)

    monkeypatch.setattr(Scripted, "fetch", fetch, raising=False)


async def opened(stub: DurableObjectStub, query: str = "") -> WebSocket:
    """A client end, accepted."""
    response = await stub.fetch(f"http://x/?{query}", headers={"upgrade": "websocket"})
    assert response.status == 101
    assert response.web_socket is not None
    response.web_socket.accept()
    return response.web_socket


def echo(actor: Scripted, ws: WebSocket, message: str | bytes) -> None:
    """Sends back what comes."""
    ws.send(message)


async def test_messages_go_both_ways_in_order() -> None:
    """Text and bytes, those sent before the upgrade returned too; both ends know what opened them."""
    Scripted.scripts["message"] = echo
    async with host_for(app, clock=ManualClock()) as host:
        ws = await opened(host.env.OBJECT.get_by_name("a"), "greet=1")
        sent: list[str | bytes] = ["one", b"two", "größe 🙂", ""]
        for message in sent:
            ws.send(message)
        assert [await ws.receive() for _ in range(5)] == ["welcome", *sent]
        assert (ws.url, ws.protocol, ws.ready_state) == (
            "http://x/?greet=1",
            "chat",
            ReadyState.OPEN,
        )


async def test_a_pair_unpacks_and_its_ends_are_taken_once() -> None:
    """Accepted by an object, or by `accept()`, or used in a response: one of them, once."""

    @script
    async def take(actor: Scripted) -> None:
        first = WebSocketPair()
        client, server = first
        assert (first[0], first[1]) == (client, server) == (first.client, first.server)
        with pytest.raises(TypeError, match=r"must call one of accept\(\)"):
            server.send("too early")
        actor.ctx.accept_web_socket(server)
        with pytest.raises(TypeError, match="after enabling hibernation"):
            server.accept()
        with pytest.raises(DurableObjectError, match="already been accepted or used"):
            actor.ctx.accept_web_socket(client)
        with pytest.raises(DurableObjectError, match="already been accepted or used"):
            actor.ctx.accept_web_socket(server)

        second = WebSocketPair()
        second.server.accept()
        with pytest.raises(DurableObjectError, match=r"already accepted via `accept\(\)`"):
            actor.ctx.accept_web_socket(second.server)
        Response(status=101, web_socket=second.client)
        with pytest.raises(TypeError, match="in a Response"):
            Response(status=101, web_socket=second.client)
        second.server.close()

    async with host_for(app, clock=ManualClock()) as host:
        await host.env.OBJECT.get_by_name("a").run("take")


async def test_limits_of_tags_and_attachments() -> None:
    """Each error names its limit; nothing is accepted, the actor lives."""

    @script
    async def limits(actor: Scripted) -> int:
        accept = actor.ctx.accept_web_socket
        with pytest.raises(LimitError, match="cannot have more than 10 tags"):
            accept(WebSocketPair().server, [str(number) for number in range(12)])
        with pytest.raises(LimitError, match="longer than the max tag length"):
            accept(WebSocketPair().server, ["é" * 129])
        with pytest.raises(TypeError, match="tags are a list"):
            accept(WebSocketPair().server, "tag")
        ws = WebSocketPair().server
        with pytest.raises(DurableObjectError, match="before attempting to access the tags"):
            actor.ctx.get_tags(ws)
        accept(ws, ["a", "a", "", *(str(number) for number in range(8))])
        assert actor.ctx.get_tags(ws) == ["a", "", *(str(number) for number in range(8))]
        with pytest.raises(
            LimitError, match=r"larger than 16384 bytes.'attachment' was 17\d{3} bytes"
        ):
            ws.serialize_attachment(b"x" * 17 * 1024)
        with pytest.raises(DataCloneError):
            ws.serialize_attachment(object())
        assert ws.deserialize_attachment() is None
        value = {"list": [1]}
        ws.serialize_attachment(value)
        value["list"].append(2)
        ws.deserialize_attachment()["list"].append(3)
        assert ws.deserialize_attachment() == {"list": [1]}
        return len(actor.ctx.get_web_sockets())

    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.OBJECT.get_by_name("a")
        assert await stub.run("limits") == 1
        assert await stub.run("limits") == 2


async def test_sockets_are_listed_newest_first_and_by_tag_oldest_first() -> None:
    """An unknown tag has none."""

    @script
    async def names(actor: Scripted, tag: str | None = None) -> list[str]:
        return [ws.deserialize_attachment() for ws in actor.ctx.get_web_sockets(tag)]

    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.OBJECT.get_by_name("a")
        for name, tags in (("1", "x"), ("2", "y"), ("3", "x,y"), ("4", "")):
            await opened(stub, f"name={name}&tags={tags}")
        assert await stub.run("names") == ["4", "3", "2", "1"]
        assert await stub.run("names", "x") == ["1", "3"]
        assert await stub.run("names", "z") == []


async def test_a_hibernating_room_keeps_its_sockets_and_wakes_for_a_message() -> None:
    """Tags, attachment, url and auto-response stay; memory is gone; the constructor ran first."""
    instances: list[int] = []

    @script
    async def message(actor: Scripted, ws: WebSocket, data: str) -> None:
        instances.append(id(actor))
        assert actor.ctx.get_web_sockets() == [ws]
        ws.send(
            f"{data} {ws.deserialize_attachment()} {actor.ctx.get_tags(ws)} {actor.ctx.id.name}"
        )

    @script
    async def auto(actor: Scripted) -> None:
        actor.ctx.set_web_socket_auto_response(WebSocketRequestResponsePair("ping", "pong"))

    clock = ManualClock()
    async with host_for(app, clock=clock) as host:
        stub = host.env.OBJECT.get_by_name("room")
        await stub.run("auto")
        ws = await opened(stub, "name=ann&tags=t")
        await clock.advance(10)
        assert host.statistics().activations == 0
        assert host.statistics().web_sockets == 1
        ws.send("ping")
        assert await ws.receive() == "pong"
        assert host.statistics().activations == 0, "an auto-response wakes nobody"
        ws.send("hello")
        assert await ws.receive() == "hello ann ['t'] room"
        assert await host.evict(stub)
        ws.send("again")
        assert await ws.receive() == "again ann ['t'] room"
        assert len(instances) == 2


async def test_a_thousand_idle_sockets_hold_no_actor_in_memory() -> None:
    """And each is still there when a message comes."""
    Scripted.scripts["message"] = echo
    clock = ManualClock()
    async with host_for(app, clock=clock) as host:
        stub = host.env.OBJECT.get_by_name("a")
        clients = [await opened(stub) for _ in range(1_000)]
        await clock.advance(10)
        assert (host.statistics().activations, host.statistics().web_sockets) == (0, 1_000)
        for ws in clients[::100]:
            ws.send("here")
            assert await ws.receive() == "here"


async def test_auto_response_is_exact_has_limits_and_remembers_when() -> None:
    """Text only, 2,048 bytes each way; removed, messages reach the handler again."""
    seen: list[Any] = []
    clock = ManualClock(start_ms=1_700_000_000_000)

    @script
    async def message(actor: Scripted, ws: WebSocket, data: str | bytes) -> None:
        seen.append(data)

    @script
    async def auto(actor: Scripted, request: str | None) -> None:
        pair = None if request is None else WebSocketRequestResponsePair(request, "pong")
        actor.ctx.set_web_socket_auto_response(pair)
        assert actor.ctx.get_web_socket_auto_response() == pair

    @script
    async def when(actor: Scripted) -> Any:
        ws = actor.ctx.get_web_sockets()[0]
        return actor.ctx.get_web_socket_auto_response_timestamp(ws)

    async with host_for(app, clock=clock) as host:
        stub = host.env.OBJECT.get_by_name("a")
        ws = await opened(stub)
        await stub.run("auto", "ping")
        assert await stub.run("when") is None
        for data in ("ping", "ping ", b"ping"):
            ws.send(data)
        assert await ws.receive() == "pong"
        assert await stub.run("when") == datetime.fromtimestamp(1_700_000_000, UTC)
        await stub.run("auto", None)
        ws.send("ping")
        await clock.advance(0)
        assert seen == ["ping ", b"ping", "ping"]
        assert await stub.run("when") == datetime.fromtimestamp(1_700_000_000, UTC)
    for size in (("x" * 2_049, ""), ("", "é" * 1_025)):
        with pytest.raises(LimitError, match="cannot be larger than 2048 bytes"):
            WebSocketRequestResponsePair(*size)


async def test_handlers_of_one_socket_start_in_order_and_overlap_at_real_waits() -> None:
    """The next message comes in as soon as the one before waits for something."""
    order: list[str] = []
    release = anyio.Event()

    @script
    async def message(actor: Scripted, ws: WebSocket, data: str) -> None:
        order.append(f"{data} starts")
        await actor.ctx.storage.put(data, 1)
        order.append(f"{data} stored")
        if data == "first":
            await release.wait()
        order.append(f"{data} ends")

    clock = ManualClock()
    async with host_for(app, clock=clock) as host:
        ws = await opened(host.env.OBJECT.get_by_name("a"))
        ws.send("first")
        ws.send("second")
        await clock.advance(0)
        release.set()
        await clock.advance(0)
        steps = ["first starts", "first stored", "second starts", "second stored", "second ends"]
        assert order == [*steps, "first ends"]


async def test_a_handler_that_raises_keeps_the_socket_and_the_object() -> None:
    """It is logged, and the next message is handled."""

    @script
    async def message(actor: Scripted, ws: WebSocket, data: str) -> None:
        if data == "bad":
            raise ValueError("bad message")
        ws.send(data)

    async with host_for(app, clock=ManualClock()) as host:
        ws = await opened(host.env.OBJECT.get_by_name("a"))
        ws.send("bad")
        ws.send("good")
        assert await ws.receive() == "good"


async def test_a_close_by_the_client_reaches_the_handler_and_is_answered() -> None:
    """With the code it had; the handler's own close decides, else the code is echoed."""
    closes: list[Any] = []

    @script
    async def close(
        actor: Scripted, ws: WebSocket, code: int, reason: str, was_clean: bool
    ) -> None:
        before = len(actor.ctx.get_web_sockets())
        assert ws.ready_state is ReadyState.CLOSING
        ws.send("a last word")
        await anyio.lowlevel.checkpoint()
        closes.append((code, reason, was_clean, before, len(actor.ctx.get_web_sockets())))
        if reason == "answer me":
            ws.close(4_001, "answered")

    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.OBJECT.get_by_name("a")
        for code, reason, answer in (
            (1_000, "bye", (1_000, "bye")),
            (4_000, "answer me", (4_001, "answered")),
            (None, None, (1_005, "")),
        ):
            ws = await opened(stub)
            ws.close(code, reason)
            assert ws.ready_state is ReadyState.CLOSING
            with pytest.raises(TypeError, match=r"send\(\) after close\(\)"):
                ws.send("too late")
            assert await ws.receive() == "a last word"
            with pytest.raises(WebSocketClosed) as closed:
                await ws.receive()
            assert (closed.value.code, closed.value.reason) == answer
            state: ReadyState = ws.ready_state
            assert state is ReadyState.CLOSED
        assert closes == [
            (1_000, "bye", True, 1, 0),
            (4_000, "answer me", True, 1, 0),
            (1_005, "", True, 1, 0),
        ]
        assert host.statistics().web_sockets == 0


async def test_a_close_by_the_object_ends_the_client_and_comes_back() -> None:
    """The client's echo is the close event; the iterator of messages just ends."""
    closes: list[Any] = []

    @script
    async def message(actor: Scripted, ws: WebSocket, data: str) -> None:
        ws.send("bye")
        ws.close(4_002, "enough")
        ws.close(4_003, "ignored")

    @script
    async def close(
        actor: Scripted, ws: WebSocket, code: int, reason: str, was_clean: bool
    ) -> None:
        closes.append((code, reason, was_clean, ws.ready_state, len(actor.ctx.get_web_sockets())))

    clock = ManualClock()
    async with host_for(app, clock=clock) as host:
        ws = await opened(host.env.OBJECT.get_by_name("a"))
        ws.send("go")
        assert [message async for message in ws] == ["bye"]
        with pytest.raises(WebSocketClosed, match="4002 enough"):
            await ws.receive()
        await clock.advance(0)
        assert closes == [(4_002, "enough", True, ReadyState.CLOSED, 0)]


async def test_a_lost_connection_is_1006_and_unclean() -> None:
    """Sends to it are ignored."""
    closes: list[Any] = []

    @script
    async def close(
        actor: Scripted, ws: WebSocket, code: int, reason: str, was_clean: bool
    ) -> None:
        ws.send("into the void")
        closes.append((code, reason, was_clean))

    clock = ManualClock()
    async with host_for(app, clock=clock) as host:
        ws = await opened(host.env.OBJECT.get_by_name("a"))
        ws.terminate()
        await clock.advance(0)
        assert closes == [(1_006, "WebSocket disconnected without sending Close frame.", False)]
        assert host.statistics().web_sockets == 0


async def test_the_answer_to_a_close_never_comes_within_the_call_that_closes() -> None:
    """The rest of that turn finds its socket CLOSING, and listed."""
    seen: list[Any] = []

    @script
    async def message(actor: Scripted, ws: WebSocket, data: str) -> None:
        ws.close(4_000)
        seen.append((ws.ready_state, len(actor.ctx.get_web_sockets())))

    clock = ManualClock()
    async with host_for(app, clock=clock) as host:
        ws = await opened(host.env.OBJECT.get_by_name("a"))
        ws.send("close")
        await clock.advance(0)
        assert seen == [(ReadyState.CLOSING, 1)]
        assert host.statistics().web_sockets == 0


@pytest.mark.parametrize(
    ("code", "reason", "match"),
    [
        (999, None, "Invalid WebSocket close code: 999"),
        (1_004, None, "close code"),
        (1_005, None, "close code"),
        (1_006, None, "close code"),
        (1_015, None, "close code"),
        (5_000, None, "close code"),
        (None, "why", "must also specify a code"),
        (1_000, "é" * 62, "longer than 123 bytes, it is 124"),
    ],
)
async def test_what_may_not_stand_in_a_close_frame(code: Any, reason: Any, match: str) -> None:
    """A ValueError; the socket stays open."""
    Scripted.scripts["message"] = echo
    async with host_for(app, clock=ManualClock()) as host:
        ws = await opened(host.env.OBJECT.get_by_name("a"))
        with pytest.raises(ValueError, match=match):
            ws.close(code, reason)
        ws.send("open")
        assert await ws.receive() == "open"


async def test_a_reset_drops_every_socket() -> None:
    """With 1006 and no close handler; the new instance has none."""
    closes: list[Any] = []

    @script
    async def message(actor: Scripted, ws: WebSocket, data: str) -> None:
        actor.ctx.abort("gone")

    @script
    async def close(actor: Scripted, *arguments: Any) -> None:
        closes.append(arguments)

    @script
    async def count(actor: Scripted) -> int:
        return len(actor.ctx.get_web_sockets())

    clock = ManualClock()
    async with host_for(app, clock=clock) as host:
        stub = host.env.OBJECT.get_by_name("a")
        clients = [await opened(stub) for _ in range(3)]
        clients[0].send("abort")
        for ws in clients:
            with pytest.raises(WebSocketClosed) as closed:
                await ws.receive()
            assert (closed.value.code, closed.value.was_clean) == (1_006, False)
            assert closed.value.reason == "WebSocket disconnected without sending Close frame."
        await clock.advance(0)
        assert closes == []
        assert await host.env.OBJECT.get_by_name("a").run("count") == 0


async def test_a_handler_that_takes_too_long_resets_the_object() -> None:
    """By the event time-out, which has limits."""

    @script
    async def timeout(actor: Scripted, ms: int | None) -> Any:
        actor.ctx.set_hibernatable_web_socket_event_timeout(ms)
        return actor.ctx.get_hibernatable_web_socket_event_timeout()

    @script
    async def message(actor: Scripted, ws: WebSocket, data: str) -> None:
        await anyio.sleep_forever()

    clock = ManualClock()
    async with host_for(app, clock=clock) as host:
        stub = host.env.OBJECT.get_by_name("a")
        with pytest.raises(LimitError, match="604800000"):
            await stub.run("timeout", 604_800_001)
        with pytest.raises(TypeError, match="negative"):
            await stub.run("timeout", -1)
        assert [await stub.run("timeout", ms) for ms in (0, None, 500)] == [None, None, 500]
        ws = await opened(stub)
        ws.send("hang")
        await clock.advance(0.5)
        with pytest.raises(DurableObjectError, match="exceeded event execution time"):
            await stub.run("timeout", None)
        with pytest.raises(WebSocketClosed):
            await ws.receive()


async def test_a_reader_that_is_too_slow_is_closed_and_slows_nobody() -> None:
    """With 1013, when what waits for it is more than the limit; the others get everything."""

    @script
    async def one(actor: Scripted) -> None:
        for ws in actor.ctx.get_web_sockets():
            ws.send(b"x" * 1024 * 1024)

    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.OBJECT.get_by_name("a")
        slow, fast = await opened(stub, "name=slow"), await opened(stub, "name=fast")
        got = 0

        async def read() -> None:
            nonlocal got
            async for _ in fast:
                got += 1
                if got == 20:
                    return

        async with anyio.create_task_group() as group:
            group.start_soon(read)
            for _ in range(20):
                await stub.run("one")
        assert got == 20
        with pytest.raises(WebSocketClosed, match="1013"):
            await slow.receive()


async def test_a_message_over_the_limit_is_an_error_and_a_close() -> None:
    """32 MiB pass; one byte more is `web_socket_error`, and 1009 at the client."""
    errors: list[str] = []
    sizes: list[int] = []

    @script
    async def message(actor: Scripted, ws: WebSocket, data: bytes) -> None:
        sizes.append(len(data))

    @script
    async def error(actor: Scripted, ws: WebSocket, problem: Exception) -> None:
        errors.append(str(problem))

    limit = 32 * 1024 * 1024
    clock = ManualClock()
    async with host_for(app, clock=clock) as host:
        ws = await opened(host.env.OBJECT.get_by_name("a"))
        ws.send(b"x" * limit)
        ws.send(b"x" * (limit + 1))
        with pytest.raises(WebSocketClosed, match="1009"):
            await ws.receive()
        await clock.advance(0)
        assert (sizes, errors) == ([limit], ["Message is too large"])


async def test_a_standard_socket_keeps_the_instance_until_it_closes() -> None:
    """It cannot hibernate."""

    @script
    async def connect(actor: Scripted) -> None:
        pair = WebSocketPair()
        pair.server.accept()
        kept.append(pair)

    kept: list[WebSocketPair] = []
    clock = ManualClock()
    async with host_for(app, clock=clock) as host:
        await host.env.OBJECT.get_by_name("a").run("connect")
        await clock.advance(3_600)
        assert host.statistics().activations == 1
        kept[0].client.accept()
        kept[0].client.close(1_000)
        await clock.advance(10)
        assert host.statistics().activations == 0


async def test_leaving_the_host_closes_sockets_with_1012() -> None:
    """The client is told to come back; no handler runs for it."""
    closes: list[Any] = []

    @script
    async def close(actor: Scripted, *arguments: Any) -> None:
        closes.append(arguments)

    async with host_for(app, clock=ManualClock()) as host:
        ws = await opened(host.env.OBJECT.get_by_name("a"))
    with pytest.raises(WebSocketClosed, match="1012"):
        await ws.receive()
    assert closes == []
