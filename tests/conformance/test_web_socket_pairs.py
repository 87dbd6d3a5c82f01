"""WebSockets: pairs and the standard API.

semantics.md 7.1: two ends, one of which leaves in a response; `accept()` and what it gives.
"""

from __future__ import annotations

from typing import Any

import pytest

from roomhost.runtime import (
    Request,
    Response,
    WebSocket,
    WebSocketClosed,
    WebSocketPair,
)

from ..helpers.scripted import script
from .feature import Feature, shows
from .sockets import CLOSED, CLOSING, OPEN, Room, close_of, connect, hall

pytestmark = pytest.mark.anyio

PAIR = Feature("WebSocketPair", "7.1")
RESPONSE = Feature("new Response(null, {status: 101, webSocket})", "7.1")
ACCEPT = Feature("ws.accept()", "7.1")
EVENTS = Feature(
    "ws.addEventListener: message, close",
    "7.1",
    differs="`await ws.receive()` or `async for`; the end raises WebSocketClosed, or ends the loop",
)
UNACCEPTED = Feature("ws.send before accept()", "7.1")
EARLY = Feature("ws.send before the 101 is returned", "7.1")
SEND = Feature("ws.send: text and bytes", "7.1")
AFTER_CLOSE = Feature("ws.send after ws.close", "7.1")
GONE = Feature("ws.send to a peer that is gone", "7.1")
PINS = Feature("ws.accept(): keeps the object in memory", "3.5, 7.1")
STATE = Feature("ws.readyState", "7.1, 7.7")
URL = Feature("ws.url, ws.protocol", "7.9")
UPGRADE = Feature("fetch that raises instead of upgrading", "9.8")
OUTGOING = Feature(
    "new WebSocket(url)",
    "7.9, 9.8",
    missing="there is no outgoing client; a WebSocket comes from WebSocketPair or a response",
)
BINARY_TYPE = Feature("ws.binaryType", "9.8", missing="a binary message is always `bytes`")
HALF_OPEN = Feature(
    "ws.accept({allowHalfOpen: true})",
    "7.7, 9.8",
    missing="a close is always answered; the argument is a TypeError",
)


def pair_of_open_ends() -> tuple[WebSocket, WebSocket]:
    """Both accepted."""
    client, server = WebSocketPair()
    client.accept()
    server.accept()
    return client, server


@shows(PAIR)
async def test_a_pair_is_two_ends() -> None:
    """Members 0 and 1, by name and by unpacking; unaccepted, with no url yet."""
    pair = WebSocketPair()
    client, server = pair
    assert (pair[0], pair[1]) == (pair.client, pair.server) == (client, server)
    assert client is not server
    assert (client.ready_state, client.url, client.protocol) == (0, None, None)


@shows(RESPONSE)
async def test_one_end_leaves_in_a_response_of_status_101() -> None:
    """With another status, without an end, or with one that is taken, there is no response."""
    pair = WebSocketPair()
    with pytest.raises(ValueError, match="101"):
        Response(status=200, web_socket=pair.client)
    with pytest.raises(ValueError, match="101"):
        Response(status=101)
    assert Response(status=101, web_socket=pair.client).web_socket is pair.client
    with pytest.raises(TypeError, match="Response"):
        Response(status=101, web_socket=pair.client)


@shows(UNACCEPTED)
async def test_an_end_that_is_not_accepted_cannot_send_close_or_receive() -> None:
    """The error says which calls are missing."""
    client, _ = WebSocketPair()
    with pytest.raises(TypeError, match=r"accept\(\) or state.acceptWebSocket\(\)"):
        client.send("too early")
    with pytest.raises(TypeError, match=r"accept\(\) or state.acceptWebSocket\(\)"):
        client.close(1_000)
    with pytest.raises(TypeError, match="accept"):
        await client.receive()


@shows(ACCEPT, SEND)
async def test_text_and_bytes_arrive_as_they_were_sent() -> None:
    """Each with its type, empty ones too, in order, in both directions."""
    client, server = pair_of_open_ends()
    messages: list[str | bytes] = ["text", b"bytes", "", b"", "größe 🙂", bytes(range(256))]
    for sender, receiver in ((client, server), (server, client)):
        for message in messages:
            sender.send(message)
        assert [await receiver.receive() for _ in messages] == messages


