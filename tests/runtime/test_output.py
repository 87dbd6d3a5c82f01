"""What leaves an object waits for the disk, seen from outside (semantics.md 4.3 to 4.6)."""

from __future__ import annotations

# pyright: basic, reportPossiblyUnboundVariable=false, reportOptionalIterable=false
from typing import Any

import anyio
import pytest

from roomhost.runtime.testing import ManualClock, host_for
from roomhost.storage import StorageError

from ..helpers.actors import Disk, Laboratory, app, objects, within

pytestmark = pytest.mark.anyio


async def put(actor: Laboratory, key: str, value: Any) -> Any:
    """Write and reply."""
    await actor.ctx.storage.put(key, value)
    return value


async def read(actor: Laboratory) -> dict[str, Any]:
    """Everything stored, as the object sees it."""
    stored: dict[str, Any] = await actor.ctx.storage.list()
    return stored


class Calls:
    """Calls in flight, and what they ended with, in the order they did."""

    def __init__(self, group: Any) -> None:
        self._group = group
        self.ended: list[Any] = []

    async def start(self, stub: Any, function: Any, *arguments: Any) -> None:
        """Start a call, and wait until nothing moves any more."""
        self._group.start_soon(self.run, stub, function, *arguments)
        await anyio.wait_all_tasks_blocked()

    async def run(self, stub: Any, function: Any, *arguments: Any) -> None:
        try:
            self.ended.append(await within(stub, function, *arguments))
        except Exception as error:
            self.ended.append(error)


async def test_everything_that_leaves_waits_and_keeps_its_order() -> None:
    """Reply, exception and outgoing call of an object with a write on its way."""
    disk = Disk()
    log: list[str] = []

    async def note(actor: Laboratory, text: str) -> None:
        log.append(text)

    async def story(actor: Laboratory) -> str:
        await actor.ctx.storage.put("a", 1)
        await within(objects_of(actor, "other"), note, "outgoing call")
        return "reply"

    def objects_of(actor: Laboratory, name: str) -> Any:
        return actor.env.OBJECT.get_by_name(name)

    async def fails(actor: Laboratory) -> None:
        await actor.ctx.storage.put("b", 1)
        raise ValueError("handler")

    async with host_for(app, clock=ManualClock(), wrap_commit=disk) as host:
        stub = objects(host)
        await within(objects(host, "other"), note, "warm")
        disk.hold()
        async with anyio.create_task_group() as group:
            calls = Calls(group)
            await calls.start(stub, story)
            await calls.start(stub, fails)
            assert (log, calls.ended) == (["warm"], [])
            disk.release()
        assert log == ["warm", "outgoing call"]
        assert "reply" in calls.ended
        (error,) = (each for each in calls.ended if each != "reply")
        assert (type(error), str(error), error.remote) == (ValueError, "handler", True)


async def test_a_reply_waits_for_what_its_object_wrote_before_and_for_nothing_later() -> None:
    """Nor for another object: a reader of the same one does wait, a write made later holds nobody."""
    disk = Disk()
    async with host_for(app, clock=ManualClock(), wrap_commit=disk) as host:
        stub, other = objects(host), objects(host, "other")
        await within(other, read)
        disk.hold()
        async with anyio.create_task_group() as group:
            calls = Calls(group)
            await calls.start(stub, read)
            assert calls.ended == [{}]
            await calls.start(stub, put, "a", 1)
            await calls.start(stub, read)
            await calls.start(stub, lambda actor: "nothing read")
            assert calls.ended == [{}]
            await calls.start(other, read)
            assert calls.ended == [{}, {}]
            disk.release()
        assert len(calls.ended) == 5
        assert all(each in calls.ended for each in (1, {"a": 1}, "nothing read"))


async def test_a_failing_disk_gives_each_caller_the_storage_error_and_leaks_nothing() -> None:
    """The reader of what was never stored too; its stub stays broken, a new one sees the last state."""
    disk = Disk()
    async with host_for(app, clock=ManualClock(), wrap_commit=disk) as host:
        old, other = objects(host), objects(host, "other")
        assert await within(old, put, "a", "committed") == "committed"
        disk.hold()
        async with anyio.create_task_group() as group:
            calls = Calls(group)
            await calls.start(old, put, "a", "lost")
            await calls.start(old, read)
            await calls.start(old, put, "b", "lost")
            assert calls.ended == []
            disk.fail()
            disk.release()
        assert [type(each) for each in calls.ended] == [StorageError] * 3
        for error in calls.ended:
            assert "the disk is on fire" in str(error)
            assert error.durable_object_reset
            assert "lost" not in str(error)
        disk.fail(False)
        for _ in range(2):
            with pytest.raises(StorageError) as caught:
                await within(old, read)
            assert caught.value.durable_object_reset  # type: ignore[attr-defined]
        assert await within(objects(host), read) == {"a": "committed"}
        assert await within(objects(host), put, "b", 2) == 2
        assert await within(other, put, "a", 3) == 3
        await host.evict(objects(host))
        assert await within(objects(host), read) == {"a": "committed", "b": 2}


