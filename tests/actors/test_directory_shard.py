"""One shard among rooms that change while they are asked, are reset, or lose their host."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from roomhost.actors import limits
from roomhost.actors.types import RealtimeStats
from roomhost.runtime import DurableObjectError, Host
from roomhost.runtime.testing import ManualClock, host_for

from ..helpers.counted_rooms import Counted, CountedRoom, app, forget
from ..helpers.outcomes import failure
from ..helpers.stories import Outcomes

pytestmark = pytest.mark.anyio

HANGS_SECONDS = 10


@pytest.fixture(autouse=True)
def one_shard(monkeypatch: pytest.MonkeyPatch) -> None:
    """All rooms are in one; no steps, nobody asked."""
    monkeypatch.setattr(limits, "DIRECTORY_SHARDS", 1)
    forget()


def shard(host: Host) -> Any:
    """A new stub of the shard."""
    return host.env.COUNTED.shards.get_by_name("0")


def room(host: Host, name: str = "a") -> Any:
    """A new stub of a room."""
    return host.env.COUNTED.room(name)


async def messages(host: Host) -> int:
    """The sum that these tests look at."""
    stats: RealtimeStats = await host.env.COUNTED.directory.stats()
    return stats.messages


class Held:
    """A step of a room that waits for the test: once, of one room."""

    def __init__(self, name: str = "a") -> None:
        self.reached = anyio.Event()
        self.release = anyio.Event()
        self._name = name

    async def __call__(self, room: CountedRoom) -> None:
        if room.name == self._name and not self.reached.is_set():
            self.reached.set()
            await self.release.wait()


async def test_a_room_that_waits_for_its_mark_is_not_waited_for() -> None:
    """It is asked while its gate is closed: its mark goes through all the same, or both would wait
    for each other."""
    async with host_for(app, clock=ManualClock()) as host, anyio.create_task_group() as group:
        calls = Outcomes(group)
        held = CountedRoom.before_mark = Held()
        calls.of("add", room(host).add(5))
        await held.reached.wait()
        await shard(host).mark("room", "a", 1)
        calls.of("stats", messages(host))
        await host.settle()
        assert calls == []
        with anyio.fail_after(HANGS_SECONDS):
            held.release.set()
            await calls.ended("add", "stats")
        assert dict(calls) == {"add": None, "stats": 5}


async def test_a_mark_and_a_report_wait_for_no_answer() -> None:
    """However long another room takes."""
    async with host_for(app, clock=ManualClock()) as host, anyio.create_task_group() as group:
        calls = Outcomes(group)
        await room(host).add(1)
        held = CountedRoom.before_answer = Held()
        calls.of("stats", messages(host))
        await held.reached.wait()
        with anyio.fail_after(HANGS_SECONDS):
            await room(host, "b").add(10)
            await room(host, "b").report()
        held.release.set()
        await calls.ended("stats")
        assert await messages(host) == 11


async def test_a_room_that_changes_after_its_answer_is_asked_again() -> None:
    """The answer on its way is not the last word."""
    async with host_for(app, clock=ManualClock()) as host, anyio.create_task_group() as group:
        calls = Outcomes(group)
        await room(host).add(1)
        held = CountedRoom.after_answer = Held()
        calls.of("stats", messages(host))
        await held.reached.wait()
        await room(host).add(10)
        held.release.set()
        await calls.ended("stats")
        assert calls == [("stats", 1)]
        assert await messages(host) == 11
        assert CountedRoom.asked == ["a", "a"]


async def test_questions_at_the_same_time_share_their_round() -> None:
    """Those that come while rooms are asked share the next one, which sees what was acknowledged
    before them."""
    async with host_for(app, clock=ManualClock()) as host, anyio.create_task_group() as group:
        calls = Outcomes(group)
        await room(host).add(1)
        held = CountedRoom.after_answer = Held()
        calls.of("first", messages(host))
        await held.reached.wait()
        await room(host).add(10)
        await room(host, "b").add(100)
        for label in ("second", "third"):
            calls.of(label, messages(host))
        await host.settle()
        assert calls == []
        held.release.set()
        await calls.ended("first", "second", "third")
        assert sorted(calls) == [("first", 1), ("second", 111), ("third", 111)]
        assert sorted(CountedRoom.asked) == ["a", "a", "b"]


async def test_a_room_that_loses_its_memory_after_its_answer_is_asked_again() -> None:
    """It had not written anything, so it marks the version that it has answered for already; that
    answer waits behind another room's."""
    async with host_for(app, clock=ManualClock()) as host, anyio.create_task_group() as group:
        calls = Outcomes(group)
        await room(host, "a").add(1)
        await room(host, "b").mark()
        held = CountedRoom.before_answer = Held("a")
        calls.of("stats", messages(host))
        await host.settle()
        assert sorted(CountedRoom.asked) == ["a", "b"]
        await failure(room(host, "b").abort())
        await room(host, "b").add(10)
        held.release.set()
        await calls.ended("stats")
        assert await messages(host) == 11