@pytest.mark.parametrize(
    ("text", "arrives"),
    [
        ("a\ud800b", "a\ufffdb"),
        ("\udc00", "\ufffd"),
        ("\ud83d\ude42", "🙂"),
        ("é\ufffd", "é\ufffd"),
    ],
    ids=ascii,
)
@shows(SEND)
async def test_half_of_a_surrogate_pair_is_sent_as_a_replacement_character(
    text: str, arrives: str
) -> None:
    """As in JavaScript: `json.loads` makes such text, and UTF-8 has no way to write it."""
    client, server = pair_of_open_ends()
    client.send(text)
    client.close(4_000, text)
    assert await server.receive() == arrives
    assert await close_of(server) == (4_000, arrives, True)


@shows(SEND)
async def test_a_buffer_is_sent_as_it_is_at_the_call() -> None:
    """`bytearray` and `memoryview` are bytes; changing them afterwards changes no message."""
    client, server = pair_of_open_ends()
    buffer = bytearray(b"now")
    buffers: list[Any] = [buffer, memoryview(buffer)]
    for each in buffers:
        client.send(each)
    buffer[:] = b"too"
    assert [await server.receive(), await server.receive()] == [b"now", b"now"]


@pytest.mark.parametrize("value", [None, 1, 1.5, ["a"], {"a": 1}], ids=repr)
@shows(SEND)
async def test_nothing_else_can_be_sent(value: Any) -> None:
    """A TypeError, and the connection stands."""
    client, server = pair_of_open_ends()
    with pytest.raises(TypeError, match="str or bytes"):
        client.send(value)
    client.send("still open")
    assert await server.receive() == "still open"


@shows(ACCEPT)
async def test_accept_twice_is_accept() -> None:
    """What waits is not lost by it."""
    client, server = pair_of_open_ends()
    client.send("waiting")
    server.accept()
    assert await server.receive() == "waiting"


@shows(EVENTS)
async def test_messages_are_iterated_until_the_close() -> None:
    """The loop ends with the connection, after everything sent before."""
    client, server = pair_of_open_ends()
    for number in range(5):
        server.send(f"{number}")
    server.close(1_000, "that was all")
    assert [message async for message in client] == ["0", "1", "2", "3", "4"]
    for _ in range(2):
        with pytest.raises(WebSocketClosed) as closed:
            await client.receive()
        assert (closed.value.code, closed.value.reason) == (1_000, "that was all")
        assert closed.value.was_clean


@shows(EARLY)
async def test_what_was_sent_before_the_upgrade_arrives_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An object greets its client inside `fetch`."""

    async def fetch(self: Room, request: Request) -> Response:
        client, server = WebSocketPair()
        self.ctx.accept_web_socket(server)
        server.send("welcome")
        server.send(b"\x01")
        return Response(status=101, web_socket=client)

    monkeypatch.setattr(Room, "fetch", fetch)
    async with hall() as h:
        client = await connect(h.room())
        assert [await client.receive(), await client.receive()] == ["welcome", b"\x01"]


@shows(AFTER_CLOSE)
async def test_nothing_is_sent_after_a_close_of_ones_own() -> None:
    """A TypeError; a second close is ignored."""
    client, server = pair_of_open_ends()
    server.close(4_000, "first")
    server.close(4_001, "second")
    with pytest.raises(TypeError, match=r"send\(\) after close\(\)"):
        server.send("too late")
    assert await close_of(client) == (4_000, "first", True)


@shows(GONE)
async def test_a_message_to_a_peer_that_is_gone_is_dropped() -> None:
    """Silently: the sender may learn of the loss only later."""
    client, server = pair_of_open_ends()
    client.terminate()
    server.send("anybody there?")
    assert (await close_of(server))[0] == 1_006


@shows(STATE)
async def test_the_ready_state_goes_from_open_to_closed() -> None:
    """CLOSING while the answer to a close is out; here the other end's object has not run yet."""
    async with hall() as h:
        client = await connect(h.room())
        states: list[int] = [client.ready_state]
        client.close(1_000)
        states.append(client.ready_state)
        await close_of(client)
        states.append(client.ready_state)
        assert states == [OPEN, CLOSING, CLOSED]


