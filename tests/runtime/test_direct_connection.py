"""A connection of our own server and the end that an object holds, with the server played by the test."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from roomhost.runtime import Response, WebSocketClosed, WebSocketPair, limits
from roomhost.runtime.connection import End
from roomhost.runtime.direct_connection import DIRECT_EXTENSION, DirectConnection, direct_link
from roomhost.runtime.traffic import Traffic

pytestmark = pytest.mark.anyio


class PlayedLink:
    """A server's side that notes what goes out. `gone`: the client left before it was accepted."""

    def __init__(self, gone: bool = False) -> None:
        self.end: End | None = None
        self.blocked = False
        self.out: list[Any] = []
        self.reads = 0
        self.traffic = Traffic()
        self.connection: DirectConnection | None = None
        self._gone = gone

    async def receive(self) -> Any:
        raise AssertionError("a direct connection receives nothing")

    async def send(self, message: Any) -> None:
        if self._gone:
            raise OSError
        assert message["type"] == "websocket.accept"

    def attach(self, connection: DirectConnection) -> None:
        self.connection = connection

    def read_on(self) -> None:
        self.reads += 1

    def write(self, message: str | bytes) -> bool:
        if not self.blocked:
            self.out.append(message)
        return not self.blocked

    def close(self, code: int | None, reason: str) -> None:
        self.out.append((code, reason))

    def abort(self) -> None:
        self.out.append("abort")


@asynccontextmanager
async def carried(link: PlayedLink, pair: WebSocketPair) -> AsyncGenerator[DirectConnection]:
    """The client's end, carried by the link; it ends with the connection."""
    response = Response(status=101, web_socket=pair.client)
    async with anyio.create_task_group() as group:
        group.start_soon(DirectConnection(link, response).run)
        await anyio.wait_all_tasks_blocked()
        assert link.connection is not None
        yield link.connection
        group.cancel_scope.cancel()


async def test_messages_go_both_ways_at_once() -> None:
    """Those of before the upgrade too, in order."""
    link, pair = PlayedLink(), WebSocketPair()
    pair.server.accept()
    pair.server.send("before")
    async with carried(link, pair) as connection:
        pair.server.send(b"after")
        assert link.out == ["before", b"after"]
        assert connection.received("hello")
        assert await pair.server.receive() == "hello"


async def test_what_a_blocked_client_does_not_read_waits_in_order() -> None:
    """It counts as buffered, and goes out when the client reads; a close comes behind it."""
    link, pair = PlayedLink(), WebSocketPair()
    pair.server.accept()
    async with carried(link, pair) as connection:
        link.blocked = True
        pair.server.send("a")
        pair.server.send("")
        pair.server.close(4_000, "bye")
        assert (link.out, pair.server.buffered_amount) == ([], 1)
        link.blocked = False
        connection.writable()
        assert link.out == ["a", "", (4_000, "bye")]


async def test_a_reader_that_is_too_slow_is_closed_while_it_is_blocked() -> None:
    """What waits is dropped, and the close does not wait for a client that may never read."""
    link, pair = PlayedLink(), WebSocketPair()
    pair.server.accept()
    pair.server.set_outgoing_limit(max_bytes=10, max_frames=1, code=4_001, reason="slow")
    async with carried(link, pair):
        link.blocked = True
        pair.server.send("a")
        pair.server.send("b")
        assert link.out == [(4_001, "slow")]


async def test_a_message_that_crosses_the_clients_close_leaves_it_answered() -> None:
    """The message is the link's to drop; the client hears the answer to its close."""
    link, pair = PlayedLink(), WebSocketPair()
    pair.server.accept()
    async with carried(link, pair) as connection:
        link.end = End.CLOSED
        pair.server.send("on its way")
        connection.disconnected(1_000, "bye")
        await anyio.wait_all_tasks_blocked()
        assert link.out == ["on its way", (1_000, "bye")]


@pytest.mark.parametrize(
    ("end", "code"), [(End.LOST, 1_006), (End.FAILED, 1_009)], ids=["lost", "failed"]
)
async def test_the_object_hears_how_the_client_left(end: End, code: int) -> None:
    """A loss has no code of its own; what broke the protocol has the one that the client was told."""
    link, pair = PlayedLink(), WebSocketPair()
    pair.server.accept()
    async with carried(link, pair) as connection:
        link.end = end
        connection.disconnected(code, "")
        with pytest.raises(WebSocketClosed) as closed:
            await pair.server.receive()
        assert (closed.value.code, closed.value.was_clean) == (code, False)


async def test_a_client_that_leaves_before_it_is_accepted_is_told_of() -> None:
    """The object has its end already, and would keep it."""
    link, pair = PlayedLink(gone=True), WebSocketPair()
    pair.server.accept()
    response = Response(status=101, web_socket=pair.client)

    with pytest.raises(OSError):
        await DirectConnection(link, response).run()

    with pytest.raises(WebSocketClosed):
        await pair.server.receive()


async def test_a_client_is_read_no_faster_than_its_object_begins() -> None:
    """At the bound the link is told to stop, and to read on when there is room again."""
    link, pair = PlayedLink(), WebSocketPair()
    pair.server.accept()
    async with carried(link, pair) as connection:
        pair.server.unstarted = limits.MAX_UNSTARTED_MESSAGES - 1
        assert connection.received("a")
        pair.server.unstarted += 1
        assert not connection.received("b")
        pair.server.message_started()
        assert link.reads == 1


async def test_a_wrapped_receive_or_send_is_not_passed_by() -> None:
    """Something that listens to ASGI's messages goes on hearing them."""
    link = PlayedLink()

    async def send(message: Any) -> None:
        await link.send(message)

    async def receive() -> Any:
        return await link.receive()

    scope: dict[str, Any] = {"extensions": {DIRECT_EXTENSION: link}}
    assert direct_link(scope, link.receive, link.send) is link
    assert direct_link(scope, receive, link.send) is None
    assert direct_link(scope, link.receive, send) is None
    assert direct_link({"extensions": None}, link.receive, link.send) is None