async def test_an_object_whose_commit_fails_takes_nobody_with_it() -> None:
    """Batches of one group fail one by one: the other objects' writes of it are stored."""
    bad: list[int] = []

    def wrap(commit: Any) -> Any:
        def wrapped(batches: Any) -> None:
            if any(batch.number in bad for batch in batches):
                raise StorageError("this object cannot be written")
            commit(batches)

        return wrapped

    async with host_for(app, clock=ManualClock(), wrap_commit=wrap) as host:
        names = [f"{number}" for number in range(20)]
        for name in names:
            await within(objects(host, name), put, "a", 0)
        bad.append(
            await within(
                objects(host, "7"),
                lambda actor: host.engine.partition.find(
                    host.namespaces["OBJECT"].number, bytes(actor.ctx.id)
                ),
            )
        )
        async with anyio.create_task_group() as group:
            calls = Calls(group)
            for name in names:
                group.start_soon(calls.run, objects(host, name), put, "a", int(name) + 1)
        errors = [each for each in calls.ended if isinstance(each, Exception)]
        assert [type(each) for each in errors] == [StorageError]
        bad.clear()
        got = [(await within(objects(host, name), read))["a"] for name in names]
        assert got == [0 if name == "7" else int(name) + 1 for name in names]


async def test_a_handler_that_goes_on_after_a_failed_commit_cannot_write() -> None:
    """It is unwound at its next step, whatever it catches; what it held back is not stored."""
    disk = Disk()
    log: list[str] = []
    go = anyio.Event()

    async def story(actor: Laboratory) -> str:
        try:
            await actor.ctx.storage.put("a", 1)
            await go.wait()
            log.append("went on")
            await actor.ctx.storage.put("b", 1)
        except Exception:
            log.append("caught")
        return "done"

    async with host_for(app, clock=ManualClock(), wrap_commit=disk) as host:
        async with anyio.create_task_group() as group:
            disk.fail()
            calls = Calls(group)
            await calls.start(objects(host), story)
            await host.settle()
            disk.fail(False)
            go.set()
        assert [type(each) for each in calls.ended] == [StorageError]
        assert log == []
        assert await within(objects(host), read) == {}


async def test_sync_brings_the_error_of_an_unconfirmed_write() -> None:
    """And the reply that did not wait for it has left long before."""
    disk = Disk()

    async def unconfirmed(actor: Laboratory) -> str:
        await actor.ctx.storage.put("a", 1, allow_unconfirmed=True)
        return "left"

    async def sync(actor: Laboratory) -> str:
        await actor.ctx.storage.sync()
        return "synced"

    async with host_for(app, clock=ManualClock(), wrap_commit=disk) as host:
        disk.hold()
        async with anyio.create_task_group() as group:
            calls = Calls(group)
            await calls.start(objects(host), unconfirmed)
            await calls.start(objects(host), lambda actor: "left too")
            assert calls.ended == ["left", "left too"]
            await calls.start(objects(host), sync)
            disk.fail()
            disk.release()
        assert type(calls.ended[2]) is StorageError
        disk.fail(False)
        assert await within(objects(host), read) == {}


async def test_many_callers_of_many_objects_share_their_commits() -> None:
    """What comes while the disk is busy goes to it as one group; none replies before its own."""
    disk = Disk()
    async with host_for(app, clock=ManualClock(), wrap_commit=disk) as host:
        await within(objects(host, "0"), put, "a", 0)
        before = host.statistics()
        disk.hold()
        async with anyio.create_task_group() as group:
            calls = Calls(group)
            for number in range(1_000):
                stub = objects(host, f"{number % 100}")
                group.start_soon(calls.run, stub, put, f"{number}", number)
            await anyio.wait_all_tasks_blocked()
            assert calls.ended == []
            disk.release()
        after = host.statistics()
        assert sorted(calls.ended) == list(range(1_000))
        assert after.batches - before.batches == 1_000
        assert after.commits - before.commits <= 3
        assert after.failed_batches == 0
        for name in range(100):
            stored = await within(objects(host, f"{name}"), read)
            assert len(stored) == 10 + (name == 0)
