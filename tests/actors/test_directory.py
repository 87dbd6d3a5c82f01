"""The directory of rooms: exact sums and names over all shards, asked from those who changed."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import anyio
import pytest

from roomhost.actors import limits
from roomhost.actors.directory import shard_of
from roomhost.actors.errors import InvalidArgument
from roomhost.runtime import Host
from roomhost.runtime.testing import ManualClock, host_for

from ..helpers.counted_rooms import Counted, CountedRoom, app, forget

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def nothing_of_another_test() -> None:
    """No steps, nobody asked."""
    forget()


@pytest.fixture
async def host() -> AsyncGenerator[Host]:
    """A host with the module."""
    async with host_for(app, clock=ManualClock()) as host:
        yield host


async def sums(host: Host) -> tuple[int, int, int]:
    """Rooms, members, messages."""
    stats = await host.env.COUNTED.directory.stats()
    return stats.rooms, stats.members, stats.messages


async def names(host: Host, **arguments: Any) -> list[str]:
    """The names of rooms."""
    return [found.name for found in await host.env.COUNTED.directory.rooms(**arguments)]


async def test_what_was_acknowledged_is_counted(host: Host) -> None:
    """Rooms and channels, at once, and in whatever direction it changes."""
    counted: Counted = host.env.COUNTED
    assert await sums(host) == (0, 0, 0)
    await counted.room("a").set(1, 2, 3)
    assert await sums(host) == (1, 2, 3)
    await counted.stub("channel", "a").set(1, 0, 10)
    assert await sums(host) == (2, 2, 13)
    await counted.room("a").set(0, 0, 3)
    assert await sums(host) == (1, 0, 13)


async def test_only_those_who_changed_are_asked(host: Host) -> None:
    """Once for each time they were, however often; and nobody who reported by itself."""
    room = host.env.COUNTED.room
    for name in ("a", "b", "c"):
        await room(name).set(1, 0, 0)
    assert await sums(host) == (3, 0, 0)
    assert sorted(CountedRoom.asked) == ["a", "b", "c"]
    CountedRoom.asked.clear()
    for messages in (1, 2, 3):
        await room("b").set(1, 0, messages)
    await room("c").set(1, 0, 5)
    await room("c").report()
    assert await sums(host) == (3, 0, 8)
    assert await sums(host) == (3, 0, 8)
    assert CountedRoom.asked == ["b"]


async def test_a_room_that_was_never_written_leaves_no_row(host: Host) -> None:
    """It was marked, and then its operation was refused."""
    await host.env.COUNTED.room("a").mark()
    assert await sums(host) == (0, 0, 0)
    stored = await host.env.COUNTED.shards.get_by_name(str(shard_of("room", "a"))).stored()
    assert list(stored) == ["sums"]


async def test_two_hundred_rooms_are_spread_over_all_shards(host: Host) -> None:
    """Nobody is a bottleneck, and nobody is forgotten."""
    calls = [host.env.COUNTED.room(f"room {n}").set(1, 2, n) for n in range(200)]
    for call in calls:
        await call
    assert {shard_of("room", f"room {n}") for n in range(200)} == set(range(16))
    assert await sums(host) == (200, 400, sum(range(200)))
    assert await names(host, limit=1_000) == sorted(f"room {n}" for n in range(200))


def test_the_shard_of_a_room_never_changes() -> None:
    """It is where its row is stored."""
    assert [shard_of("room", name) for name in ("", "a", "lobby", "é")] == [6, 7, 4, 0]
    assert shard_of("channel", "lobby") == 15


async def test_a_shard_asks_so_many_rooms_at_a_time(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others wait for their turn."""
    monkeypatch.setattr(limits, "DIRECTORY_SHARDS", 1)
    monkeypatch.setattr(limits, "DIRECTORY_QUERIES", 3)
    for n in range(8):
        await host.env.COUNTED.room(str(n)).set(1, 0, 1)
    release = anyio.Event()

    async def wait(room: CountedRoom) -> None:
        await release.wait()

    CountedRoom.before_answer = wait
    async with anyio.create_task_group() as group:
        group.start_soon(sums, host)
        await host.settle()
        assert sorted(CountedRoom.asked) == ["0", "1", "2"]
        release.set()
    assert len(CountedRoom.asked) == 8
    assert await sums(host) == (8, 0, 8)


async def test_sums_end_at_the_largest_int32(host: Host) -> None:
    """Which is what their type can say."""
    for name in ("a", "b"):
        await host.env.COUNTED.room(name).set(1, 2**31 - 1, 2**31)
    assert await sums(host) == (2, 2**31 - 1, 2**31 - 1)


async def test_names_come_in_order_by_pages(host: Host) -> None:
    """In the order of their bytes, without those who are destroyed and those of the other kind."""
    there = ["", "A", "B", "a", "b:c", "é", "\uffff", "\U0001f600"]
    for name in there:
        await host.env.COUNTED.room(name).set(1, 0, 0)
    await host.env.COUNTED.stub("channel", "AA").set(1, 0, 0)
    await host.env.COUNTED.room("AB").set(1, 0, 1)
    await host.env.COUNTED.room("AB").set(0, 0, 1)
    assert await names(host, after="", limit=1_000_000) == there[1:]
    assert await names(host, kind="channel") == ["AA"]
    pages = [await names(host, limit=3)]
    while pages[-1]:
        pages.append(await names(host, after=pages[-1][-1], limit=3))
    assert pages == [there[:3], there[3:6], there[6:], []]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kind", "crdt"),
        ("kind", None),
        ("after", "é" * 128),
        ("after", "\ud800"),
        ("after", 1),
        ("limit", 0),
        ("limit", -1),
        ("limit", True),
        ("limit", 1.0),
    ],
)
async def test_what_is_wrong_with_a_question_is_named(host: Host, field: str, value: Any) -> None:
    """Before any shard is asked."""
    with pytest.raises(InvalidArgument) as caught:
        await host.env.COUNTED.directory.rooms(**{field: value})
    assert caught.value.field == field


async def test_a_room_that_cannot_answer_counts_as_it_was(
    host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    """The others are exact; it is said once, and it is asked again."""
    room = host.env.COUNTED.room
    await room("ill").set(1, 1, 1)
    await room("well").set(1, 0, 0)
    assert await sums(host) == (2, 1, 1)

    async def refuse(room: CountedRoom) -> None:
        if room.name == "ill":
            raise ValueError("quarantined")

    CountedRoom.before_answer = refuse
    await room("ill").set(1, 5, 5)
    await room("well").set(1, 0, 7)
    for _ in range(2):
        assert await sums(host) == (2, 1, 8)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "'ill'" in caplog.text and "quarantined" in caplog.text
    CountedRoom.before_answer = None
    assert await sums(host) == (2, 5, 12)
