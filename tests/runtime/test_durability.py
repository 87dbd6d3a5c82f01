"""Nothing leaves an object before what it depends on is on disk: the disk is held, and watched."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from roomhost.runtime import Request, Response, StorageError, WebSocketPair
from roomhost.runtime.testing import ManualClock, host_for

from ..helpers.disk import Disk
from ..helpers.scripted import Scripted, app, script

pytestmark = pytest.mark.anyio


class Calls:
    """Calls in progress, and what came of them, in order."""

    def __init__(self, group: anyio.abc.TaskGroup) -> None:
        self._group = group
        self.outcomes: list[Any] = []

    def make(self, label: str, call: Any) -> None:
        """Await a call in a task of its own."""
        self._group.start_soon(self._await, label, call)

    async def _await(self, label: str, call: Any) -> None:
        try:
            self.outcomes.append((label, await call))
        except Exception as error:
            self.outcomes.append((label, error))


async def put(actor: Scripted, key: str, value: Any) -> str:
    await actor.ctx.storage.put(key, value)
    return "put"


async def read(actor: Scripted) -> Any:
    return await actor.ctx.storage.list()


async def fail_after_put(actor: Scripted) -> None:
    await actor.ctx.storage.put("failed", True)
    raise ValueError("the handler's")


def use(*steps: Any) -> None:
    """Make functions scripts."""
    for step in steps:
        script(step)


async def test_a_reply_and_an_exception_wait_for_the_disk() -> None:
    """Held, nobody hears anything; released, everyone does."""
    use(put, fail_after_put)
    disk = Disk()
    async with host_for(app, clock=ManualClock(), wrap_commit=disk.wrap) as host:
        stub = host.env.OBJECT.get_by_name("a")
        disk.hold()
        async with anyio.create_task_group() as group:
            calls = Calls(group)
            calls.make("put", stub.run("put", "k", 1))
            calls.make("error", stub.run("fail_after_put"))
            await disk.reached()
            await anyio.wait_all_tasks_blocked()
            assert calls.outcomes == []
            disk.release()
        outcomes = dict(calls.outcomes)
        assert outcomes["put"] == "put"
        assert str(outcomes["error"]) == "the handler's"


async def test_a_reply_that_comes_after_a_write_of_another_event_waits_too() -> None:
    """The gate is the object's: what a reader has seen is on disk when he is told."""
    use(put, read)
    disk = Disk()
    async with host_for(app, clock=ManualClock(), wrap_commit=disk.wrap) as host:
        stub = host.env.OBJECT.get_by_name("a")
        disk.hold()
        async with anyio.create_task_group() as group:
            calls = Calls(group)
            calls.make("put", stub.run("put", "k", 1))
            calls.make("read", stub.run("read"))
            calls.make("other", host.env.OBJECT.get_by_name("b").run("read"))
            await disk.reached()
            await anyio.wait_all_tasks_blocked()
            assert calls.outcomes == [("other", {})]
            disk.release()
        assert dict(calls.outcomes) == {"other": {}, "put": "put", "read": {"k": 1}}


async def test_messages_and_outgoing_calls_wait_for_the_disk() -> None:
    """A frame and a call to another object leave after the write before them, in order."""
    clients: list[Any] = []

    @script
    async def work(actor: Scripted) -> None:
        pair = WebSocketPair()
        actor.ctx.accept_web_socket(pair.server)
        pair.client.accept()
        clients.append(pair.client)
        pair.server.send("before")
        await actor.ctx.storage.put("k", 1)
        pair.server.send("after")
        await actor.env.OBJECT.get_by_name("other").run("note")
        pair.server.send("last")

    noted: list[str] = []

    @script
    async def note(actor: Scripted) -> None:
        noted.append("called")

    disk = Disk()
    async with host_for(app, clock=ManualClock(), wrap_commit=disk.wrap) as host:
        disk.hold()
        async with anyio.create_task_group() as group:
            calls = Calls(group)
            calls.make("work", host.env.OBJECT.get_by_name("a").run("work"))
            await disk.reached()
            await anyio.wait_all_tasks_blocked()
            assert await clients[0].receive() == "before"
            assert noted == []
            with anyio.move_on_after(0):
                await clients[0].receive()
                raise AssertionError("a frame left before the disk was done")
            disk.release()
        assert noted == ["called"]
        assert [await clients[0].receive() for _ in range(2)] == ["after", "last"]


