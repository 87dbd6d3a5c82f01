"""Frames that no good client sends, and too many of those that it may: what closes the connection, with
which code, and that nobody else feels it."""

from __future__ import annotations

from typing import Any

import anyio
import anyio.lowlevel
import pytest

from roomhost.runtime import WebSocketPair, limits
from roomhost.runtime.intake import Reason

from ..helpers.served import served
from . import raw
from .app import app
from .beside import beside

pytestmark = pytest.mark.anyio

FLOODS = {
    "pings": raw.frame(raw.PING),
    "large pings": raw.frame(raw.PING, b"x" * 125),
    "pongs": raw.frame(raw.PONG, b"x"),
    "empty fragments": raw.frame(raw.CONTINUATION, fin=False),
    "tiny fragments": raw.frame(raw.CONTINUATION, b"xx", fin=False),
}
BROKEN = {
    "unmasked": (raw.frame(raw.TEXT, b"a", masked=False), 1002, Reason.PROTOCOL_ERROR),
    "reserved bit": (b"\xc1\x80" + bytes(4), 1002, Reason.PROTOCOL_ERROR),
    "reserved bits of a fragment": (b"\x71\x80" + bytes(4), 1002, Reason.PROTOCOL_ERROR),
    "reserved opcode": (raw.frame(0x3), 1002, Reason.PROTOCOL_ERROR),
    "reserved control": (raw.frame(0xB), 1002, Reason.PROTOCOL_ERROR),
    "fragmented ping": (raw.frame(raw.PING, fin=False), 1002, Reason.PROTOCOL_ERROR),
    "long ping": (raw.frame(raw.PING, b"x" * 126), 1002, Reason.PROTOCOL_ERROR),
    "long close": (raw.frame(raw.CLOSE, b"\x0f\xa0" + b"x" * 124), 1002, Reason.PROTOCOL_ERROR),
    "half a code": (raw.frame(raw.CLOSE, b"\x03"), 1002, Reason.PROTOCOL_ERROR),
    "forbidden code": (raw.frame(raw.CLOSE, b"\x03\xed"), 1002, Reason.PROTOCOL_ERROR),
    "reason that is no text": (
        raw.frame(raw.CLOSE, b"\x0f\xa0\xff"), 1007, Reason.INVALID_TEXT,
    ),
    "nothing to continue": (raw.frame(raw.CONTINUATION, b"a"), 1002, Reason.PROTOCOL_ERROR),
    "message in a message": (
        raw.frame(raw.TEXT, b"a", fin=False) + raw.frame(raw.TEXT, b"b"),
        1002, Reason.PROTOCOL_ERROR,
    ),
    "text that is none": (raw.frame(raw.TEXT, b"\xc0\xaf"), 1007, Reason.INVALID_TEXT),
    "announced giant": (
        b"\x82\xff" + (2**25 + 1).to_bytes(8, "big") + bytes(4), 1009, Reason.LARGE_MESSAGE,
    ),
    "impossible length": (b"\x82\xff" + b"\xff" * 8 + bytes(4), 1009, Reason.LARGE_MESSAGE),
}  # fmt: skip


async def flood(client: raw.Raw, data: bytes) -> None:
    """Send until the server has gone, or as much as it takes."""
    with anyio.move_on_after(raw.SECONDS):
        try:
            while True:
                await client.stream.send(data)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            pass


@pytest.mark.parametrize("kind", FLOODS)
async def test_a_flood_of_frames_that_carry_nothing_is_closed_with_1008(kind: str) -> None:
    """And as many as a good client may send are answered."""
    few = limits.SMALL_FRAMES_BURST // 2
    async with served(app) as (url, host), beside(url) as good, raw.web_socket(url) as client:
        if "fragments" in kind:
            await client.send(raw.frame(raw.TEXT, b"x" * 100, fin=False))
        await client.send(FLOODS[kind] * few)
        await good.ask()
        assert not host.intake.refusals
        async with anyio.create_task_group() as group:
            group.start_soon(flood, client, FLOODS[kind] * 2_000)
            assert await client.closed_with() == 1008
            await good.ask()
            group.cancel_scope.cancel()
        assert host.intake.refusals == {Reason.FLOOD: 1}


async def test_pongs_that_nobody_reads_do_not_pile_up() -> None:
    """Of a client that reads nothing only the newest ping is answered: no more than that waits for it."""
    async with served(app) as (url, host), raw.web_socket(url) as client:
        await client.send(raw.frame(raw.TEXT, b"flood") * 3)
        protocol: Any = next(iter(host.intake.connections))
        with anyio.fail_after(raw.SECONDS):
            while not protocol.blocked:
                await anyio.lowlevel.checkpoint()
        waiting = protocol.transport._transport.get_write_buffer_size()
        await client.send(raw.frame(raw.PING, b"old") * 400 + raw.frame(raw.PING, b"new"))
        with anyio.fail_after(raw.SECONDS):
            while b"new" not in protocol._late_pong:
                await anyio.lowlevel.checkpoint()
        assert protocol.transport._transport.get_write_buffer_size() < waiting + 500
        pongs: list[bytes] = []
        while not pongs:
            opcode, payload = await client.frame()
            pongs += [payload] * (opcode == raw.PONG)
        assert pongs == [b"new"]


