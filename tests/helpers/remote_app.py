"""What the tests of calls from another process serve, and how they connect to it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import anyio

from roomhost.bindings import App, connect
from roomhost.runtime import DurableObject, Host, Request, Response

from .scripted import Scripted
from .served import served


class Strange(Exception):
    """An error whose class wants more than its message."""

    def __init__(self, first: int, second: int) -> None:
        super().__init__(f"{first} and {second}")
        self.second = second


class Station(Scripted):
    """An actor whose code, `fetch` too, is in the test; and some methods for a client elsewhere."""

    made = 0

    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        Station.made += 1
        self.seen: list[Any] = []

    @property
    def title(self) -> str:
        return f"the station {self.ctx.id.name}"

    async def note(self, value: Any) -> Any:
        self.seen.append(value)
        return value

    async def notes(self) -> list[Any]:
        return self.seen

    async def echo(self, *values: Any, **named: Any) -> Any:
        return [list(values), named]

    async def increment(self, by: int = 1) -> int:
        n: int = await self.ctx.storage.get("n", 0) + by
        await self.ctx.storage.put("n", n)
        return n

    async def slow(self, begun: str, until: str) -> int:
        await anyio.Path(begun).touch()
        while not await anyio.Path(until).exists():
            await anyio.lowlevel.checkpoint()
        n: int = await self.increment()
        return n

    async def fail(self) -> None:
        raise Strange(1, 2)

    async def abort(self) -> None:
        self.ctx.abort("told to")

    async def fetch(self, request: Request) -> Response:
        if "fetch" in Scripted.scripts:
            response: Response = await self.run("fetch", request)
            return response
        return Response(f"{request.method} {request.url} {await request.text()}")


class Silent(DurableObject):
    """Has no fetch."""


app = App(
    name="remote",
    bindings={"STATION": Station, "OTHER": Station, "SILENT": Silent},
    vars={"GREETING": "hello", "SINCE": datetime(2026, 1, 1, tzinfo=UTC), "LOCAL": object()},
)


@asynccontextmanager
async def connected(**settings: Any) -> AsyncGenerator[tuple[Any, Host]]:
    """The `env` of a served host as another process has it, and the host."""
    async with served(app, **settings) as (url, host), connect(url, api_key="key") as env:
        yield env, host