async def test_a_write_made_later_delays_nothing_that_left_before() -> None:
    """A reply waits for the commits begun before it, not for those after."""
    use(put)
    disk = Disk()
    async with host_for(app, clock=ManualClock(), wrap_commit=disk.wrap) as host:
        stub = host.env.OBJECT.get_by_name("a")

        @script
        async def reply_first(actor: Scripted) -> str:
            async def later() -> None:
                await anyio.lowlevel.checkpoint()
                await actor.ctx.storage.put("later", 1)

            disk.hold()
            actor.ctx.wait_until(later())
            return "reply"

        assert await stub.run("reply_first") == "reply"
        await disk.reached()
        disk.release()


async def test_unconfirmed_writes_hold_nothing_back_but_sync() -> None:
    """`allow_unconfirmed` lets the reply go; `sync()` waits; a confirmed one in the batch too."""

    @script
    async def unconfirmed(actor: Scripted) -> str:
        await actor.ctx.storage.put("k", 1, allow_unconfirmed=True)
        return "reply"

    @script
    async def sync(actor: Scripted) -> str:
        await actor.ctx.storage.sync()
        return "synced"

    @script
    async def mixed(actor: Scripted) -> str:
        await actor.ctx.storage.put("soft", 1, allow_unconfirmed=True)
        await actor.ctx.storage.put("hard", 1)
        return "mixed"

    disk = Disk()
    async with host_for(app, clock=ManualClock(), wrap_commit=disk.wrap) as host:
        stub = host.env.OBJECT.get_by_name("a")
        disk.hold()
        async with anyio.create_task_group() as group:
            calls = Calls(group)
            assert await stub.run("unconfirmed") == "reply"
            calls.make("sync", stub.run("sync"))
            calls.make("mixed", stub.run("mixed"))
            await disk.reached()
            await anyio.wait_all_tasks_blocked()
            assert calls.outcomes == []
            disk.release()
        assert sorted(calls.outcomes) == [("mixed", "mixed"), ("sync", "synced")]


async def test_a_failed_commit_resets_the_object_to_what_was_committed() -> None:
    """Every caller gets the storage error, nothing leaks, the old stub stays broken, a new one sees
    the last committed state. Another object is not disturbed."""
    use(put, read)
    disk = Disk()
    async with host_for(app, clock=ManualClock(), wrap_commit=disk.wrap) as host:
        stub = host.env.OBJECT.get_by_name("a")
        await stub.run("put", "kept", 1)
        disk.failing = True
        disk.hold()
        async with anyio.create_task_group() as group:
            calls = Calls(group)
            calls.make("put", stub.run("put", "lost", 1))
            calls.make("read", stub.run("read"))
            await disk.reached()
            await anyio.wait_all_tasks_blocked()
            disk.release()
        for _, error in calls.outcomes:
            assert isinstance(error, StorageError)
            assert "free space" in str(error)
            assert error.durable_object_reset  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
        disk.failing = False
        with pytest.raises(StorageError):
            await stub.run("read")
        fresh = host.env.OBJECT.get_by_name("a")
        assert await fresh.run("read") == {"kept": 1}
        assert await fresh.run("put", "again", 2) == "put"
        assert await host.env.OBJECT.get_by_name("b").run("put", "k", 1) == "put"
        assert host.statistics().failed_batches == 1


async def test_an_object_whose_commit_failed_is_reset_though_somebody_waits_to_evict_it() -> None:
    """The next stub meets a new object, which has no trouble."""
    use(put, read)
    disk = Disk()
    async with host_for(app, clock=ManualClock(), wrap_commit=disk.wrap) as host:
        stub = host.env.OBJECT.get_by_name("a")
        await stub.run("read")
        disk.hold()
        async with anyio.create_task_group() as group:
            calls = Calls(group)
            calls.make("put", stub.run("put", "n", 1))
            await disk.reached()
            await anyio.wait_all_tasks_blocked()
            calls.make("evict", host.evict(stub))
            await anyio.wait_all_tasks_blocked()
            disk.failing = True
            disk.release()
        disk.failing = False
        assert isinstance(dict(calls.outcomes)["put"], StorageError)
        again = host.env.OBJECT.get_by_name("a")
        assert await again.run("put", "n", 2) == "put"
        assert await again.run("read") == {"n": 2}


