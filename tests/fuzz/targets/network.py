"""What comes over a connection before anybody knows who sent it: HTTP, and frames of WebSockets."""

from __future__ import annotations

import asyncio
import re
from typing import Any, NamedTuple

import h11
import uvicorn
from hypothesis import strategies as st
from uvicorn.server import ServerState
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request

from roomhost.runtime.close import POLICY_VIOLATION
from roomhost.runtime.direct_protocol import FrameProtocol
from roomhost.runtime.http_protocol import HttpProtocol
from roomhost.runtime.limits import SMALL_FRAMES_BURST
from roomhost.runtime.request_limits import RequestLimits
from roomhost.runtime.server_protocol import WebSocketProtocol

from ..grammar import broken, near
from ..played import PlayedLoop, PlayedTransport, turn
from ..target import Target, demand

LIMITS = RequestLimits(100, 8_192, 50, 20.0, 60_000, 10.0, 100)
STATUSES = (100, 200, 400, 408, 413, 431, 503)
ABSOLUTE = re.compile(rb"^[A-Za-z]+://[^/?#]*")
MAX_TURNS = 20_000  # until every request that came is answered
MAX_SIZE = 5_000  # of a message
SMALLEST_FRAME = 6  # bytes: with a mask and nothing in it
UPGRADE = (
    b"GET /x HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


class Seen(NamedTuple):
    """A request as an application saw the whole of it."""

    method: str
    target: bytes
    body: bytes


def pieces(data: bytes) -> tuple[bytes, list[bytes]]:
    """An input, and it as it comes over the network: in pieces of so many bytes as the first says."""
    size = data[0] or 65_536 if data else 1
    rest = data[1:]
    return rest, [rest[at : at + size] for at in range(0, len(rest), size)]


def run_http(data: bytes) -> None:
    """Requests are the same in whatever pieces they come; another strict parser reads the same ones;
    none has two lengths; and what is no request is answered with a status there is, and the end."""
    sent, parts = pieces(data)
    seen: list[list[Seen]] = []
    ends: list[bool] = []
    for each in ([sent], parts):
        got: list[Seen] = []
        PlayedLoop.run(_serve(each, got, ends))
        seen.append(got)
    # What is wrong ends the connection, and those requests with it that wait for an answer.
    both = slice(min(map(len, seen)) if any(ends) else None)
    demand(seen[0][both] == seen[1][both], "other requests in other pieces", *seen)
    # Of two parsers in a row the second must see no request that the first did not.
    for ours, theirs in zip(seen[0], _by_h11(sent), strict=False):
        demand(ours == theirs, "another parser sees another request", ours, theirs)


async def _serve(parts: list[bytes], seen: list[Seen], ends: list[bool]) -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        body = b""
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
        headers = [name for name, _ in scope["headers"]]
        sized = b"content-length" in headers and b"transfer-encoding" in headers
        demand(not sized, "a request with two lengths", scope["headers"])
        demand(len(headers) <= LIMITS.headers, "more headers than may be", len(headers))
        demand(len(body) <= LIMITS.body_bytes, "a larger body than may be", len(body))
        target = scope["raw_path"] + (
            b"?" + scope["query_string"] if scope["query_string"] else b""
        )
        seen.append(Seen(scope["method"], target, body))
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]}
        )
        await send({"type": "http.response.body", "body": b""})

    transport = PlayedTransport()
    config = uvicorn.Config(
        application,
        interface="asgi3",
        ws="none",
        log_config=None,
        log_level="error",
        proxy_headers=False,
    )
    state = ServerState()
    protocol = HttpProtocol(config=config, server_state=state, app_state={}, limits=LIMITS)
    transport.protocol = protocol
    protocol.connection_made(transport)
    for part in parts:
        if transport.closed:
            break
        transport.protocol.data_received(part)
        await turn(4)
    for _ in range(MAX_TURNS):
        if not state.tasks or not protocol.pipeline:
            break
        await turn()
    await turn()
    ends.append(transport.closed or protocol._refused or transport.protocol is not protocol)
    protocol.connection_lost(None)
    await turn()
    for status in _statuses(bytes(transport.written)):
        demand(status in STATUSES, "a status that nobody documents", status)


def _statuses(written: bytes) -> list[int]:
    parts = written.split(b"HTTP/1.1 ")
    demand(not parts[0], "something before an answer", parts[0][:80])
    return [int(part[:3]) for part in parts[1:]]


