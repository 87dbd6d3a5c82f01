"""What is served while something fails: objects that keep numbers, by HTTP, by WebSocket and by
alarm, and rooms with presence."""

from __future__ import annotations

import os
import time
from typing import Any

from roomhost.actors import realtime
from roomhost.bindings import App
from roomhost.runtime import AlarmInfo, DurableObject, Request, Response, WebSocket, WebSocketPair


class Book(DurableObject):
    """Keeps each number that it is told under a key of its own, and counts them in the same turn."""

    async def fetch(self, request: Request) -> Response:
        """`/book/NAME/OPERATION?FIELD=VALUE`; a WebSocket where one is asked for."""
        if request.is_upgrade:
            pair = WebSocketPair()
            self.ctx.accept_web_socket(pair.server)
            return Response(status=101, web_socket=pair.client)

        operation = request.url.path.rsplit("/", 1)[1]
        return Response.from_json(await getattr(self, operation)(**request.query_params))

    async def web_socket_message(self, ws: WebSocket, message: str | bytes) -> None:
        """`NUMBER BYTES`: keep it, and tell everybody who is connected."""
        number, size = str(message).split()
        await self.write(number, size)
        for socket in self.ctx.get_web_sockets():
            socket.send(number)

    async def write(self, number: str, size: str = "100") -> int:
        """Keep a number, with so many bytes that no compression makes fewer."""
        count: int = await self.ctx.storage.get("count", 0)
        await self.ctx.storage.put(f"n:{int(number):08}", os.urandom(int(size)))
        await self.ctx.storage.put("count", count + 1)
        return int(number)

    async def fill(self, count: str, size: str) -> int:
        """Keep so many entries that belong to nobody, in one turn."""
        await self.ctx.storage.put(
            {f"fill:{number:08}": os.urandom(int(size)) for number in range(int(count))}
        )
        return int(count)

    async def grow(self, count: str, size: str) -> int:
        """Keep so many more of them."""
        there: int = await self.ctx.storage.get("grown", 0)
        for number in range(there, there + int(count)):
            await self.ctx.storage.put(f"fill:{number:08}", os.urandom(int(size)))
            await self.ctx.storage.put("grown", number + 1)
            await self.ctx.storage.sync()
        return there

    async def empty(self) -> int:
        """Delete what `fill` kept, in pieces."""
        deleted = 0
        while keys := list(await self.ctx.storage.list(prefix="fill:", limit=64)):
            deleted += await self.ctx.storage.delete(keys)
            await self.ctx.storage.sync()
        return deleted

    async def read(self) -> dict[str, Any]:
        """All that is kept."""
        numbers = await self.ctx.storage.list(prefix="n:")
        return {
            "numbers": [int(key[2:]) for key in numbers],
            "count": await self.ctx.storage.get("count", 0),
            "fired": await self.ctx.storage.get("fired", []),
            "alarm": await self.ctx.storage.get_alarm(),
        }

    async def arm(self, after_ms: str) -> float:
        """Have the alarm in so many milliseconds from now, by the host's clock; when that is."""
        due_ms = time.time_ns() // 1_000_000 + int(after_ms)
        await self.ctx.storage.set_alarm(due_ms)
        return due_ms

    async def alarm(self, info: AlarmInfo) -> None:
        """Note for when it was set, and when it came."""
        fired: list[Any] = await self.ctx.storage.get("fired", [])
        now_ms = time.time_ns() // 1_000_000
        await self.ctx.storage.put("fired", [*fired, [info.scheduled_time, now_ms]])

    async def allocate(self, size: str) -> int:
        """Have so many bytes of memory for a moment."""
        return len(bytearray(int(size)))


app = App(name="book", bindings={"BOOK": Book, "LIVE": realtime(name="live")})