async def test_a_new_instance_waits_for_what_the_old_one_had_written() -> None:
    """After an abort the writer may still have batches of the object: it starts when they are done,
    and sees them."""
    use(put, read)

    @script
    async def put_and_abort_later(actor: Scripted) -> None:
        await actor.ctx.storage.put("first", 1)
        await anyio.lowlevel.checkpoint()
        await actor.ctx.storage.put("dropped", 1)
        actor.ctx.abort("enough")

    disk = Disk()
    async with host_for(app, clock=ManualClock(), wrap_commit=disk.wrap) as host:
        disk.hold()
        async with anyio.create_task_group() as group:
            calls = Calls(group)
            calls.make("abort", host.env.OBJECT.get_by_name("a").run("put_and_abort_later"))
            await disk.reached()
            await anyio.wait_all_tasks_blocked()
            assert str(calls.outcomes[0][1]) == "enough"
            fresh = host.env.OBJECT.get_by_name("a")
            calls.make("read", fresh.run("read"))
            calls.make("put", fresh.run("put", "second", 2))
            await anyio.wait_all_tasks_blocked()
            assert len(calls.outcomes) == 1
            disk.release()
        assert dict(calls.outcomes[1:]) == {"read": {"first": 1}, "put": "put"}
        assert await fresh.run("read") == {"first": 1, "second": 2}


async def test_what_one_turn_writes_is_stored_whole_or_not_at_all(tmp_path: Path) -> None:
    """A crash before the commit loses the whole turn, one after it nothing."""

    @script
    async def two_turns(actor: Scripted) -> None:
        await actor.ctx.storage.put("a", 1)
        await actor.ctx.storage.put("b", 1)
        await anyio.lowlevel.checkpoint()
        disk.hold()
        await actor.ctx.storage.put("c", 1)
        await actor.ctx.storage.delete("a")

    use(read)
    disk = Disk()
    async with host_for(app, clock=ManualClock(), data_dir=tmp_path, wrap_commit=disk.wrap) as host:
        async with anyio.create_task_group() as group:
            calls = Calls(group)
            calls.make("two", host.env.OBJECT.get_by_name("a").run("two_turns"))
            await disk.reached()
            disk.failing = True  # the commit that was reached is torn away by the crash
            disk.release()
            await host.crash()
        error = calls.outcomes[0][1]
        assert error.retryable or isinstance(error, StorageError)
    async with host_for(app, clock=ManualClock(), data_dir=tmp_path) as host:
        found = await host.env.OBJECT.get_by_name("a").run("read")
        assert found in ({}, {"a": 1, "b": 1})


async def test_many_callers_share_a_commit() -> None:
    """Sixty-four writes at once cost a few transactions, not sixty-four."""
    use(put)
    disk = Disk()
    async with host_for(app, clock=ManualClock(), wrap_commit=disk.wrap) as host:
        disk.hold()
        calls = [
            host.env.OBJECT.get_by_name(str(number)).run("put", "k", 1) for number in range(64)
        ]
        await disk.reached()
        await anyio.wait_all_tasks_blocked()
        disk.release()
        for call in calls:
            await call
        statistics = host.statistics()
        assert statistics.batches == 64
        assert statistics.commits <= 2, "the one that was held, and one for all that came meanwhile"


async def test_a_stream_leaves_chunk_by_chunk_as_it_becomes_durable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A chunk produced after a write waits for it; the instance stays until the stream has ended."""
    disk = Disk()

    async def produce(actor: Scripted) -> AsyncIterator[bytes]:
        yield b"first"
        disk.hold()
        await actor.ctx.storage.put("k", 1)
        yield b"second"

    async with host_for(app, clock=ManualClock(), wrap_commit=disk.wrap) as host:
        stub = host.env.OBJECT.get_by_name("a")

        async def fetch(self: Scripted, request: Request) -> Response:
            return Response(produce(self))

        monkeypatch.setattr(Scripted, "fetch", fetch, raising=False)
        response = await stub.fetch("http://x/")
        chunks: list[bytes] = []

        async def consume() -> None:
            async for chunk in response.stream():
                chunks.append(chunk)

        async with anyio.create_task_group() as group:
            group.start_soon(consume)
            await disk.reached()
            await anyio.wait_all_tasks_blocked()
            assert chunks == [b"first"]
            disk.release()
        assert chunks == [b"first", b"second"]


async def test_an_object_that_cannot_be_read_fails_its_callers_and_not_the_host(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before it starts: they get the storage error, and it starts once it can be read."""
    use(read)

    def fail(*_: object) -> None:
        raise StorageError("storage cannot be read")

    async with host_for(app, clock=ManualClock()) as host:
        await host.env.OBJECT.get_by_name("other").run("read")
        stub = host.env.OBJECT.get_by_name("a")
        with monkeypatch.context() as broken:
            broken.setattr(host.engine.partition, "find", fail)
            for call in [stub.run("read"), stub.run("read")]:
                with pytest.raises(StorageError, match="cannot be read"):
                    await call
        assert await stub.run("read") == {}
        assert await host.env.OBJECT.get_by_name("other").run("read") == {}
