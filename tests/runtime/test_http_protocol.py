"""What a client may ask of the server before the application has its request."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from roomhost.runtime import limits
from roomhost.runtime.http_protocol import HttpProtocol
from roomhost.runtime.request_limits import RequestLimits

from ..helpers.manual_loop import ManualLoop

pytestmark = pytest.mark.anyio
LIMITS = RequestLimits(2, 2_048, 20, 20.0, 100_000, 10.0, 100)
GET = b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n"
CHUNKED = b"POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
SIZED = b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n"
UPGRADE = b"GET /x HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nX: "


@pytest.fixture(scope="module")
def anyio_backend() -> Any:
    """A server has asyncio alone."""
    return ("asyncio", {"use_uvloop": False})


class FakeTransport(asyncio.Transport):
    """A client that takes everything."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.ended = self.closed = self.aborted = False
        self.protocol: Any = None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.ended
        self.written += bytes(data)

    def write_eof(self) -> None:
        self.ended = True

    def can_write_eof(self) -> bool:
        return True

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = self.aborted = True

    def is_closing(self) -> bool:
        return self.closed

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def get_protocol(self) -> asyncio.BaseProtocol:
        protocol: asyncio.BaseProtocol = self.protocol
        return protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


@dataclass
class Client:
    """A connection, the loop with its timers, and what the application saw of it."""

    loop: ManualLoop
    transport: FakeTransport
    seen: list[Any]
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    def send(self, data: bytes) -> None:
        """As the event loop gives it to whoever serves the connection."""
        if not self.transport.closed:
            self.transport.protocol.data_received(data)

    async def turn(self) -> None:
        """Until nothing more happens."""
        for _ in range(10):
            await asyncio.sleep(0)

    @property
    def status(self) -> int:
        """Of the only response, which must be whole; 0: none."""
        if not self.transport.written:
            return 0

        head, _, body = self.transport.written.partition(b"\r\n\r\n")
        assert f"content-length: {len(body)}\r\n".encode() in head + b"\r\n"
        return int(head.split()[1])

    @property
    def refused(self) -> dict[str, Any]:
        """The problem that the client was told, after which the connection ends."""
        assert b"connection: close" in self.transport.written
        assert self.transport.ended
        problem: dict[str, Any] = json.loads(self.transport.written.partition(b"\r\n\r\n")[2])
        return problem


Connect = Callable[..., Client]


@pytest.fixture
async def connect() -> Connect:
    """Opens a connection to a server of LIMITS, or of some others."""
    state, loop = ServerState(), ManualLoop()

    def open_one(**changed: Any) -> Client:
        client = Client(loop, FakeTransport(), [])
        config = uvicorn.Config(
            partial(application, client),
            interface="asgi3",
            ws="none",
            log_level="warning",
            proxy_headers=False,
        )
        client.transport.protocol = HttpProtocol(
            config=config,
            server_state=state,
            app_state={},
            limits=LIMITS._replace(**changed),
            _loop=loop,
        )
        client.transport.protocol.connection_made(client.transport)
        return client

    return open_one


async def application(client: Client, scope: Any, receive: Any, send: Any) -> None:
    """Reads the body, unless the path says to wait, and answers."""
    client.seen.append(scope["path"])
    if scope["path"] == "/wait":
        await client.go_on.wait()
    if scope["path"] == "/x":
        more = scope["method"] == "POST"
        while more:
            message = await receive()
            client.seen.append(message["type"])
            more = message.get("more_body", False)
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]}
    )
    await send({"type": "http.response.body", "body": b"ok"})


async def test_a_request_passes_and_leaves_the_timer_of_keep_alive(connect: Connect) -> None:
    """However often; with a body too."""
    client = connect()
    for request in (GET, SIZED % 2 + b"ab", CHUNKED + b"1\r\na\r\n0\r\n\r\n", GET):
        client.transport.written = b""
        client.send(request)
        await client.turn()
        assert client.status == 200
        assert client.loop.waiting == [limits.KEEP_ALIVE_TIMEOUT_SECONDS]
    client.loop.advance(limits.KEEP_ALIVE_TIMEOUT_SECONDS)
    assert client.transport.closed


async def test_a_client_that_says_nothing_is_hung_up_on(connect: Connect) -> None:
    """Without an answer: it has not asked."""
    client = connect()
    client.loop.advance(LIMITS.header_seconds - 0.1)
    assert not client.transport.closed
    client.loop.advance(0.1)
    assert client.transport.closed
    assert client.transport.written == b""


