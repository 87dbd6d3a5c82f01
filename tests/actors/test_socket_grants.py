"""Tokens of open sockets: when they end, how they are renewed (realtime.md 5.6)."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import pytest

from roomhost.actors import realtime
from roomhost.actors.types import RealtimePrincipal
from roomhost.bindings import App

from ..helpers.room_sockets import Client, Hall, hall_for, user

pytestmark = pytest.mark.anyio
EXPIRED = (4503, "unauthenticated", True)


@pytest.fixture
async def hall() -> AsyncGenerator[Hall]:
    """A host with the module."""
    async with hall_for() as hall:
        yield hall


async def enter(hall: Hall, *capabilities: str) -> Client:
    """A socket of ana, whose token is good for 300 s."""
    return await hall.open_quietly(hall.bearer(hall.token("ana", *capabilities)))


@pytest.mark.parametrize("sleeps", [False, True])
async def test_a_socket_ends_25_seconds_after_its_token(hall: Hall, sleeps: bool) -> None:
    """It is told why; until then it works; others are not touched."""
    ana, forever = await enter(hall), await hall.open_quietly()
    if sleeps:
        await hall.sleep()
    await hall.clock.advance(324.999)
    assert await ana.result("publish", message={"type": "x"})
    ana.take()
    await hall.clock.advance(0.001)
    (error,) = ana.take()
    assert (error["type"], error["code"]) == ("error", "unauthenticated")
    assert ana.end == EXPIRED
    assert forever.types() == ["message"]
    await hall.clock.advance(10)
    assert forever.types() == ["member.left"]


async def test_each_socket_ends_with_its_own_token(hall: Hall) -> None:
    """The alarm goes from one to the next."""
    first = await enter(hall)
    await hall.clock.advance(100)
    second = await enter(hall)
    await hall.clock.advance(225)
    assert (first.end, second.end) == (EXPIRED, None)
    await hall.clock.advance(100)
    assert second.end == EXPIRED


async def test_a_refreshed_socket_goes_on_in_place(hall: Hall) -> None:
    """The same member, which never left; also when the room slept after it."""
    ana, listener = await enter(hall), await hall.open_quietly()
    await hall.clock.advance(320)
    result = await ana.result("auth.refresh", token=hall.token("ana"))
    assert result == {"expiresAt": "2023-11-14T22:23:40.000Z"}
    await hall.sleep()
    await hall.clock.advance(320)
    assert (ana.end, listener.take()) == (None, [])
    await hall.clock.advance(5)
    assert ana.end == EXPIRED


@pytest.mark.parametrize(
    ("capabilities", "fields", "code"),
    [
        (("subscribe", "publish", "admin"), {}, "forbidden"),
        (("subscribe", "history"), {}, "forbidden"),
        (("publish",), {}, "forbidden"),
        (("subscribe",), {"member_id": "bea"}, "forbidden"),
        (("subscribe",), {"member_id": None}, "forbidden"),
        (("subscribe",), {"actor": RealtimePrincipal(kind="user", user_id="bea")}, "forbidden"),
        (("subscribe",), {"room": "other"}, "unauthenticated"),
        (("subscribe",), {"kind": "channel"}, "unauthenticated"),
        (("subscribe",), {"audience": "other"}, "unauthenticated"),
        (("subscribe",), {"generation": 2}, "unauthenticated"),
        (("subscribe",), {"expires_ms": 1_700_000_000_000 - 6_000}, "unauthenticated"),
    ],
)
async def test_a_token_that_is_another_ones_renews_nothing(
    hall: Hall, capabilities: tuple[str, ...], fields: dict[str, Any], code: str
) -> None:
    """Wider, deaf, of another member, actor, room, kind, instance, life, or over: the socket stays
    as it was."""
    ana = await enter(hall, "subscribe", "publish")
    token = hall.token("ana", *capabilities, **fields)
    assert await ana.refusal("auth.refresh", token=token) == code
    assert await ana.refusal("auth.refresh", token="no token") == "unauthenticated"
    assert await ana.refusal("auth.refresh") == "invalid_argument"
    assert await ana.result("publish", message={"type": "x"})
    await hall.clock.advance(324.999)
    assert ana.end is None
    await hall.clock.advance(0.001)
    assert ana.end == EXPIRED


async def test_a_narrower_token_narrows_the_connection(hall: Hall) -> None:
    """From the next frame on."""
    ana = await enter(hall, "subscribe", "publish")
    assert await ana.result("auth.refresh", token=hall.token("ana", "subscribe"))
    assert await ana.refusal("publish", message={"type": "x"}) == "forbidden"
    assert await ana.refusal("auth.refresh", token=hall.token("ana", "publish")) == "forbidden"


async def test_a_module_may_leave_connections_open() -> None:
    """The token only opens them then."""
    module = realtime(name="live", bind_connection_to_expiry=False)
    async with hall_for(App(name="live", bindings={"LIVE": module})) as hall:
        ana = await enter(hall)
        await hall.clock.advance(1_000)
        assert await ana.result("members")


async def test_a_connection_without_a_token_needs_none(hall: Hall) -> None:
    """It never ends by time."""
    ana = await hall.open_quietly(user("ana"))
    await hall.clock.advance(1_000)
    assert ana.end is None
