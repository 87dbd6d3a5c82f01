"""Quarantine: a room whose state cannot be read is left as it is, and tried again ever less often."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import pytest

from roomhost.actors import keys
from roomhost.actors.errors import Unavailable
from roomhost.actors.room import Room

from ..helpers.room_sockets import Hall, hall_for, user

pytestmark = pytest.mark.anyio


async def _exchange(room: Room, key: str, value: Any) -> Any:
    """Put a value into a room's storage, for the one that was there."""
    before = room.ctx.storage.kv.get(key)
    room.ctx.storage.kv.put(key, value)
    return before


async def _stored(room: Room) -> tuple[dict[str, Any], Any]:
    """Everything a room has stored, and its alarm."""
    return room.ctx.storage.kv.list(), await room.ctx.storage.get_alarm()


@pytest.fixture
async def hall(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Hall]:
    """A host whose rooms let a test see and change what they have stored."""
    monkeypatch.setattr(Room, "exchange", _exchange, raising=False)
    monkeypatch.setattr(Room, "stored", _stored, raising=False)
    async with hall_for() as hall:
        yield hall


async def spoil(hall: Hall, key: str = keys.HEAD, garbage: Any = b"\x00garbage") -> Any:
    """Damage the lobby while it sleeps; what was there."""
    before = await hall.stub().exchange(key, garbage)
    await hall.sleep()
    return before


async def refused(hall: Hall) -> int | None:
    """How long the lobby asks to wait, milliseconds."""
    with pytest.raises(Unavailable) as caught:
        await hall.room.publish(type="x")
    assert (caught.value.code, caught.value.retryable) == ("unavailable", True)
    return caught.value.retry_after_ms


async def test_a_damaged_room_answers_when_to_come_again(hall: Hall) -> None:
    """Nothing of it is written, its alarm stays, its neighbours work; repaired it works again."""
    await hall.publish(2)
    before = await spoil(hall)
    stored = await hall.stub().stored()
    assert await refused(hall) == 2_000
    await hall.clock.advance(1.5)
    assert await refused(hall) == 500
    for call in (hall.room.history, hall.room.members, hall.room.lifecycle, hall.room.destroy):
        with pytest.raises(Unavailable):
            await call()
    with pytest.raises(Unavailable):
        await hall.open()
    await hall.host.env.LIVE.room("neighbour").publish(type="x")
    assert await hall.stub().stored() == stored
    await hall.stub().exchange(keys.HEAD, before)
    assert await refused(hall) == 500
    await hall.clock.advance(0.5)
    await hall.publish()
    assert len((await hall.room.history()).items) == 3


@pytest.mark.parametrize("sleeps", [False, True])
async def test_the_next_try_is_twice_as_far(hall: Hall, sleeps: bool) -> None:
    """Up to 64 seconds, though the object leaves memory meanwhile; after a repair from the start."""
    await hall.publish()
    before = await spoil(hall)
    for seconds in (2, 4, 8, 16, 32, 64, 64):
        assert await refused(hall) == seconds * 1_000
        if sleeps:
            await hall.sleep()
        await hall.clock.advance(seconds - 0.001)
        assert await refused(hall) == 1
        await hall.clock.advance(0.001)
    await hall.stub().exchange(keys.HEAD, before)
    await hall.publish()
    await spoil(hall)
    assert await refused(hall) == 2_000


async def test_an_open_socket_gets_errors_until_the_room_works_again(hall: Hall) -> None:
    """And stays open; closing it in between harms nothing."""
    ana, bea = await hall.open_quietly(user("ana")), await hall.open(user("bea"))
    ana.take()
    before = await spoil(hall)
    answer = await ana.ask("publish", message={"type": "x"})
    assert (answer["code"], answer["retryable"]) == ("unavailable", True)
    assert answer["retryAfterMs"] == 2_000
    await bea.close(1000)
    await hall.clock.advance(2)
    await hall.stub().exchange(keys.HEAD, before)
    assert await ana.result("publish", message={"type": "x"})
    assert ana.types() == ["message"]


async def test_an_alarm_that_is_due_waits_for_the_repair(hall: Hall) -> None:
    """It is set again, and does then what it was for."""
    await hall.room.join(member_id="ana")
    before = await spoil(hall)
    await hall.clock.advance(100)
    assert (await hall.stub().stored())[1] is not None
    await hall.stub().exchange(keys.HEAD, before)
    await hall.clock.advance(64)
    (member,) = await hall.room.members(include_left=True)
    assert member.left_at == "2023-11-14T22:14:20.000Z"


@pytest.mark.parametrize(
    ("key", "garbage"),
    [
        (keys.HEAD, "text"),
        (keys.HEAD, b'{"generation":"one"}'),
        (keys.HEAD, b"\xff"),
        (keys.DEADLINES, "text"),
        (keys.DEADLINES, {"unknown": 1}),
        (keys.message(1), b"garbage"),
    ],
)
async def test_whatever_is_needed_to_load_may_be_damaged(
    hall: Hall, key: str, garbage: Any
) -> None:
    """The head, the deadlines, the newest message."""
    await hall.publish()
    await spoil(hall, key, garbage)
    assert await refused(hall) == 2_000
