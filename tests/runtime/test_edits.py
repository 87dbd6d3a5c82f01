"""Changes to an object from outside of its code, and the instance they do or do not meet."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import anyio
import anyio.to_thread
import pytest

from roomhost.bindings import App
from roomhost.runtime import DurableObject, Host
from roomhost.runtime.commits import Commits
from roomhost.runtime.durable_storage import put_now
from roomhost.runtime.edits import edit, evict
from roomhost.runtime.testing import host_for
from roomhost.storage import Batch, StorageError


class Box(DurableObject):
    """Reads what is stored once, when it starts."""

    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self.seen = ctx.storage.kv.get("n")

    async def look(self) -> Any:
        """What it saw."""
        return self.seen

    async def set(self, n: int) -> None:
        """Store another."""
        await self.ctx.storage.put("n", n)

    async def raise_by_one(self) -> None:
        """A transaction that waits in the middle."""

        async def run(txn: Any) -> None:
            before = await txn.get("n")
            STEPS["begun"].set()
            await STEPS["go on"].wait()
            await txn.put("n", before + 1)

        await self.ctx.storage.transaction(run)


STEPS: dict[str, anyio.Event] = {}
app = App(name="edits", bindings={"BOX": Box})


async def put(host: Host, n: Any, name: str = "a") -> None:
    """Change the box."""
    object_id = host.env.BOX.id_from_name(name)

    def change(commits: Commits) -> None:
        put_now(commits, "n", n, confirmed=True)

    await edit(host.engine, host.namespaces["BOX"].number, object_id, change)


async def test_no_instance_is_needed() -> None:
    """And none is started: the first one reads what was changed. The object is stored by its name."""
    async with host_for(app) as host:
        await put(host, 1)
        assert host.statistics().activations == 0
        assert [each.name for each in host.list_objects("BOX")] == ["a"]
        assert await host.env.BOX.get_by_name("a").look() == 1


class Held:
    """Commits that wait until they are let go."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.go = threading.Event()
        self.error: StorageError | None = None

    def wrap(self, commit: Any) -> Any:
        """For `wrap_commit`."""

        def held(batches: Sequence[Batch]) -> None:
            self.begun.set()
            assert self.go.wait(10)
            if self.error is not None:
                raise self.error
            commit(batches)

        return held


async def test_no_instance_starts_before_a_change_is_durable() -> None:
    """It would read the state before it, and write over it."""
    held = Held()
    async with host_for(app, wrap_commit=held.wrap) as host:
        looked: list[Any] = []

        async def look() -> None:
            looked.append(await host.env.BOX.get_by_name("a").look())

        async with anyio.create_task_group() as group:
            group.start_soon(put, host, 1)
            assert await anyio.to_thread.run_sync(held.begun.wait, 10)
            group.start_soon(look)
            await anyio.wait_all_tasks_blocked()
            assert looked == []
            assert host.statistics().activations == 0
            held.go.set()
        assert looked == [1]


async def test_a_change_that_cannot_be_stored_is_told_and_the_object_starts_all_the_same() -> None:
    """From what was there before."""
    held = Held()
    held.go.set()
    async with host_for(app, wrap_commit=held.wrap) as host:
        await put(host, 1)
        held.error = StorageError("the disk is full")
        with pytest.raises(StorageError, match="the disk is full"):
            await put(host, 2)
        held.error = None
        assert await host.env.BOX.get_by_name("a").look() == 1
        await host.env.BOX.get_by_name("a").set(3)


async def test_with_an_instance_there_it_goes_through_its_gates() -> None:
    """So it never stands in the middle of a transaction, whose writes would go over it."""
    STEPS.update({"begun": anyio.Event(), "go on": anyio.Event()})
    async with host_for(app) as host:
        stub = host.env.BOX.get_by_name("a")
        await stub.set(10)
        done: list[int] = []

        async def change() -> None:
            await put(host, 100)
            done.append(100)

        async with anyio.create_task_group() as group:
            group.start_soon(stub.raise_by_one)
            await STEPS["begun"].wait()
            group.start_soon(change)
            await anyio.wait_all_tasks_blocked()
            assert done == []
            STEPS["go on"].set()
        assert done == [100]
        await evict(stub.__channel__.slot())
        assert await stub.look() == 100


async def test_what_a_change_raises_leaves_everything_as_it_was() -> None:
    """With an instance and without one."""

    def fail(commits: Commits) -> None:
        raise LookupError("no")

    async with host_for(app) as host:
        number, object_id = host.namespaces["BOX"].number, host.env.BOX.id_from_name("a")
        for _ in range(2):
            with pytest.raises(LookupError, match="no"):
                await edit(host.engine, number, object_id, fail)
            assert await host.env.BOX.get_by_name("a").look() is None
        assert host.statistics().commits == 0


async def test_a_cancelled_caller_does_not_hold_the_object() -> None:
    """The change is made; the next event starts an instance."""
    held = Held()
    async with host_for(app, wrap_commit=held.wrap) as host:
        async with anyio.create_task_group() as group:
            group.start_soon(put, host, 1)
            assert await anyio.to_thread.run_sync(held.begun.wait, 10)
            group.cancel_scope.cancel()
        held.go.set()
        assert await host.env.BOX.get_by_name("a").look() == 1


async def test_evicting_what_is_not_there_does_nothing() -> None:
    """Nor does it wait."""
    async with host_for(app) as host:
        stub = host.env.BOX.get_by_name("a")
        slot = stub.__channel__.slot()
        assert await evict(slot) is False
        await stub.look()
        assert await evict(slot, 1.0) is True
        assert slot.activation is None
