"""From writes to the disk: coalescing and failures."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from roomhost.runtime import AlarmInfo, StorageError, WebSocketClosed
from roomhost.runtime.testing import ManualClock, host_for

from ..helpers.disk import Disk
from ..helpers.in_flight import in_flight
from ..helpers.mortal import Mortal, opened
from ..helpers.mortal import app as mortal_app
from ..helpers.scripted import Scripted, app, script
from .feature import Feature, mistake, shows

pytestmark = pytest.mark.anyio

FAILURE = Feature("a failed write resets the object", "4.5, 2.4")
REPLACED = Feature("a failed write: nothing of its turn leaves", "4.4, 4.5")
BEFORE = Feature("a failed write: what waited for earlier ones leaves", "4.3")
KEPT = Feature("a failed write: the last committed state stays", "4.5")
COALESCED = Feature("writes without a wait between them are one commit", "4.6")
LAST = Feature("writes in flight: the last one wins, reads see it", "4.6, 9.4")
APART = Feature("no atomicity over several objects", "4.6")


@script
async def read(actor: Scripted) -> dict[str, Any]:
    """Everything stored."""
    return await actor.ctx.storage.list()


@script
async def write(actor: Scripted, key: str, value: Any = True) -> Any:
    """Write, and reply with the value."""
    await actor.ctx.storage.put(key, value)
    return value


@pytest.fixture(autouse=True)
def shared_scripts(no_scripts: None) -> None:
    """What most stories here use."""
    script(read)
    script(write)


@shows(FAILURE, KEPT)
async def test_a_failed_write_resets_the_object() -> None:
    """Callers get the storage error, the stub is broken, a new one finds the last stored state."""
    disk = Disk()
    async with host_for(app, clock=ManualClock(), wrap_commit=disk.wrap) as host:
        stub = host.env.OBJECT.get_by_name("a")
        assert await stub.run("write", "n", 1) == 1
        disk.failing = True
        for call in (stub.run("write", "n", 2), stub.run("read")):
            with pytest.raises(StorageError, match="disk is full") as caught:
                await call
            assert getattr(caught.value, "durable_object_reset", False)
        disk.failing = False
        with pytest.raises(StorageError, match="disk is full"):
            await stub.run("read")
        assert await host.env.OBJECT.get_by_name("a").run("read") == {"n": 1}


@shows(FAILURE, REPLACED)
async def test_every_caller_in_flight_gets_the_storage_error() -> None:
    """The writer, one who read what it wrote, and a handler that only waited."""
    disk = Disk()

    @script
    async def waits(actor: Scripted) -> None:
        await anyio.sleep_forever()

    async with host_for(app, clock=ManualClock(), wrap_commit=disk.wrap) as host:
        async with in_flight() as calls:
            stub = host.env.OBJECT.get_by_name("a")
            disk.hold()
            await calls.start("waits", stub.run("waits"))
            await calls.start("writer", stub.run("write", "n", 1))
            await calls.start("reader", stub.run("read"))
            disk.failing = True
            disk.release()
        assert {type(error) for error in calls.ended.values()} == {StorageError}
        assert len(calls.ended) == 3


@shows(REPLACED)
async def test_an_exception_after_a_failed_write_becomes_the_storage_error() -> None:
    """The handler's own would tell of a state that never was."""
    disk = Disk()

    @script
    async def story(actor: Scripted) -> None:
        await actor.ctx.storage.put("n", 1)
        raise LookupError("after the write")

    async with host_for(app, clock=ManualClock(), wrap_commit=disk.wrap) as host:
        disk.failing = True
        with pytest.raises(StorageError, match="disk is full"):
            await host.env.OBJECT.get_by_name("a").run("story")
        disk.failing = False


@shows(REPLACED)
async def test_neither_calls_nor_frames_leave_after_a_failed_write() -> None:
    """The other object is not called; the client sees its connection lost, and no message."""
    disk = Disk()
    visits: list[str] = []

    @script
    def visit(actor: Mortal) -> None:
        visits.append("visit")

    @script
    async def story(actor: Mortal) -> None:
        await actor.ctx.storage.put("n", 1)
        for ws in actor.ctx.get_web_sockets():
            ws.send("stored")
        await actor.env.OBJECT.get_by_name("other").run("visit")

    async with host_for(mortal_app, clock=ManualClock(), wrap_commit=disk.wrap) as host:
        stub = host.env.OBJECT.get_by_name("a")
        ws = await opened(stub)
        disk.failing = True
        with pytest.raises(StorageError, match="disk is full"):
            await stub.run("story")
        with pytest.raises(WebSocketClosed) as ended:
            await ws.receive()
        assert (ended.value.code, visits) == (1006, [])
        disk.failing = False


@shows(BEFORE)
async def test_what_waited_for_an_earlier_write_leaves_although_a_later_one_fails() -> None:
    """The first commit is stored and told; the second is not."""
    disk = Disk()
    async with host_for(app, clock=ManualClock(), wrap_commit=disk.wrap) as host:
        async with in_flight() as calls:
            stub = host.env.OBJECT.get_by_name("a")
            disk.hold()
            await calls.start("first", stub.run("write", "a", 1))
            await disk.reached()
            await calls.start("second", stub.run("write", "b", 2))
            disk.release()
            disk.hold()
            await disk.reached()
            disk.failing = True
            disk.release()
        assert calls.ended["first"] == 1
        assert isinstance(calls.ended["second"], StorageError)
        disk.failing = False
        assert await host.env.OBJECT.get_by_name("a").run("read") == {"a": 1}