@shows(URL)
async def test_both_ends_know_the_request_and_the_protocol() -> None:
    """The URL that was fetched, and the subprotocol of the response."""

    @script
    def ends(actor: Room) -> list[Any]:
        return [[ws.url, ws.protocol] for ws in actor.ctx.get_web_sockets()]

    async with hall() as h:
        client = await connect(h.room(), who="ann", protocol="v2")
        ours = [client.url, client.protocol]
        assert ours == ["http://rooms/ann?who=ann&protocol=v2", "v2"]
        assert await h.room().run("ends") == [ours]


@shows(PINS)
async def test_a_socket_accepted_by_accept_keeps_the_object_in_memory() -> None:
    """Until it closes, however long; then the usual ten seconds pass."""
    kept: list[WebSocketPair] = []

    @script
    def hold(actor: Room) -> None:
        kept.append(WebSocketPair())
        kept[0].server.accept()

    async with hall() as h:
        await h.room().run("hold")
        await h.clock.advance(3_600)
        assert h.awake == 1
        kept[0].client.accept()
        kept[0].client.close(1_000)
        await h.clock.advance(10)
        assert h.awake == 0


@shows(ACCEPT, PINS)
async def test_accepting_an_end_that_was_closed_before_answers_the_close() -> None:
    """The other end learns that it is over, and the object does not stay in memory for it."""

    @script
    async def accept_late(actor: Room) -> list[Any]:
        client, server = WebSocketPair()
        client.accept()
        client.close(4_000, "changed my mind")
        server.accept()
        return [await close_of(server), await close_of(client)]

    async with hall() as h:
        ends = await h.room().run("accept_late")
        assert ends == [(4_000, "changed my mind", True)] * 2
        await h.clock.advance(10)
        assert h.awake == 0


@shows(PAIR, EVENTS)
async def test_an_object_is_a_client_of_another_one() -> None:
    """The response of a stub's fetch carries the socket into an actor as well."""

    @script
    def message(actor: Room, ws: WebSocket, data: str) -> None:
        ws.send(f"{actor.ctx.id.name} got {data}")

    @script
    async def ask(actor: Room) -> str | bytes:
        client = await connect(actor.env.ROOM.get_by_name("b"))
        client.send("a question")
        answer = await client.receive()
        client.close()
        return answer

    async with hall() as h:
        assert await h.room("a").run("ask") == "b got a question"


@shows(UPGRADE)
async def test_a_fetch_that_raises_after_it_accepted_rejects_the_upgrade(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The caller gets the exception; the object stands."""

    async def fetch(self: Room, request: Request) -> Response:
        self.ctx.accept_web_socket(WebSocketPair().server)
        raise ValueError("no room left")

    monkeypatch.setattr(Room, "fetch", fetch)
    async with hall() as h:
        with pytest.raises(ValueError, match="no room left"):
            await connect(h.room())
        assert await h.room().get("anything") is None


@shows(OUTGOING)
async def test_there_is_no_outgoing_client() -> None:
    """Said at once."""
    outgoing: Any = WebSocket
    with pytest.raises(TypeError):
        outgoing("ws://example.com")


@shows(BINARY_TYPE)
async def test_there_is_no_binary_type() -> None:
    """Neither to read nor to set."""
    ws: Any = WebSocketPair().client
    assert not hasattr(ws, "binary_type")
    with pytest.raises(AttributeError):
        ws.binary_type = "blob"


@shows(HALF_OPEN)
async def test_there_is_no_half_open_connection() -> None:
    """The option is refused by name."""
    ws: Any = WebSocketPair().client
    with pytest.raises(TypeError, match="allow_half_open"):
        ws.accept(allow_half_open=True)
