"""Who calls: found from the request whose handler in `main` runs, and what an input says over it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from roomhost.actors import (
    InvalidArgument,
    RealtimeActorHeaders,
    RealtimeError,
    RealtimeModule,
    RealtimePrincipal,
    Unauthenticated,
    realtime,
)
from roomhost.bindings import App
from roomhost.runtime.testing import ManualClock, host_for

pytestmark = pytest.mark.anyio
Handler = Callable[[RealtimeModule], Awaitable[Any]]
PROXY = "10.0.0.1"
BOB = RealtimePrincipal(kind="user", user_id="bob")


@asynccontextmanager
async def requests(handler: Handler, **options: Any) -> AsyncGenerator[Any]:
    """Asks a route of `main` that runs the handler; `await ask(headers, peer)` is what came out."""
    live = realtime(name="live", **options)

    async def run(_: Request) -> JSONResponse:
        try:
            outcomes.append(await handler(live))
        except RealtimeError as error:
            outcomes.append(error)
        return JSONResponse({})

    outcomes: list[Any] = []
    main = Starlette(routes=[Route("/", run)])
    app = App(name="live", bindings={"LIVE": live}, main=main)
    async with host_for(app, clock=ManualClock(), trusted_proxies=("10.0.0.0/8",)) as host:

        async def ask(headers: dict[str, str] | None = None, peer: str = PROXY) -> Any:
            transport = httpx.ASGITransport(host.asgi, client=(peer, 1))
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                await client.get("/", headers=headers)
            return outcomes.pop()

        yield ask


async def publish(live: RealtimeModule) -> RealtimePrincipal | None:
    """The actor of a message that a handler publishes without one."""
    return (await live.room("lobby").publish(type="note")).actor


async def publish_for_bob(live: RealtimeModule) -> RealtimePrincipal | None:
    """The actor of one that it publishes for somebody."""
    return (await live.room("lobby").publish(type="note", actor=BOB)).actor


async def join(live: RealtimeModule) -> str:
    """Who joins."""
    return (await live.room("lobby").join()).member_id


async def connect(live: RealtimeModule) -> str | None:
    """Whom a connection is of."""
    async with live.room("lobby").connect() as connection:
        await connection.publish(type="note")
        found: str | None = (await anext(connection)).fields.get("memberId")
        return found


async def test_a_trusted_proxy_names_the_user() -> None:
    """In the first set of headers of which any is there, percent-encoded."""
    async with requests(publish) as ask:
        assert await ask({"x-user-id": "ada", "x-user-name": "Ada%20L."}) == RealtimePrincipal(
            kind="user", user_id="ada", id="ada", display_name="Ada L."
        )
        both = {"x-roomhost-user-id": "eve", "x-user-id": "ada", "x-user-email": "a@b"}
        assert await ask(both) == RealtimePrincipal(kind="user", user_id="eve", id="eve")
        refused = await ask({"x-user-id": "a%0Ab"})
        assert isinstance(refused, InvalidArgument)
        assert refused.field == "x-user-id"


@pytest.mark.parametrize("handler", [publish, join, connect])
async def test_a_request_without_a_user_is_refused(handler: Handler) -> None:
    """Without headers, with those of a peer that is not trusted, with a session alone."""
    async with requests(handler) as ask:
        for headers, peer in (
            ({}, PROXY),
            ({"x-user-id": "ada"}, "192.0.2.1"),
            ({"x-session-id": "s"}, PROXY),
        ):
            assert isinstance(await ask(headers, peer), Unauthenticated)


@pytest.mark.parametrize("handler", [join, connect])
async def test_the_user_of_a_request_is_the_member(handler: Handler) -> None:
    """Of a join, and of a connection."""
    async with requests(handler) as ask:
        assert await ask({"x-user-id": "ada"}) == "ada"


async def test_an_explicit_actor_wins() -> None:
    """Over the headers, and where there are none."""
    async with requests(publish_for_bob) as ask:
        for headers in ({"x-user-id": "ada"}, {}):
            assert await ask(headers) == RealtimePrincipal(kind="user", user_id="bob", id="bob")


async def test_an_explicit_member_is_enough() -> None:
    """The handler knows whom it means."""

    async def join_bot(live: RealtimeModule) -> str:
        return (await live.room("lobby").join(member_id="bot")).member_id

    async with requests(join_bot) as ask:
        assert await ask() == "bot"


async def test_reading_needs_nobody() -> None:
    """The handler is the server's own code."""

    async def read(live: RealtimeModule) -> list[Any]:
        room = live.room("lobby")
        return [
            (await room.history()).items,
            await room.members(),
            (await room.metadata()).metadata,
        ]

    async with requests(read) as ask:
        assert await ask() == [[], [], {}]


async def test_anonymous_ones_where_they_are_allowed() -> None:
    """Each with an id: of the session, or another one for each request."""
    async with requests(publish, allow_anonymous=True) as ask:
        first, second = await ask(), await ask({"x-user-id": "ada"}, "192.0.2.1")
        assert first.kind == second.kind == "anonymous"
        assert first.id != second.id
        assert await ask({"x-session-id": "s"}) == RealtimePrincipal(
            kind="anonymous", session_id="s", id="s"
        )
        assert (await ask({"x-user-id": "ada"})).user_id == "ada"


async def test_headers_can_be_switched_off_and_named() -> None:
    """`auto_resolve_user`, and `actor_headers`."""
    async with requests(publish, auto_resolve_user=False) as ask:
        assert isinstance(await ask({"x-user-id": "ada"}), Unauthenticated)
    headers = RealtimeActorHeaders(user_id=("Remote-User",))
    async with requests(publish, actor_headers=headers) as ask:
        assert (await ask({"remote-user": "ada"})).user_id == "ada"
        assert isinstance(await ask({"x-user-id": "ada"}), Unauthenticated)
