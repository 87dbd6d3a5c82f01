"""What the tests of the admin API look into: counters with alarms and sockets, and rooms."""

from __future__ import annotations

from typing import Any

import anyio

from roomhost.actors import realtime
from roomhost.bindings import App
from roomhost.runtime import AlarmInfo, DurableObject, Request, Response, WebSocketPair


class Counter(DurableObject):
    """Remembers its number as an attribute too, which a change from outside makes stale."""

    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        if ctx.storage.kv.get("broken") is not None:
            raise ValueError("cannot start")
        self.n: int = ctx.storage.kv.get("n", 0)

    async def increment(self, by: int = 1) -> int:
        """Add to the number."""
        self.n += by
        await self.ctx.storage.put("n", self.n)
        return self.n

    async def store(self, values: dict[str, Any]) -> None:
        """Put entries."""
        await self.ctx.storage.put(values)

    async def read(self, key: str) -> Any:
        """Get an entry."""
        return await self.ctx.storage.get(key)

    async def wake_at(self, when_ms: int) -> None:
        """Set the alarm."""
        await self.ctx.storage.set_alarm(when_ms)

    async def hold(self, until: anyio.Event) -> None:
        """Keep an event in flight."""
        await until.wait()

    async def alarm(self, info: AlarmInfo) -> None:
        """Count the runs; fail when told to."""
        if await self.ctx.storage.get("fails", False):
            raise ValueError("told to fail")
        await self.ctx.storage.put("runs", await self.ctx.storage.get("runs", 0) + 1)

    async def fetch(self, request: Request) -> Response:
        """A socket with a tag and an attachment; `/increment`, `/store` for clients over HTTP."""
        if request.is_upgrade:
            pair = WebSocketPair()
            self.ctx.accept_web_socket(pair.server, ["red"])
            pair.server.serialize_attachment({"user": "ada"})
            return Response(status=101, web_socket=pair.client)

        match request.url.path.rsplit("/", 1)[-1]:
            case "increment":
                return Response.from_json(await self.increment())
            case "alarm":
                await self.wake_at(int(request.query_params["at"]))
            case _:
                await self.store(await request.json())
        return Response("ok\n")


app = App(name="admin", bindings={"COUNTER": Counter, "COLLAB": realtime(name="collab")})
