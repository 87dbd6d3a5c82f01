"""`stats()` of a real module: what was acknowledged is counted, whatever happens (realtime.md 5.8)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from roomhost.actors import (
    RealtimeError,
    RealtimeLifecycleOptions,
    RealtimeRetentionOptions,
    realtime,
)
from roomhost.bindings import App
from roomhost.runtime import Host
from roomhost.runtime.testing import ManualClock, host_for

from ..helpers.outcomes import failure

pytestmark = pytest.mark.anyio

RECREATES = RealtimeLifecycleOptions(allow_recreate=True)
START_MS = 1_700_000_000_000
HOUR_MS = 3_600_000


def app(**options: Any) -> App:
    """An application with a module."""
    return App(name="stats", bindings={"COLLAB": realtime(name="collab", **options)})


async def stats(host: Host) -> tuple[int, int, int]:
    """Rooms, members, messages."""
    found = await host.env.COLLAB.stats()
    return found.rooms, found.members, found.messages


async def rooms(host: Host, **arguments: Any) -> list[str]:
    """The names of rooms."""
    return [found.name for found in await host.env.COLLAB.rooms(**arguments)]


async def test_messages_members_and_rooms_are_counted() -> None:
    """Rooms and channels, each kind of write, and reading creates nothing."""
    async with host_for(app(), clock=ManualClock()) as host:
        room, channel = host.env.COLLAB.room, host.env.COLLAB.channel
        await room("read").history()
        await room("read").lifecycle()
        await room("read").members()
        assert await stats(host) == (0, 0, 0)
        await room("a").publish(type="note")
        await channel("a").broadcast(type="note")
        assert await stats(host) == (2, 0, 2)
        await room("b").join(member_id="m")
        await room("b").join(member_id="n")
        await room("c").metadata(metadata={"topic": "x"})
        assert await stats(host) == (4, 2, 2)
        await room("b").leave(member_id="m")
        assert await stats(host) == (4, 1, 2)
        assert await rooms(host) == ["a", "b", "c"]
        assert await rooms(host, kind="channel") == ["a"]


async def test_a_refused_write_creates_no_room() -> None:
    """Nor does the room's name stay in the directory."""
    async with host_for(app(), clock=ManualClock()) as host:
        room = host.env.COLLAB.room("a")
        assert isinstance(await failure(room.presence(member_id="m")), RealtimeError)
        await room.leave(member_id="m")
        assert await stats(host) == (0, 0, 0)
        assert await rooms(host) == []
        await room.publish(type="note")
        assert await stats(host) == (1, 0, 1)


async def test_members_expire_by_the_clock() -> None:
    """At the very moment, in a room that was asked before and has not been written since."""
    clock = ManualClock()
    async with host_for(app(presence_ttl_seconds=60), clock=clock) as host:
        await host.env.COLLAB.room("a").join(member_id="m")
        await clock.advance(20)
        await host.env.COLLAB.room("a").join(member_id="n")
        assert await stats(host) == (1, 2, 0)
        await clock.advance(39.999)
        assert await stats(host) == (1, 2, 0)
        await clock.advance(0.001)
        assert await stats(host) == (1, 1, 0)
        await clock.advance(20)
        assert await stats(host) == (1, 0, 0)


@pytest.mark.parametrize(("delete_history", "messages"), [(False, 2), (True, 0)])
async def test_a_destroyed_room_counts_no_more(delete_history: bool, messages: int) -> None:
    """Its messages do, as long as they are retained."""
    clock = ManualClock()
    async with host_for(app(), clock=clock) as host:
        room = host.env.COLLAB.room("a")
        await room.publish(type="note")
        await room.publish(type="note")
        await room.join(member_id="m")
        assert await stats(host) == (1, 1, 2)
        await room.destroy(delete_history=delete_history)
        assert await stats(host) == (0, 0, messages)
        assert await rooms(host) == []
        assert await failure(room.publish(type="note"))
        await clock.advance(100_000)
        assert await stats(host) == (0, 0, messages)


@pytest.mark.parametrize(("delete_history", "messages"), [(False, 2), (True, 1)])
async def test_a_recreated_room_counts_again(delete_history: bool, messages: int) -> None:
    """With the history it has."""
    async with host_for(app(lifecycle=RECREATES), clock=ManualClock()) as host:
        room = host.env.COLLAB.room("a")
        await room.publish(type="note")
        await room.destroy(delete_history=delete_history)
        assert (await stats(host))[0] == 0
        await room.publish(type="note")
        assert await stats(host) == (1, 0, messages)
        assert await rooms(host) == ["a"]


async def test_an_idle_room_reports_by_itself() -> None:
    """Nobody has to wake it later."""
    clock = ManualClock()
    async with host_for(app(), clock=clock) as host:
        await host.env.COLLAB.room("a").publish(type="note")
        await clock.advance(3_600)
        assert host.statistics().activations == 0
        assert await stats(host) == (1, 0, 1)
        assert host.statistics().activations == 16  # the shards


async def test_messages_that_are_trimmed_count_no_more() -> None:
    """Those that the retention takes away."""
    clock = ManualClock()
    options = RealtimeRetentionOptions(max_messages=2, max_age_seconds=1_000)
    async with host_for(app(retention=options), clock=clock) as host:
        for _ in range(5):
            await host.env.COLLAB.room("a").publish(type="note")
        history = await host.env.COLLAB.room("a").history()
        assert await stats(host) == (1, 0, len(history.items))
        await clock.advance(1_001)
        assert await stats(host) == (1, 0, 0)


async def test_what_is_due_after_the_report_is_counted(tmp_path: Path) -> None:
    """The host was down when the room became idle, and when its messages became too old."""
    options: dict[str, Any] = {
        "lifecycle": RealtimeLifecycleOptions(idle_ttl_seconds=30),
        "retention": RealtimeRetentionOptions(max_age_seconds=60),
    }
    async with host_for(app(**options), clock=ManualClock(), data_dir=tmp_path) as host:
        await host.env.COLLAB.room("a").publish(type="note")
        assert await stats(host) == (1, 0, 1)
        await host.env.COLLAB.room("a").publish(type="note")
        await host.crash()
    clock = ManualClock(START_MS + HOUR_MS)
    async with host_for(app(**options), clock=clock, data_dir=tmp_path) as host:
        await clock.advance(60)
        assert await stats(host) == (1, 0, 0)


async def test_what_was_acknowledged_before_a_crash_is_counted(tmp_path: Path) -> None:
    """Counted before or not, and members who have expired meanwhile are not."""
    async with host_for(app(), clock=ManualClock(), data_dir=tmp_path) as host:
        room = host.env.COLLAB.room
        await room("a").publish(type="note")
        await room("b").join(member_id="m")
        assert await stats(host) == (2, 1, 1)
        await room("a").publish(type="note")
        await room("c").publish(type="note")
        await room("b").destroy()
        await room("d").join(member_id="n")
        await host.crash()
    async with host_for(app(), clock=ManualClock(), data_dir=tmp_path) as host:
        assert await stats(host) == (3, 1, 3)
        assert await rooms(host) == ["a", "c", "d"]
        await host.env.COLLAB.room("d").join(member_id="o")
        assert await stats(host) == (3, 2, 3)
        await host.crash()
    clock = ManualClock(START_MS + HOUR_MS)
    async with host_for(app(), clock=clock, data_dir=tmp_path) as host:
        await host.settle()
        assert await stats(host) == (3, 0, 3)