@shows(KEPT)
async def test_a_failed_commit_leaves_the_alarm_as_it_was() -> None:
    """The handler runs again, at the old time, and what it wrote in vain is gone."""
    clock, disk = ManualClock(), Disk()
    runs: list[int] = []

    @script
    async def alarm(actor: Scripted, info: AlarmInfo) -> None:
        runs.append(await actor.ctx.storage.get("runs", 0))
        await actor.ctx.storage.put("runs", len(runs))

    @script
    async def start(actor: Scripted) -> None:
        await actor.ctx.storage.set_alarm(clock.now_ms() + 1_000)

    async with host_for(app, clock=clock, wrap_commit=disk.wrap) as host:
        await host.env.OBJECT.get_by_name("a").run("start")
        disk.failing = True
        await clock.advance(1)
        assert runs == [0]
        disk.failing = False
        await clock.advance(60)
    assert runs == [0, 0]


@shows(COALESCED)
@mistake(16)
@pytest.mark.parametrize("awaited", [False, True])
async def test_mistake_16_writes_of_one_turn_are_one_batch(awaited: bool) -> None:
    """Awaited or not: `put`, `delete` and the alarm go together."""
    clock = ManualClock()

    @script
    async def story(actor: Scripted) -> None:
        storage = actor.ctx.storage
        for write in (
            lambda: storage.put("a", 1),
            lambda: storage.put({"b": 2, "c": 3}),
            lambda: storage.delete("a"),
            lambda: storage.set_alarm(clock.now_ms() + 60_000),
        ):
            done = write()
            if awaited:
                await done

    async with host_for(app, clock=clock) as host:
        before = host.statistics().batches
        await host.env.OBJECT.get_by_name("a").run("story")
        assert host.statistics().batches == before + 1
        assert await host.env.OBJECT.get_by_name("a").run("read") == {"b": 2, "c": 3}


@shows(COALESCED)
@mistake(16)
async def test_mistake_16_a_turn_is_stored_whole_or_not_at_all() -> None:
    """After a crash there is the first turn, whole, and nothing of the second."""
    disk = Disk()
    go = anyio.Event()

    @script
    async def story(actor: Scripted) -> None:
        actor.ctx.storage.put("a", 1)
        actor.ctx.storage.put("b", 1)
        await go.wait()
        actor.ctx.storage.put("a", 2)
        actor.ctx.storage.put("b", 2)

    async with host_for(app, clock=ManualClock(), wrap_commit=disk.wrap) as host:
        async with in_flight() as calls:
            await calls.start("story", host.env.OBJECT.get_by_name("a").run("story"))
            await host.settle()
            disk.failing = True
            go.set()
        assert isinstance(calls.ended["story"], StorageError)
        disk.failing = False
        assert await host.env.OBJECT.get_by_name("a").run("read") == {"a": 1, "b": 1}


@shows(COALESCED)
async def test_a_real_wait_parts_two_commits() -> None:
    """What was written before it is stored without what comes after."""
    go = anyio.Event()

    @script
    async def story(actor: Scripted) -> None:
        await actor.ctx.storage.put("a", 1)
        await go.wait()
        await actor.ctx.storage.put("b", 2)

    async with host_for(app, clock=ManualClock()) as host, in_flight() as calls:
        before = host.statistics().batches
        await calls.start("story", host.env.OBJECT.get_by_name("a").run("story"))
        await host.settle()
        assert host.statistics().batches == before + 1
        go.set()
        await host.settle()
        assert host.statistics().batches == before + 2


@shows(LAST)
async def test_of_writes_to_one_key_the_last_wins_and_reads_see_it_before_the_disk() -> None:
    """In one turn and over several that are in flight together."""
    disk = Disk()
    seen: list[Any] = []

    @script
    async def story(actor: Scripted, value: int) -> None:
        await actor.ctx.storage.put("n", -value)
        await actor.ctx.storage.put("n", value)
        seen.append(await actor.ctx.storage.get("n"))

    async with host_for(app, clock=ManualClock(), wrap_commit=disk.wrap) as host:
        async with in_flight() as calls:
            stub = host.env.OBJECT.get_by_name("a")
            disk.hold()
            for value in (1, 2, 3):
                await calls.start(str(value), stub.run("story", value))
            assert (seen, calls.ended) == ([1, 2, 3], {})
            disk.release()
        assert await host.evict(stub)
        assert await stub.run("read") == {"n": 3}


@shows(APART)
async def test_two_objects_commit_apart() -> None:
    """What one wrote stays when the other one, called by it, fails."""

    @script
    async def other(actor: Scripted) -> None:
        await actor.ctx.storage.put("other", True)
        actor.ctx.abort("the other one")

    @script
    async def story(actor: Scripted) -> None:
        await actor.ctx.storage.put("mine", True)
        await actor.env.OBJECT.get_by_name("b").run("other")

    async with host_for(app, clock=ManualClock()) as host:
        with pytest.raises(Exception, match="the other one"):
            await host.env.OBJECT.get_by_name("a").run("story")
        assert await host.env.OBJECT.get_by_name("a").run("read") == {"mine": True}
        assert await host.env.OBJECT.get_by_name("b").run("read") == {}
