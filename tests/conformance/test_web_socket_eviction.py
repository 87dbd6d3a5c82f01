"""Eviction: what keeps an object in memory.

semantics.md 3.5: an object leaves memory when nothing is in flight, its sockets notwithstanding.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from roomhost.runtime import DurableObjectError, Request, Response, WebSocket, WebSocketPair

from ..helpers.scripted import script
from .feature import Feature, shows
from .sockets import Room, connect, hall

pytestmark = pytest.mark.anyio

AWAKE = Feature("what keeps an object from hibernating", "3.5")
EVICT = Feature(
    "evictDurableObject (test hook)",
    "3.5",
    differs="`await host.evict(stub)` waits for what is in flight, and tells whether it evicted",
)
STANDARD = Feature("hibernation: not with a standard socket", "3.5, 7.1")


async def in_wait_until(actor: Room, go_on: anyio.Event) -> None:
    async def work() -> None:
        await go_on.wait()

    actor.ctx.wait_until(work())


async def in_a_handler(actor: Room, go_on: anyio.Event) -> None:
    await go_on.wait()


async def in_a_section(actor: Room, go_on: anyio.Event) -> None:
    await actor.ctx.block_concurrency_while(go_on.wait)


@pytest.mark.parametrize("busy", [in_wait_until, in_a_handler, in_a_section])
@shows(AWAKE)
async def test_an_object_with_something_in_flight_does_not_hibernate(busy: Any) -> None:
    """However long that takes; ten seconds after its end it does."""
    go_on = anyio.Event()

    @script
    async def work(actor: Room) -> None:
        await busy(actor, go_on)

    async with hall() as h:
        await connect(h.room())
        async with anyio.create_task_group() as group:
            group.start_soon(h.room().run, "work")
            # A critical section would end by its own time limit.
            await h.clock.advance(29)
            assert h.awake == 1
            go_on.set()
        await h.clock.advance(9)
        assert h.awake == 1
        await h.clock.advance(1)
        assert h.awake == 0


@shows(AWAKE)
async def test_a_response_that_streams_keeps_the_object_awake(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Until its body has been read to the end, or nobody has it any more."""

    async def fetch(self: Room, request: Request) -> Response:
        async def body() -> AsyncIterator[bytes]:
            yield b"one"
            await self.put("k", "written by the body")
            yield b"two"

        return Response(body())

    monkeypatch.setattr(Room, "fetch", fetch)
    async with hall() as h:
        response = await h.room().fetch("http://rooms/")
        await h.clock.advance(60)
        assert h.awake == 1
        assert await response.body() == b"onetwo"
        unread = await h.room().fetch("http://rooms/")
        await h.clock.advance(10)
        assert h.awake == 1
        del unread
        await h.clock.advance(10)
        assert h.awake == 0


@shows(STANDARD)
async def test_an_object_with_a_standard_socket_does_not_hibernate() -> None:
    """Though its other sockets could; when that one closes, it does."""
    ends: list[WebSocket] = []

    @script
    def standard(actor: Room) -> None:
        client, server = WebSocketPair()
        server.accept()
        ends.append(client)

    async with hall() as h:
        await connect(h.room())
        await h.room().run("standard")
        await h.clock.advance(3_600)
        assert h.awake == 1
        ends[0].accept()
        ends[0].close()
        await h.clock.advance(10)
        assert (h.awake, h.host.statistics().web_sockets) == (0, 1)


@shows(EVICT)
async def test_evict_waits_for_what_is_in_flight() -> None:
    """The call ends as it would have; False when there is no instance."""
    go_on = anyio.Event()
    evicted: list[bool] = []

    @script
    async def work(actor: Room) -> str:
        await go_on.wait()
        return "done"

    async with hall() as h:
        assert await h.host.evict(h.room()) is False
        async with anyio.create_task_group() as group:

            async def call() -> None:
                assert await h.room().run("work") == "done"

            async def evict() -> None:
                evicted.append(await h.host.evict(h.room()))

            group.start_soon(call)
            await anyio.wait_all_tasks_blocked()
            group.start_soon(evict)
            await anyio.wait_all_tasks_blocked()
            assert (evicted, h.awake) == ([], 1)
            go_on.set()
        assert (evicted, h.awake) == ([True], 0)


@shows(EVICT)
async def test_a_stub_outlives_the_eviction_it_did_not_see() -> None:
    """It is not broken; its next call starts the object, whose sockets it finds."""
    async with hall() as h:
        stub = h.room()
        await connect(stub, who="ann")
        await h.host.evict(stub)
        assert await stub.listed() == ["ann"]
        await h.host.abort_all()
        with pytest.raises(DurableObjectError):
            await stub.listed()