def _by_h11(data: bytes) -> list[Seen]:
    """The requests that h11 reads, up to the first thing that it refuses."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=LIMITS.header_bytes)
    found: list[Seen] = []
    method, target, body = "", b"", b""
    connection.receive_data(data)
    try:
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Request):
                method, target, body = event.method.decode(), _path_of(event.target), b""
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                found.append(Seen(method, target, body))
                connection.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
                connection.send(h11.EndOfMessage())
                connection.start_next_cycle()
            else:
                return found
    except h11.ProtocolError:
        return found


def _path_of(target: bytes) -> bytes:
    """What an application is told of a target: without the authority, a `?` before nothing, or a `#`."""
    path = ABSOLUTE.sub(b"", target).partition(b"#")[0]
    return path.removesuffix(b"?") if path.count(b"?") == 1 else path


def run_frames(data: bytes) -> None:
    """An object hears what `websockets` reads of the same bytes, in whatever pieces they come, and a
    client that breaks the protocol is told the same code; but a flood of frames that carry next to
    nothing is ended where it passes its bound."""
    sent, parts = pieces(data)
    messages, code = _by_websockets(sent)
    got: list[str | bytes] = []
    ends: list[int | None] = []
    PlayedLoop.run(_talk(parts, got, ends))
    if ends == [POLICY_VIOLATION]:
        demand(len(sent) > SMALL_FRAMES_BURST * SMALLEST_FRAME, "no flood ended it", len(sent))
        messages, code = messages[: len(got)], POLICY_VIOLATION
    demand(got == messages, "other messages", got, messages)
    demand(ends == [code], "another end", ends, code)


async def _talk(parts: list[bytes], got: list[str | bytes], ends: list[int | None]) -> None:
    over = asyncio.Event()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                ends.append(message["code"])
                over.set()
                return
            text = message.get("text")
            got.append(message["bytes"] if text is None else text)

    transport = PlayedTransport()
    config = uvicorn.Config(
        application,
        interface="asgi3",
        log_config=None,
        ws_max_size=MAX_SIZE,
        ws_per_message_deflate=False,
    )
    config.load()
    protocol = WebSocketProtocol(config, ServerState(), {})
    protocol.connection_made(transport)
    protocol.data_received(UPGRADE)
    await turn()
    for part in parts:
        if transport.closed or over.is_set():
            break
        protocol.data_received(part)
        await turn(3)
    await turn()
    if not over.is_set():
        protocol.connection_lost(None)
        await over.wait()
    for timer in (protocol.close_timer, protocol.ping_timer, protocol.pong_timer):
        if timer is not None:
            timer.cancel()


def _by_websockets(data: bytes) -> tuple[list[str | bytes], int | None]:
    """The messages of a client, and the code that the connection ended with; 1005: it did not."""
    protocol = FrameProtocol(max_size=MAX_SIZE)
    protocol.receive_data(UPGRADE)
    for request in protocol.events_received():
        assert isinstance(request, Request)
        protocol.send_response(protocol.accept(request))
    protocol.receive_data(data)
    messages: list[str | bytes] = []
    text, parts = False, b""
    for event in protocol.events_received():
        assert isinstance(event, Frame)
        if event.opcode is Opcode.CLOSE:
            close = protocol.close_rcvd
            assert close is not None
            return messages, int(close.code)
        if event.opcode in (Opcode.TEXT, Opcode.BINARY):
            text, parts = event.opcode is Opcode.TEXT, b""
        elif event.opcode is not Opcode.CONT:
            continue
        parts += bytes(event.data)
        if event.fin:
            try:
                messages.append(parts.decode() if text else parts)
            except UnicodeDecodeError:
                return messages, int(CloseCode.INVALID_DATA)
    if protocol.parser_exc is not None:
        assert protocol.close_sent is not None
        return messages, int(protocol.close_sent.code)
    return messages, int(CloseCode.NO_STATUS_RCVD)


def _frame(opcode: Opcode, data: bytes, fin: bool = True) -> bytes:
    return Frame(opcode, data, fin).serialize(mask=True)


def _http(line: bytes, *headers: bytes, body: bytes = b"") -> bytes:
    return b"\r\n".join((line, b"Host: h", *headers, b"", b"")) + body


_requests = (
    _http(b"GET /a?b=c HTTP/1.1"),
    _http(b"POST /a HTTP/1.1", b"Content-Length: 5", body=b"hello"),
    _http(
        b"POST /a HTTP/1.1",
        b"Transfer-Encoding: chunked",
        body=b"3\r\nabc\r\n1;x=y\r\nd\r\n0\r\n\r\n",
    ),
    _http(
        b"POST /a HTTP/1.1",
        b"Content-Length: 4",
        b"Transfer-Encoding: chunked",
        body=b"0\r\n\r\nGET",
    ),
    _http(b"POST /a HTTP/1.1", b"Transfer-Encoding: chunked, identity", body=b"0\r\n\r\n"),
    _http(b"POST /a HTTP/1.1", b"Content-Length: 1", b"Content-Length: 2", body=b"ab"),
    _http(b"POST /a HTTP/1.1", b"Content-Length: +1", body=b"a"),
    _http(b"GET /a HTTP/1.1", b"X: a\r\n b", b"Y : z"),
    _http(b"POST /a HTTP/1.1", b"Expect: 100-continue", b"Content-Length: 2", body=b"ok"),
    _http(b"POST /a HTTP/1.1", b"Transfer-Encoding:\x0bchunked", body=b"0\r\n\r\n"),
    _http(b"POST /a HTTP/1.1", b"Transfer-Encoding: chunked", body=b"0_3\r\nabc\r\n0\r\n\r\n"),
    _http(b"GET http://h/a HTTP/1.0", b"Connection: keep-alive"),
    _http(b"GET /a HTTP/1.1", *[b"a:b"] * LIMITS.headers),
    UPGRADE,
)
_streams = st.builds(
    lambda size, parts: bytes((size,)) + b"".join(parts),
    st.sampled_from((0, 1, 2, 7, 50)),
    st.lists(st.sampled_from(_requests), min_size=1, max_size=3),
)
_sized = tuple(b"\x00" + request for request in _requests)
_messages = (
    _frame(Opcode.TEXT, b"hello"),
    _frame(Opcode.BINARY, b"x" * 200),
    _frame(Opcode.TEXT, b"a", False) + _frame(Opcode.CONT, "é".encode()),
    _frame(Opcode.TEXT, b"a", False) + _frame(Opcode.PING, b"?") + _frame(Opcode.CONT, b"", False),
    _frame(Opcode.CONT, b"b"),
    _frame(Opcode.TEXT, b"\xff"),
    _frame(Opcode.PING, b"p"),
    _frame(Opcode.CLOSE, b"\x03\xe8bye"),
    _frame(Opcode.CLOSE, b""),
    _frame(Opcode.CLOSE, b"\x03\xed"),
    _frame(Opcode.BINARY, b"y" * MAX_SIZE),
    _frame(Opcode.BINARY, b"y" * (MAX_SIZE + 1)),
)
_talks = st.builds(
    lambda size, parts: bytes((size,)) + b"".join(parts),
    st.sampled_from((0, 1, 3, 9)),
    st.lists(st.sampled_from(_messages), min_size=1, max_size=4),
)
_framed = tuple(b"\x00" + message for message in _messages)

TARGETS = (
    Target(
        "http",
        run_http,
        _sized,
        near(_sized) | broken(_streams),
        {
            "empty lines": lambda size: b"\x00" + b"\r\n" * (size // 2),
            "a header": lambda size: b"\x00" + _http(b"GET / HTTP/1.1", b"X: " + b"a" * size),
            "headers": lambda size: b"\x00" + _http(b"GET / HTTP/1.1", *[b"a:b"] * (size // 5)),
            "chunks": lambda size: b"\x00" + _requests[2][:-5] + b"1\r\na\r\n" * (size // 6),
            "requests": lambda size: b"\x00" + _requests[0] * (size // 30),
        },
        200_000,
    ),
    Target(
        "web-socket-frames",
        run_frames,
        _framed,
        near(_framed) | broken(_talks),
        {
            "empty parts": lambda size: (
                b"\x00"
                + _frame(Opcode.TEXT, b"", False)
                + _frame(Opcode.CONT, b"", False) * (size // 6)
            ),
            "pings": lambda size: b"\x00" + _frame(Opcode.PING, b"") * (size // 6),
        },
        200_000,
    ),
)