async def test_a_room_that_is_reset_while_it_is_asked_is_asked_again() -> None:
    """Its next instance knows what the last one did."""
    async with host_for(app, clock=ManualClock()) as host, anyio.create_task_group() as group:
        calls = Outcomes(group)
        await room(host).add(1)
        held = CountedRoom.before_answer = Held()
        calls.of("stats", messages(host))
        await held.reached.wait()
        await failure(room(host).abort())
        await calls.ended("stats")
        assert calls == [("stats", 1)]


async def test_a_shard_that_is_reset_before_it_has_the_answer_asks_again() -> None:
    """Who waits is told; over a new stub the sums are exact."""
    async with host_for(app, clock=ManualClock()) as host, anyio.create_task_group() as group:
        calls = Outcomes(group)
        await room(host).add(1)
        held = CountedRoom.after_answer = Held()
        calls.of("stats", messages(host))
        await held.reached.wait()
        await failure(shard(host).abort())
        await calls.ended("stats")
        assert isinstance(calls[0][1], DurableObjectError)
        held.release.set()
        await room(host).add(10)
        assert await messages(host) == 11


async def test_a_crash_before_the_answer_is_stored(tmp_path: Path) -> None:
    """The room is dirty still, and says the same again."""
    async with host_for(app, clock=ManualClock(), data_dir=tmp_path) as host:
        async with anyio.create_task_group() as group:
            calls = Outcomes(group)
            await room(host).add(1)
            held = CountedRoom.after_answer = Held()
            calls.of("stats", messages(host))
            await held.reached.wait()
            await host.crash()
            await calls.ended("stats")
    async with host_for(app, clock=ManualClock(), data_dir=tmp_path) as host:
        assert await messages(host) == 1
        await room(host).add(10)
        assert await messages(host) == 11


async def test_a_crash_between_mark_and_write(tmp_path: Path) -> None:
    """The room is asked, and has what it had."""
    async with host_for(app, clock=ManualClock(), data_dir=tmp_path) as host:
        await room(host, "old").add(1)
        assert await messages(host) == 1
        await room(host, "old").mark()
        await room(host, "new").mark()
        await host.crash()
    CountedRoom.asked.clear()
    async with host_for(app, clock=ManualClock(), data_dir=tmp_path) as host:
        assert await messages(host) == 1
        assert sorted(CountedRoom.asked) == ["new", "old"]
        await room(host, "new").add(10)
        await room(host, "old").add(100)
        assert await messages(host) == 111


async def test_what_was_acknowledged_before_a_crash_is_counted(tmp_path: Path) -> None:
    """Whether anybody asked before or not."""
    for n in range(1, 4):
        async with host_for(app, clock=ManualClock(), data_dir=tmp_path) as host:
            await room(host).add(1)
            if n == 2:
                assert await messages(host) == 12
            await room(host, f"only in {n}").add(10)
            await host.crash()
    async with host_for(app, clock=ManualClock(), data_dir=tmp_path) as host:
        assert await messages(host) == 33
        assert (await host.env.COUNTED.directory.stats()).rooms == 4
