"""Members and their sockets: who is here by one, and when somebody has left (realtime.md 5.3)."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from roomhost.runtime.testing import ManualClock

from ..helpers.room_sockets import Client, Hall, hall_for, user

pytestmark = pytest.mark.anyio


@pytest.fixture
async def hall() -> AsyncGenerator[Hall]:
    """A host with the module."""
    async with hall_for() as hall:
        yield hall


async def names(hall: Hall) -> list[str]:
    """Who is here."""
    return [member.member_id for member in await hall.room.members()]


def lefts(listener: Client) -> list[tuple[str, str]]:
    """Who has left, and why, as a listener heard; nothing else may have happened."""
    heard = listener.take()
    assert all(frame["type"] == "member.left" for frame in heard), heard
    return [(frame["memberId"], frame["reason"]) for frame in heard]


async def test_a_normal_close_leaves_at_once(hall: Hall) -> None:
    """As the leave frame does, after which the close is nothing more."""
    ana, bea = await hall.open(user("ana")), await hall.open(user("bea"))
    listener = await hall.open_quietly()
    await ana.close(1000)
    assert lefts(listener) == [("ana", "left")]
    await bea.result("leave")
    assert lefts(listener) == [("bea", "left")]
    await bea.close(1000)
    await hall.clock.advance(100)
    assert lefts(listener) == []
    assert await names(hall) == []


@pytest.mark.parametrize("code", [1001, 4000, None])
async def test_a_lost_member_leaves_after_ten_seconds(hall: Hall, code: int | None) -> None:
    """Not a millisecond sooner, once, as of that moment; whoever reads before sees it here."""
    await hall.clock.advance(100)
    ana, listener = await hall.open(user("ana")), await hall.open_quietly()
    lost_ms = hall.clock.now_ms()
    await ana.close(code)
    await hall.clock.advance(9.999)
    assert lefts(listener) == []
    assert await names(hall) == ["ana"]
    await hall.clock.advance(0.001)
    (left,) = listener.take()
    assert (left["type"], left["reason"]) == ("member.left", "disconnected")
    assert left["leftAt"] == "2023-11-14T22:15:10.000Z"
    assert hall.clock.now_ms() == lost_ms + 10_000
    assert await names(hall) == []
    await hall.clock.advance(100)
    assert listener.take() == []


@pytest.mark.parametrize("sleeps", [False, True])
async def test_one_who_is_back_in_time_never_left(hall: Hall, sleeps: bool) -> None:
    """joinedAt stays, nobody hears of a leave, also when the room was evicted in between."""
    ana, listener = await hall.open(user("ana")), await hall.open_quietly()
    (member,) = await hall.room.members()
    await ana.close(1001)
    await hall.clock.advance(9.999)
    if sleeps:
        await hall.sleep()
    again = await hall.open(user("ana"))
    assert listener.types() == ["member.updated"]
    await hall.clock.advance(200)
    assert listener.take() == []
    (now,) = await hall.room.members()
    assert now.joined_at == member.joined_at
    await again.close(1000)
    assert lefts(listener) == [("ana", "left")]


async def test_one_who_is_late_joins_anew(hall: Hall) -> None:
    """After the leave, which came first."""
    ana, listener = await hall.open(user("ana")), await hall.open_quietly()
    await ana.close(None)
    await hall.clock.advance(10)
    await hall.open(user("ana"))
    assert listener.types() == ["member.left", "member.joined"]


async def test_a_member_is_here_by_its_last_socket(hall: Hall) -> None:
    """Whatever becomes of the others."""
    first, second = await hall.open(user("ana")), await hall.open(user("ana"))
    third, listener = await hall.open(user("ana")), await hall.open_quietly()
    await first.close(1000)
    await second.close(None)
    await hall.clock.advance(100)
    assert lefts(listener) == []
    await third.close(None)
    await hall.clock.advance(9)
    assert lefts(listener) == []
    await hall.clock.advance(1)
    assert lefts(listener) == [("ana", "disconnected")]


async def test_the_leave_of_a_lost_member_outlives_an_eviction(hall: Hall) -> None:
    """The alarm wakes the room."""
    ana, listener = await hall.open(user("ana")), await hall.open_quietly()
    await hall.sleep()
    await ana.close(None)
    await hall.sleep()
    await hall.clock.advance(10)
    assert lefts(listener) == [("ana", "disconnected")]


async def test_after_a_crash_a_member_leaves_once(tmp_path: Path) -> None:
    """Its socket went without a close: the sweep finds out; one who came back in time stays."""
    clock = ManualClock()
    async with hall_for(clock=clock, data_dir=tmp_path) as hall:
        ana, bea = await hall.open(user("ana")), await hall.open(user("bea"))
        joined = {member.member_id: member.joined_at for member in await hall.room.members()}
        await hall.host.crash()
    assert ana.end is not None and bea.end is not None
    assert (ana.end[0], bea.end[0]) == (1006, 1006)
    later = ManualClock(clock.now_ms() + 30_000)
    async with hall_for(clock=later, data_dir=tmp_path) as hall:
        listener = await hall.open_quietly()
        await hall.open(user("bea"))
        assert listener.types() == ["member.updated"]
        await hall.clock.advance(29.999)
        assert listener.take() == []
        await hall.clock.advance(0.001)
        assert lefts(listener) == [("ana", "expired")]
        await hall.clock.advance(1_000)
        assert lefts(listener) == []
        (member,) = await hall.room.members()
        assert (member.member_id, member.joined_at) == ("bea", joined["bea"])


@pytest.mark.parametrize("seconds", [0, 49, 51, 99, 101, 3_599])
async def test_a_member_outlives_a_short_restart_however_long_it_was_here(
    tmp_path: Path, seconds: int
) -> None:
    """Its sweeps note that it is here in time: it has its ten seconds to come back, as the same."""
    clock = ManualClock()
    async with hall_for(clock=clock, data_dir=tmp_path) as hall:
        await hall.open(user("ana"))
        (before,) = await hall.room.members()
        await hall.clock.advance(seconds)
        await hall.host.crash()
    later = ManualClock(clock.now_ms() + 9_000)
    async with hall_for(clock=later, data_dir=tmp_path) as hall:
        listener = await hall.open_quietly()
        await hall.open(user("ana"))
        assert listener.types() == ["member.updated"]
        (member,) = await hall.room.members()
        assert member.joined_at == before.joined_at


async def test_a_socket_without_presence_is_nobodys(hall: Hall) -> None:
    """It makes no member, keeps none here, and takes none away."""
    listener = await hall.open_quietly()
    reader = await hall.open(user("ana", "subscribe", "publish"))
    assert listener.take() == []
    await hall.room.join(member_id="ana")
    await hall.host.settle()
    assert listener.types() == ["member.joined"]
    await reader.close(1000)
    assert listener.take() == []
    other = await hall.open(user("ana", "subscribe"))
    await hall.clock.advance(1)
    await other.close(None)
    await hall.open(user("ana", "subscribe"))
    await hall.clock.advance(58.999)
    assert listener.take() == []
    await hall.clock.advance(0.001)
    assert lefts(listener) == [("ana", "expired")]


async def test_a_socket_brings_the_presence_of_its_token(hall: Hall) -> None:
    """When it opens, and when it opens again."""
    await hall.open(user("ana", presence={"device": "phone"}))
    assert [member.presence for member in await hall.room.members()] == [{"device": "phone"}]
    await hall.open(user("ana"))
    assert [member.presence for member in await hall.room.members()] == [{"device": "phone"}]


async def test_the_socket_of_one_who_left_hears_on(hall: Hall) -> None:
    """And can join again."""
    ana = await hall.open_quietly(user("ana"))
    await ana.result("leave")
    assert ana.types() == ["member.left"]
    assert await ana.refusal("presence", state={}) == "not_a_member"
    await hall.publish()
    assert ana.types() == ["message"]
    member: dict[str, Any] = await ana.result("join")
    assert member["memberId"] == "ana"
    assert ana.types() == ["member.joined"]


async def test_a_step_of_the_clock_sweeps_nobody_who_is_connected(hall: Hall) -> None:
    """Nor does it take from a client what it may send: the bucket fills by time that passes."""
    ana = await hall.open(user("ana"))
    listener = await hall.open_quietly()
    await hall.clock.step(3_600)
    await hall.clock.advance(1)
    assert lefts(listener) == []
    assert await names(hall) == ["ana"]
    for number in range(150):
        ana.send(type="members", id=str(number))
    await hall.clock.step(-3_600)
    await hall.clock.advance(10)
    ana.take()
    assert [member["memberId"] for member in await ana.result("members")] == ["ana"]
    assert lefts(listener) == []
