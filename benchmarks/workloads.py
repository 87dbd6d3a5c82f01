"""The actors that are measured, and the work they do; as those of `workerd.js`."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Sequence
from typing import Any

from roomhost.bindings import App
from roomhost.runtime import (
    AlarmInfo,
    DurableObject,
    Request,
    Response,
    SystemClock,
    WebSocket,
    WebSocketPair,
)

VALUE_BYTES = 100  # of one durable write
KEYS = 10_000  # that durable writes go round


class ShiftedClock(SystemClock):
    """The machine's, `shift_ms` ahead: so that what is due at a time that is written on disk is due
    soon after a host starts."""

    shift_ms = 0

    def now_ms(self) -> int:
        """See Clock."""
        return super().now_ms() + self.shift_ms


clock = ShiftedClock()
_numbers = itertools.count()
lateness_ms: list[int] = []  # of the alarms of all objects of this process


def key_of(number: int) -> str:
    """The key of the write with this number."""
    return f"key-{number % KEYS}"


def new_value() -> bytes:
    """What no write had before: SQLite writes nothing where a value is what it was."""
    return next(_numbers).to_bytes(VALUE_BYTES, "big")


class Counter(DurableObject):
    """Counts in memory and on disk."""

    count = 0

    async def increment(self) -> int:
        """A call without storage."""
        self.count += 1
        return self.count

    async def store(self, key: str) -> None:
        """A call with one durable put."""
        await self.ctx.storage.put(key, new_value())

    async def read(self, key: str) -> Any:
        """A call with one read."""
        return await self.ctx.storage.get(key)

    async def ring(self, due_ms: int) -> None:
        """Set the alarm."""
        await self.ctx.storage.set_alarm(due_ms)

    async def alarm(self, info: AlarmInfo) -> None:
        """Note how late it is."""
        lateness_ms.append(clock.now_ms() - info.scheduled_time)

    async def fetch(self, request: Request) -> Response:
        """Take a socket, whose messages are sent back."""
        pair = WebSocketPair()
        self.ctx.accept_web_socket(pair.server)
        return Response(status=101, web_socket=pair.client)

    async def web_socket_message(self, ws: WebSocket, message: str | bytes) -> None:
        """Send it back."""
        ws.send(message)


class Put:
    """The next durable put, in the next of some objects."""

    def __init__(self, stubs: Sequence[Any]) -> None:
        self._stubs = itertools.cycle(stubs)
        self._keys = itertools.count()

    def __call__(self) -> Awaitable[object]:
        """The call, made."""
        put: Awaitable[object] = next(self._stubs).store(key_of(next(self._keys)))
        return put


app = App(name="bench", bindings={"COUNTER": Counter})
