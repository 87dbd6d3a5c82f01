"""Requests that two servers could read in two ways, and what is no HTTP/1.1 at all."""

from __future__ import annotations

import pytest

from roomhost.runtime.intake import Reason

from ..helpers.served import served
from . import raw
from .app import app
from .beside import beside

pytestmark = pytest.mark.anyio

POST = b"POST /mirror/a/upload HTTP/1.1\r\nHost: localhost\r\n"
HIDDEN = b"GET /mirror/hidden/count HTTP/1.1\r\nHost: localhost\r\n\r\n"
# Each would let a second request pass for the body of the first one, or the other way round.
SMUGGLED = {
    "length and chunks": (
        POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + HIDDEN
    ),
    "two lengths": POST + b"Content-Length: 0\r\nContent-Length: 60\r\n\r\n" + HIDDEN,
    "a list of lengths": POST + b"Content-Length: 0, 60\r\n\r\n" + HIDDEN,
    "a signed length": POST + b"Content-Length: +0\r\n\r\n" + HIDDEN,
    "a negative length": POST + b"Content-Length: -1\r\n\r\n" + HIDDEN,
    "a hexadecimal length": POST + b"Content-Length: 0x0\r\n\r\n" + HIDDEN,
    "an endless length": POST + b"Content-Length: " + b"9" * 40 + b"\r\n\r\n" + HIDDEN,
    "an unknown coding": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + HIDDEN,
    "chunks not last": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + HIDDEN,
    "two codings": (
        POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + HIDDEN
    ),
    "a space before the colon": POST + b"Content-Length : 0\r\n\r\n" + HIDDEN,
    "a folded header": POST + b"X: a\r\n Content-Length: 0\r\nContent-Length : 0\r\n\r\n" + HIDDEN,
    "a bare line feed in chunks": (
        POST + b"Transfer-Encoding: chunked\r\n\r\n0\n\n" + HIDDEN
    ),
    "a chunk of too many": (
        POST + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nx\r\n0\r\n\r\n" + HIDDEN
    ),
    "a chunk that is longer": POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\nxx\r\n0\r\n\r\n" + HIDDEN,
    "a NUL in a header": POST + b"X: a\x00b\r\nContent-Length: 0\r\n\r\n" + HIDDEN,
    "a line break of one byte": POST + b"X: a\rContent-Length: 0\r\n\r\n" + HIDDEN,
}  # fmt: skip
NO_REQUEST = {
    "HTTP/2 by prior knowledge": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/0.9": b"GET /mirror/a/count\r\n\r\n",
    "HTTP/3.0": b"GET /mirror/a/count HTTP/3.0\r\nHost: localhost\r\n\r\n",
    "an unknown method": b"HACK /mirror/a/count HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a method in lower case": b"get /mirror/a/count HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a tunnel": b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n",
    "a path that is none": b"GET mirror/a/count HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a path in two parts": b"GET /mirror/a b/count HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a path with a NUL": b"GET /mirror/\x00/count HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a path of bytes": b"GET /mirror/\xff/count HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40),
    "nonsense": b"\x00\xff" * 50 + b"\r\n\r\n",
}


@pytest.mark.parametrize("kind", SMUGGLED)
async def test_no_request_hides_in_another(kind: str) -> None:
    """It is refused, and the connection ends: what follows is not read as a request."""
    async with served(app) as (url, host), beside(url), await raw.connect(url) as client:
        await client.send(SMUGGLED[kind])
        answers = await client.rest()
        assert answers.startswith(b"HTTP/1.1 400 ")
        assert answers.count(b"HTTP/1.1 ") == 1
        assert host.intake.refusals == {Reason.BAD_REQUEST: 1}
        counted = await host.env.MIRROR.get_by_name("hidden").fetch("http://h/count")
        assert await counted.json() == {"count": 1}
        assert not host.statistics().events_in_flight


@pytest.mark.parametrize("kind", NO_REQUEST)
async def test_what_is_no_request_of_http_1_1_is_refused(kind: str) -> None:
    """With 400 and the end."""
    async with served(app) as (url, host), beside(url), await raw.connect(url) as client:
        await client.send(NO_REQUEST[kind])
        assert (await client.rest()).startswith(b"HTTP/1.1 400 ")
        assert host.intake.refusals == {Reason.BAD_REQUEST: 1}


async def test_two_names_of_a_host_are_none() -> None:
    """Who looked at one of them may have let through what the other one means (RFC 9112, 3.2)."""
    async with served(app) as (url, host), beside(url), await raw.connect(url) as client:
        answer = await client.ask(raw.get("/mirror/a/name", b"Host: other\r\n"))
        assert answer.status == 400
        assert host.intake.refusals == {Reason.BAD_REQUEST: 1}


async def test_an_absolute_target_names_no_other_host() -> None:
    """It is this host that is asked, whatever the target says; of it the path counts."""
    async with served(app) as (url, _), beside(url), await raw.connect(url) as client:
        answer = await client.ask(raw.get("http://evil.example/mirror/a/name"))
        assert answer.status == 200


async def test_upgrades_to_anything_else_are_not_taken_up() -> None:
    """The request is answered as if it had not asked, and the connection ends."""
    settings = b"HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n"
    async with served(app) as (url, _), beside(url):
        for token in (b"h2c", b"TLS/1.0", b"websocket, h2c", b"anything"):
            head = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: " + token + b"\r\n" + settings
            async with await raw.connect(url) as client:
                answer = await client.ask(raw.get("/mirror/a/name", head))
                assert answer.status in (200, 400, 426), token
                assert await client.rest() == b""


async def test_a_bad_handshake_of_a_socket_opens_none() -> None:
    """Another version, no key, a short one, another method, HTTP/1.0."""
    wrong = (
        raw.get("/mirror/a/ws", raw.UPGRADE.replace(b"Version: 13", b"Version: 8")),
        raw.get(
            "/mirror/a/ws", raw.UPGRADE.replace(b"Sec-WebSocket-Key: " + raw.KEY + b"\r\n", b"")
        ),
        raw.get("/mirror/a/ws", raw.UPGRADE.replace(raw.KEY, b"c2hvcnQ=")),
        raw.get("/mirror/a/ws", raw.UPGRADE).replace(b"GET", b"POST", 1),
        raw.get("/mirror/a/ws", raw.UPGRADE + b"Sec-WebSocket-Key: " + raw.KEY + b"\r\n"),
    )
    async with served(app) as (url, host), beside(url):
        for request in wrong:
            async with await raw.connect(url) as client:
                answer = await client.ask(request)
                assert answer.status in (400, 405, 426), (request, answer)
        assert len(host.intake.connections) <= 2


async def test_cookies_and_trailers_are_the_applications() -> None:
    """Large cookies are headers as others are; trailers behind a body change no header."""
    trailer = (
        POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nAuthorization: Bearer key\r\n\r\n"
    )
    async with served(app) as (url, _), beside(url), await raw.connect(url) as client:
        cookie = b"Cookie: " + b"a" * 60_000 + b"\r\n"
        assert (await client.ask(raw.get("/mirror/a/name", cookie))).status == 200
        assert (await client.ask(trailer)).body == b'{"bytes": 1}'
        cookie = b"Cookie: " + b"a" * 70_000 + b"\r\n"
        assert (await client.ask(raw.get("/mirror/a/name", cookie))).status == 431
