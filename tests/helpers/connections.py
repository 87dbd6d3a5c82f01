"""Connections from code on a clock that is moved by hand, and sockets whose other end is the test."""

from __future__ import annotations

import json
from typing import Any

from roomhost.actors import ChannelHandle, RealtimeConnection, RealtimeEvent
from roomhost.runtime import WebSocket, WebSocketPair
from roomhost.runtime.testing import ManualClock


def connect_on(clock: ManualClock, handle: ChannelHandle, **fields: Any) -> RealtimeConnection:
    """A connection that comes back after 0.25 s, 0.5 s, ... of this clock."""

    async def sleep(seconds: float) -> None:
        await clock.sleep_until(clock.now_ms() + round(seconds * 1000))

    opener = handle.connect(**fields)._open_socket
    return RealtimeConnection(opener, sleep=sleep, jitter=lambda: 1.0)


async def take(connection: RealtimeConnection, count: int) -> list[RealtimeEvent]:
    """The next events."""
    return [await anext(connection) for _ in range(count)]


async def take_messages(connection: RealtimeConnection, count: int) -> list[tuple[int, Any]]:
    """The place and the data of the next messages, whatever else is heard between them."""
    found: list[tuple[int, Any]] = []
    while len(found) < count:
        event = await anext(connection)
        if event.message is not None:
            assert event.seq is not None
            found.append((event.seq, event.message.data))
    return found


class Server:
    """The other end of a connection, played by a test: `sockets` are those that were opened, `asked`
    where the client said it was."""

    def __init__(self) -> None:
        self.sockets: list[WebSocket] = []
        self.asked: list[tuple[str | None, int]] = []
        self.slept: list[float] = []
        self.failures: list[Exception] = []  # of the next attempts to connect

    async def open(self, epoch: str | None, seq: int) -> WebSocket:
        """What a connection opens its sockets with."""
        self.asked.append((epoch, seq))
        if self.failures:
            raise self.failures.pop(0)
        pair = WebSocketPair()
        pair.server.accept()
        pair.client.accept()
        self.sockets.append(pair.server)
        self.say(type="welcome", connectionId="c", epoch="1-a", seq=0, recovered=epoch is not None)
        return pair.client

    async def sleep(self, seconds: float) -> None:
        """Time passes at once here."""
        self.slept.append(seconds)

    def connection(self) -> RealtimeConnection:
        """A connection to it."""
        return RealtimeConnection(self.open, sleep=self.sleep, jitter=lambda: 0.5)

    def say(self, **frame: Any) -> None:
        """Send a frame over the newest socket."""
        self.sockets[-1].send(json.dumps(frame))

    async def hear(self) -> Any:
        """The next frame of the client."""
        return json.loads(await self.sockets[-1].receive())
