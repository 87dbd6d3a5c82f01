"""A host that has done a little of everything, for tests of what is told about it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from roomhost.actors import InvalidArgument, realtime
from roomhost.bindings import App
from roomhost.runtime import (
    AlarmInfo,
    DurableObject,
    DurableObjectError,
    Host,
    OverloadedError,
    Request,
    Response,
    WebSocketPair,
)
from roomhost.runtime.testing import ManualClock, host_for

GATES: list[anyio.Event] = []


class Room(DurableObject):
    """Does one thing for each kind of figure."""

    async def add(self, number: int) -> None:
        """A durable write."""
        await self.ctx.storage.put("number", number)

    async def fail(self) -> None:
        """Raise."""
        raise ValueError("no")

    async def abort(self) -> None:
        """Reset the object."""
        self.ctx.abort("enough")

    async def block(self) -> None:
        """Let nothing in until the newest gate opens."""
        await self.ctx.block_concurrency_while(GATES[-1].wait)

    async def wake_in(self, ms: int) -> None:
        """Set an alarm."""
        await self.ctx.storage.set_alarm(await self.ctx.storage.get("now", 0) + ms)

    async def alarm(self, info: AlarmInfo) -> None:
        if info.retry_count == 0:
            raise ValueError("not yet")

    async def fetch(self, request: Request) -> Response:
        if not request.is_upgrade:
            return Response("hello")

        pair = WebSocketPair()
        self.ctx.accept_web_socket(pair.server)
        return Response(status=101, web_socket=pair.client)

    async def web_socket_message(self, ws: Any, message: Any) -> None:
        ws.send(message)


app = App(
    name="busy",
    bindings={
        "ROOM": Room,
        "LIVE": realtime(name="live", observability={"labels": {"team": "chat"}}),
    },
)


@asynccontextmanager
async def busy_host(**settings: Any) -> AsyncGenerator[Host]:
    """Calls, fetches, alarms, sockets, errors, resets, overload, an eviction, publishes, a refused Yjs
    update. One call still waits, one socket hibernates."""
    clock = ManualClock(start_ms=0)
    settings = {"max_queued_events": 1, "held_loop_seconds": 60} | settings
    async with host_for(app, clock=clock, **settings) as host:
        a, b, c = (host.env.ROOM.get_by_name(name) for name in "abc")
        for number in range(3):
            await a.add(number)
        await a.fetch("http://x/hello")
        with pytest.raises(ValueError, match="no"):
            await a.fail()
        with pytest.raises(DurableObjectError, match="enough"):
            await b.abort()
        await a.wake_in(1_000)
        await clock.advance(1)
        await clock.advance(4)
        response = await a.fetch("http://x/", headers={"upgrade": "websocket"})
        socket = response.web_socket
        socket.accept()
        socket.send("hello")
        assert await socket.receive() == "hello"
        await host.evict(a)
        watchdog = host.observer.watchdog
        assert watchdog is not None
        # What a real one would take: a second.
        watchdog.holds["ROOM"] += 1
        watchdog.held_seconds["ROOM"] += 1.5
        live = host.env.LIVE.room("lobby")
        await live.publish(type="chat", data={"text": "hi"})
        with pytest.raises(InvalidArgument):
            await host.env.LIVE.crdt_room("lobby").apply_yjs_update(update_base64="/w==")
        GATES.append(anyio.Event())
        blocked = c.block()
        await anyio.wait_all_tasks_blocked()
        waiting = c.add(1)
        with pytest.raises(OverloadedError):
            await c.add(2)
        try:
            yield host
        finally:
            GATES.pop().set()
            await blocked
            await waiting