@pytest.mark.parametrize("first", [b"", GET])
@pytest.mark.parametrize("head", [b"GET /" + b"x" * 50, GET[:-2] + b"X: " + b"y" * 50, UPGRADE])
async def test_headers_that_dribble_are_answered_with_408(
    connect: Connect, first: bytes, head: bytes
) -> None:
    """What comes does not put the end off; of a WebSocket and of a later request too."""
    client = connect()
    client.send(first)
    await client.turn()
    client.transport.written = b""
    for number in range(20):
        client.send(head[number : number + 1])
        assert client.transport.written == b""
        client.loop.advance(1)
    assert client.status == 408
    assert client.refused["code"] == "request_timeout"
    assert client.seen == ["/x"] * bool(first)


async def test_empty_lines_are_no_way_to_stay(connect: Connect) -> None:
    """Before the first request, and between two."""
    for first in (b"", GET):
        client = connect()
        client.send(first)
        await client.turn()
        for _ in range(20):
            client.send(b"\r\n")
            client.loop.advance(1)
        assert client.transport.closed
        client.transport.protocol.connection_lost(None)


@pytest.mark.parametrize("piece", [1_000_000, 1_000, 7])
@pytest.mark.parametrize("start", [b"GET /", GET[:-2] + b"X: ", GET[:-2]])
async def test_too_many_bytes_of_headers_are_answered_with_431(
    connect: Connect, start: bytes, piece: int
) -> None:
    """In whatever pieces they come; the application sees nothing of it, and nothing after is read."""
    client = connect()
    data = start + b"y" * 3_000
    for at in range(0, len(data), piece):
        client.send(data[at : at + piece])
    client.send(b"\r\n\r\n" + GET)
    await client.turn()
    assert client.status == 431
    assert client.refused["code"] == "headers_too_large"
    assert "at most 2048 bytes, and 20 lines" in client.refused["message"]
    assert client.seen == []


async def test_headers_of_just_the_size_pass(connect: Connect) -> None:
    """In one piece and in two; one byte more is refused."""
    for more, split in ((0, 0), (0, 1_000), (1, 1_000), (1, 0)):
        client = connect()
        head = GET[:-2] + b"X: "
        data = head + b"y" * (2_048 - len(head) - 4 + more) + b"\r\n\r\n"
        client.send(data[:split])
        client.send(data[split:])
        await client.turn()
        assert client.status == (431 if more else 200), (more, split)
        client.transport.protocol.connection_lost(None)


async def test_a_body_is_not_taken_for_headers(connect: Connect) -> None:
    """It may be longer than they; the next request has its own."""
    client = connect()
    client.send(SIZED % 50_000 + b"b" * 50_000 + GET)
    await client.turn()
    assert client.transport.written.count(b"HTTP/1.1 200") == 2


async def test_too_many_headers_are_answered_with_431(connect: Connect) -> None:
    """Twenty pass, one more does not, and its body is not looked at."""
    for number, status in ((18, 200), (19, 431)):
        client = connect()
        lines = b"".join(b"a%d: b\r\n" % n for n in range(number))
        client.send((SIZED % 3).replace(b"\r\n\r\n", b"\r\n" + lines + b"\r\n") + b"abc")
        await client.turn()
        assert client.status == status
        assert bool(client.seen) == (status == 200)
        client.transport.protocol.connection_lost(None)


@pytest.mark.parametrize("body", [b"", b"x", b"x" * 1_500])
async def test_a_body_that_is_announced_too_large_is_answered_with_413(
    connect: Connect, body: bytes
) -> None:
    """Before the application sees the request."""
    client = connect()
    client.send(SIZED % 100_001 + body)
    await client.turn()
    assert client.status == 413
    assert client.refused["message"] == "the body of a request is at most 100000 bytes"
    assert client.seen == []


async def test_a_body_that_grows_too_large_is_answered_with_413(connect: Connect) -> None:
    """The application learns that nothing more comes."""
    client = connect()
    client.send(CHUNKED)
    for _ in range(101):
        client.send(b"3e8\r\n" + b"x" * 1_000 + b"\r\n")
        await client.turn()
    assert client.status == 413
    assert client.seen[-1] == "http.disconnect"
    assert "/x" in client.seen