@pytest.mark.parametrize("kind", BROKEN)
async def test_a_frame_that_breaks_the_protocol_ends_its_connection(kind: str) -> None:
    """With the code that RFC 6455 has for it."""
    sent, code, reason = BROKEN[kind]
    async with served(app) as (url, host), beside(url), raw.web_socket(url) as client:
        await client.send(sent)
        assert await client.closed_with() == code
        assert host.intake.refusals == {reason: 1}


async def test_a_giant_in_fragments_is_closed_with_1009() -> None:
    """As soon as it is over the limit, and nothing of it stays in memory."""
    part = raw.frame(raw.CONTINUATION, b"x" * 2**20, fin=False)
    async with served(app) as (url, host), beside(url), raw.web_socket(url) as client:
        await client.send(raw.frame(raw.BINARY, b"x", fin=False))
        for _ in range(limits.MAX_MESSAGE_BYTES // 2**20 + 1):
            await client.send(part)
        assert await client.closed_with() == 1009
        assert host.intake.refusals == {Reason.LARGE_MESSAGE: 1}
        assert host.intake.incoming_bytes == 0


async def test_unfinished_messages_are_bounded_together() -> None:
    """Whoever holds most is closed with 1013; a client with less finishes its own."""
    async with served(app, max_incoming_bytes=2**20) as (url, host), beside(url) as good:
        async with raw.web_socket(url) as small, raw.web_socket(url) as large:
            await small.send(raw.frame(raw.TEXT, b"s" * 200_000, fin=False))
            await large.send(raw.frame(raw.TEXT, b"l" * 300_000, fin=False))
            async with raw.web_socket(url) as third:
                await third.send(raw.frame(raw.BINARY, b"t" * 900_000)[:600_000])
                assert await third.closed_with() == 1013
            await good.ask()
            await small.send(raw.frame(raw.CONTINUATION, b"!"))
            assert await small.frame() == (raw.TEXT, b"s" * 200_000 + b"!")
            assert 300_000 <= host.intake.incoming_bytes < 320_000
        assert host.intake.refusals == {Reason.INCOMING_BYTES: 1}


async def test_fragments_take_the_memory_of_their_bytes() -> None:
    """A message in tiny pieces is kept as one, however many they are."""
    async with served(app) as (url, host), beside(url), raw.web_socket(url) as client:
        await client.send(raw.frame(raw.BINARY, b"x" * 16, fin=False))
        await client.send(raw.frame(raw.CONTINUATION, b"y" * 16, fin=False) * 50_000)
        await client.send(raw.frame(raw.PING))
        assert (await client.frame())[0] == raw.PONG
        held: Any = max(host.intake.connections, key=lambda one: len(one._parts))
        assert isinstance(held._parts, bytearray)
        assert len(held._parts) == 16 * 50_001
        await client.send(raw.frame(raw.CONTINUATION))
        assert len((await client.frame())[1]) == 16 * 50_001


async def test_compression_is_not_taken_up() -> None:
    """An extension that is offered is refused, so there is nothing to inflate; a frame that says it is
    compressed all the same breaks the protocol."""
    offer = b"Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=15\r\n"
    async with served(app) as (url, _), beside(url), await raw.connect(url) as client:
        answer = await client.ask(raw.get("/mirror/a/ws", raw.UPGRADE + offer))
        assert answer.status == 101
        assert "sec-websocket-extensions" not in answer.headers
        await client.send(b"\xc1\x87" + bytes(4) + b"\xf2\x48\xcd\xc9\xc9\x07\x00")
        assert await client.closed_with() == 1002


async def test_a_room_reads_no_compressed_body_and_sends_none() -> None:
    """A bomb would be small on the way and large in memory."""
    room = "/realtime/collab/rooms/a/publish"
    head = (
        b"Content-Type: application/json\r\nAuthorization: Bearer key\r\nContent-Encoding: gzip\r\n"
    )
    async with served(app) as (url, _), beside(url), await raw.connect(url) as client:
        refused = await client.ask(raw.post(room, b"\x1f\x8b\x08\x00", head))
        assert (refused.status, refused.problem["code"]) == (415, "unsupported_media_type")
        answer = await client.ask(
            raw.get("/mirror/a/large", b"Accept-Encoding: gzip, br, zstd\r\n")
        )
        assert "content-encoding" not in answer.headers
        assert len(answer.body) == 2**23


async def test_subprotocols_are_bounded_by_the_headers() -> None:
    """Ten thousand of them are refused before anybody looks at them; some hundred are looked through."""
    async with served(app) as (url, _), beside(url):
        for count, status in ((10_000, 431), (100, 101)):
            offer = b", ".join(b"protocol-%d" % number for number in range(count))
            head = raw.UPGRADE + b"Sec-WebSocket-Protocol: " + offer + b"\r\n"
            async with await raw.connect(url) as client:
                assert (await client.ask(raw.get("/mirror/a/ws", head))).status == status


async def test_the_object_says_no_more_than_a_close_may_hold() -> None:
    """Text of a client in a close reason cannot be too long for a frame: the object's code is told."""
    pair = WebSocketPair()
    pair.server.accept()
    with pytest.raises(ValueError, match="123 bytes"):
        pair.server.close(4_000, "x" * 124)
