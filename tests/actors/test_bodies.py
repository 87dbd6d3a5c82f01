"""How much of a body is read, and what of it is taken."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.requests import ClientDisconnect

from roomhost.actors.bodies import check_keys, read_body
from roomhost.actors.errors import InvalidArgument, PayloadTooLarge
from roomhost.actors.limits import MAX_BODY_BYTES

pytestmark = pytest.mark.anyio

JSON = (b"content-type", b"application/json; charset=UTF-8")


class Body:
    """A body in pieces; `read` counts those that were asked for."""

    def __init__(self, *pieces: bytes, ends: bool = True) -> None:
        self.pieces = pieces
        self.ends = ends
        self.read = 0

    async def receive(self) -> dict[str, Any]:
        """The next piece; then the client is gone."""
        if self.read == len(self.pieces):
            return {"type": "http.disconnect"}

        self.read += 1
        more = self.read < len(self.pieces) or not self.ends
        return {"type": "http.request", "body": self.pieces[self.read - 1], "more_body": more}


def request(*headers: tuple[bytes, bytes]) -> dict[str, Any]:
    """A scope with these headers."""
    return {"type": "http", "headers": list(headers)}


async def test_a_length_that_is_too_large_is_refused_unread() -> None:
    """The client need not send it."""
    body = Body(b"{}")
    for length in (b"%d" % (MAX_BODY_BYTES + 1), b"9" * 5_000):
        with pytest.raises(PayloadTooLarge, match="1048576 bytes"):
            await read_body(request(JSON, (b"content-length", length)), body.receive)
    assert body.read == 0


async def test_a_stream_is_read_to_where_it_is_too_large() -> None:
    """And to its end when it is not by a byte."""
    piece = b" " * (MAX_BODY_BYTES // 2)
    body = Body(piece, piece, b" ", b"never read")
    with pytest.raises(PayloadTooLarge):
        await read_body(request(JSON), body.receive)
    assert body.read == 3
    assert await read_body(request(JSON), Body(piece, piece).receive) == piece * 2


async def test_a_client_that_leaves_has_sent_nothing() -> None:
    """Half a body is none."""
    with pytest.raises(ClientDisconnect):
        await read_body(request(JSON), Body(b'{"a":', ends=False).receive)


async def test_an_empty_body_is_an_input_without_fields() -> None:
    """With a type or without."""
    assert await read_body(request(), Body(b"").receive) == b"{}"
    assert await read_body(request(JSON), Body(b"").receive) == b"{}"


async def test_headers_that_say_two_things_are_refused() -> None:
    """What one reader takes, another does not."""
    with pytest.raises(InvalidArgument, match="content-type is there twice"):
        await read_body(request(JSON, JSON), Body(b"{}").receive)


def test_keys_are_unique_in_each_object() -> None:
    """However they are written; the same key in two objects is two keys."""
    check_keys(b'{"a":{"a":[{"a":1},{"a":2}]}}')
    for body in (b'{"a":1,"a":1}', b'{"b":[{"a":1,"\\u0061":2}]}'):
        with pytest.raises(InvalidArgument, match="a is there twice") as refused:
            check_keys(body)
        assert refused.value.field == "a"