async def test_a_small_body_is_bounded_in_one_piece_too(connect: Connect) -> None:
    """Nothing of it has reached the application yet, and nothing does."""
    client = connect(body_bytes=3)
    client.send(CHUNKED + b"4\r\nabcd\r\n0\r\n\r\n")
    await client.turn()
    assert client.status == 413
    assert client.seen == []


async def test_a_body_that_dribbles_is_answered_with_408(connect: Connect) -> None:
    """One that comes as fast as it must does not; the application learns that nothing more comes."""
    client = connect()
    client.send(SIZED % 3_000)
    await client.turn()
    for _ in range(2):
        for _ in range(10):
            client.send(b"x" * 100)
            await client.turn()
            client.loop.advance(1)
    assert client.status == 0
    for _ in range(10):
        client.send(b"x" * 99)
        await client.turn()
        client.loop.advance(1)
    await client.turn()
    assert client.status == 408
    assert client.refused["message"] == "the body of the request came too slowly"
    assert client.seen[-1] == "http.disconnect"


async def test_a_client_does_not_answer_for_a_slow_reader(connect: Connect) -> None:
    """Nor for one that has not said yet that it wants the body."""
    waiting = connect()
    waiting.send((SIZED % 9).replace(b"/x", b"/wait") + b"abc")
    expecting = connect()
    expecting.send(b"POST /wait HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n")
    await waiting.turn()
    waiting.loop.advance(100)
    assert (waiting.status, expecting.status) == (0, 0)
    for client in (waiting, expecting):
        client.go_on.set()
        await client.turn()
        assert client.status == 200


async def test_a_body_that_nobody_wants_any_more_has_its_time(connect: Connect) -> None:
    """The answer came before; the connection ends without another one."""
    client = connect()
    client.send((SIZED % 9).replace(b"/x", b"/early"))
    await client.turn()
    assert client.status == 200
    for _ in range(21):
        client.send(b"x" if client.loop.time() < 1_003 else b"")
        client.loop.advance(1)
    assert client.status == 200
    assert client.transport.closed


async def test_beyond_the_connections_there_is_503(connect: Connect) -> None:
    """Until one is lost."""
    clients = [connect() for _ in range(3)]
    assert [client.status for client in clients] == [0, 0, 503]
    assert clients[2].refused["retryable"] is True
    for client in clients[1:]:
        client.transport.protocol.connection_lost(None)
    assert connect().status == 0


async def test_what_is_no_http_is_answered_with_400(connect: Connect) -> None:
    """And the connection is dropped a little later, if the client does not leave."""
    client = connect()
    client.send(b"\x16\x03\x01 nonsense\r\n\r\n")
    assert client.status == 400
    assert client.refused["code"] == "bad_request"
    client.loop.advance(limits.LINGER_SECONDS)
    assert client.transport.aborted


async def test_an_answer_under_way_comes_before_the_end(connect: Connect) -> None:
    """A request after it that is refused has no answer of its own, which could be taken for its."""
    client = connect()
    client.send(GET.replace(b"/x", b"/wait"))
    await client.turn()
    client.send(b"nonsense\r\n\r\n")
    assert client.status == 0
    client.go_on.set()
    await client.turn()
    assert client.status == 200
    assert b"connection: close" in client.transport.written
    assert client.transport.closed


async def test_a_body_refused_behind_an_answer_under_way_ends_the_connection(
    connect: Connect,
) -> None:
    """Neither could be told from the other."""
    client = connect()
    client.send(GET.replace(b"/x", b"/wait"))
    await client.turn()
    client.send(SIZED % 100_001)
    assert client.transport.aborted
    assert client.status == 0


async def test_a_connection_that_is_lost_has_no_timers(connect: Connect) -> None:
    """In the headers, in a body, and in its end."""
    for sent in (b"GET", SIZED % 9 + b"a", b"nonsense\r\n\r\n"):
        client = connect()
        client.send(sent)
        await client.turn()
        client.transport.protocol.connection_lost(ConnectionResetError())
        await client.turn()
        assert client.loop.waiting == []


async def test_another_upgrade_is_served_without_it(connect: Connect) -> None:
    """As HTTP/2 by `curl --http2`; the connection ends, because nobody knows what follows."""
    client = connect()
    client.send(GET[:-2] + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
    await client.turn()
    assert client.status == 200
    assert client.transport.closed
