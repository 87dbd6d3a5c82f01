"""Transactions: what waits for the disk, and crashes"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from roomhost.runtime import DurableObjectStorage, DurableObjectTransaction, StorageError
from roomhost.runtime.testing import ManualClock, host_for

from ..helpers.actors import app, objects, within
from ..helpers.disk import Disk
from ..helpers.stories import Outcomes, held_host, stored, stored_afresh, tell_to
from .feature import Feature, mistake, shows

pytestmark = pytest.mark.anyio

CONFIRMED = Feature("storage.transaction: a reply waits for the commit", "5.7")
UNCONFIRMED = Feature("storage.transaction: allowUnconfirmed", "5.7")
NESTED = Feature("storage.transaction: allowUnconfirmed in nested ones", "4.4")
FAILURE = Feature("storage.transaction: a commit that fails", "4.5")
ATOMIC = Feature("storage.transaction: all or nothing through a crash", "4.6")

NOW_MS = 1_800_000_000_000
REPLY = [("call", "reply")]
SOFT: dict[str, Any] = {"allow_unconfirmed": True}
WRITES: dict[str, Callable[..., Any]] = {
    "put": lambda storage, **options: storage.put("k", 2, **options),
    "put many": lambda storage, **options: storage.put({"a": 1, "b": 2}, **options),
    "delete": lambda storage, **options: storage.delete("k", **options),
    "delete many": lambda storage, **options: storage.delete(["k", "x"], **options),
    "set_alarm": lambda storage, **options: storage.set_alarm(NOW_MS + 60_000, **options),
    "delete_alarm": lambda storage, **options: storage.delete_alarm(**options),
}

each_write = pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)


class Undo(Exception):
    """What a callback raises to have its transaction undone."""


async def prepare(storage: DurableObjectStorage) -> None:
    """One entry and an alarm in an hour."""
    await storage.put("k", 1)
    await storage.set_alarm(NOW_MS + 3_600_000)


async def told_meanwhile(story: Callable[[DurableObjectStorage], Any]) -> list[Any]:
    """What the caller of a story of a prepared object is told while the disk is held, after the
    story's commit has come to it. Once it is released he is told in any case."""
    disk = Disk()

    async def told(storage: DurableObjectStorage) -> str:
        await story(storage)
        return "reply"

    async with host_for(app, clock=ManualClock(NOW_MS), wrap_commit=disk.wrap) as host:
        await tell_to(objects(host), prepare)
        disk.hold()
        async with anyio.create_task_group() as group:
            outcomes = Outcomes(group)
            outcomes.of("call", tell_to(objects(host), told))
            await disk.reached()
            await anyio.wait_all_tasks_blocked()
            meanwhile = list(outcomes)
            disk.release()
    assert outcomes == REPLY
    return meanwhile


@shows(CONFIRMED)
@each_write
async def test_a_reply_waits_for_the_commit_of_a_transaction(write: Callable[..., Any]) -> None:
    """Whatever it wrote."""
    assert await told_meanwhile(lambda storage: storage.transaction(write)) == []


@shows(UNCONFIRMED)
@each_write
async def test_a_reply_does_not_wait_for_a_transaction_of_unconfirmed_writes(
    write: Callable[..., Any],
) -> None:
    """When every write in it is one."""

    async def story(storage: DurableObjectStorage) -> None:
        await storage.transaction(lambda txn: write(txn, **SOFT))

    assert await told_meanwhile(story) == REPLY


@shows(UNCONFIRMED)
@each_write
@pytest.mark.parametrize("through", ["txn", "storage", "kv"])
async def test_one_confirmed_write_makes_a_transaction_confirmed(
    write: Callable[..., Any], through: str
) -> None:
    """Of `txn`, of `ctx.storage`, of `kv`, among unconfirmed ones."""

    async def story(storage: DurableObjectStorage) -> None:
        async def callback(txn: DurableObjectTransaction) -> None:
            await write(txn, **SOFT)
            if through == "kv":
                storage.kv.put("hard", 1)
            else:
                await (txn if through == "txn" else storage).put("hard", 1)
            await write(txn, **SOFT)

        await storage.transaction(callback)

    assert await told_meanwhile(story) == []


@shows(NESTED)
@pytest.mark.parametrize("confirmed", range(4))
@pytest.mark.parametrize("sync", [True, False])
async def test_a_confirmed_write_at_any_level_makes_the_commit_confirmed(
    confirmed: int, sync: bool
) -> None:
    """Of three levels, the last of them synchronous or not; with none of them it is not."""

    async def story(storage: DurableObjectStorage) -> None:
        def write(depth: int) -> None:
            storage.put(f"level {depth}", 1, allow_unconfirmed=depth != confirmed)

        async def level(depth: int) -> None:
            write(depth)
            if depth == 2 and sync:
                storage.transaction_sync(lambda: write(3))
            elif depth < 3:
                await storage.transaction(lambda txn: level(depth + 1))

        await storage.transaction(lambda txn: level(1))

    assert await told_meanwhile(story) == (REPLY if confirmed == 0 else [])


@shows(NESTED)
@pytest.mark.parametrize("kind", ["raise", "roll back", "sync"])
async def test_a_confirmed_write_that_is_undone_confirms_nothing(kind: str) -> None:
    """What is left of the transaction is unconfirmed."""

    async def story(storage: DurableObjectStorage) -> None:
        def undone(*transactions: DurableObjectTransaction) -> None:
            storage.put("hard", 1)
            if kind != "roll back":
                raise Undo
            transactions[0].rollback()

        async def outer(txn: DurableObjectTransaction) -> None:
            await txn.put("soft", 1, **SOFT)
            try:
                if kind == "sync":
                    storage.transaction_sync(undone)
                else:
                    await storage.transaction(undone)
            except Undo:
                assert kind != "roll back"

        await storage.transaction(outer)

    assert await told_meanwhile(story) == REPLY


@shows(CONFIRMED)
async def test_nothing_goes_to_the_disk_while_a_transaction_is_open() -> None:
    """However often its callback suspends."""
    opened, go = anyio.Event(), anyio.Event()

    async def callback(txn: DurableObjectTransaction) -> None:
        for number in range(3):
            await txn.put(f"k{number}", number)
            await anyio.lowlevel.checkpoint()
        opened.set()
        await go.wait()

    async with host_for(app, clock=ManualClock()) as host:
        async with anyio.create_task_group() as group:
            call = tell_to(objects(host), lambda storage: storage.transaction(callback))
            Outcomes(group).of("call", call)
            await opened.wait()
            await anyio.wait_all_tasks_blocked()
            assert host.statistics().batches == 0
            go.set()
        assert host.statistics().batches == 1
        assert await stored_afresh(host) == {"k0": 0, "k1": 1, "k2": 2}


@shows(CONFIRMED)
async def test_a_rollback_takes_back_nothing_that_is_on_its_way_to_the_disk() -> None:
    """What was written before the transaction lands while it runs, and is there afterwards."""
    disk = Disk()
    opened, go = anyio.Event(), anyio.Event()
    before = {"k": "before", "other": "before"}

    async def callback(txn: DurableObjectTransaction) -> None:
        await txn.put("k", "inside")
        await txn.delete("other")
        opened.set()
        await go.wait()
        txn.rollback()

    async def story(storage: DurableObjectStorage) -> Any:
        await storage.transaction(callback)
        return await storage.list()

    async with held_host(disk) as (host, outcomes):
        outcomes.of("put", tell_to(objects(host), lambda storage: storage.put(before)))
        await disk.reached()
        outcomes.of("transaction", tell_to(objects(host), story))
        await opened.wait()
        disk.release()
        await outcomes.ended("put")
        go.set()
        await outcomes.ended("transaction")
        assert outcomes[1] == ("transaction", before)
        assert await stored_afresh(host) == before


@shows(FAILURE)
@pytest.mark.parametrize("unconfirmed", [True, False])
@pytest.mark.parametrize("kind", ["async", "sync"])
async def test_a_transaction_whose_commit_fails_resets_the_object(
    kind: str, unconfirmed: bool
) -> None:
    """Nothing of it is stored, and whoever asks is told."""
    disk = Disk()

    async def story(storage: DurableObjectStorage) -> None:
        def callback(*_: Any) -> None:
            storage.put({"a": 1, "b": 2}, allow_unconfirmed=unconfirmed)
            storage.delete("k", allow_unconfirmed=unconfirmed)

        if kind == "async":
            await storage.transaction(callback)
        else:
            storage.transaction_sync(callback)
        await storage.sync()

    async with host_for(app, clock=ManualClock(NOW_MS), wrap_commit=disk.wrap) as host:
        stub = objects(host)
        await tell_to(stub, prepare)
        await within(stub, lambda actor: actor.memory.append("alive"))
        disk.failing = True
        with pytest.raises(StorageError) as caught:
            await tell_to(stub, story)
        assert getattr(caught.value, "durable_object_reset", False)
        disk.failing = False
        assert await within(objects(host), lambda actor: actor.memory) == []
        assert await stored(objects(host)) == {"k": 1}


@mistake(16)
@shows(ATOMIC)
@pytest.mark.parametrize("moment", ["open", "committing"])
async def test_mistake_16_a_crash_leaves_nothing_of_a_transaction_that_is_not_on_disk(
    tmp_path: Path, moment: str
) -> None:
    """Neither while its callback runs nor while its commit is on the way: all of it or nothing."""
    disk = Disk()
    opened, go = anyio.Event(), anyio.Event()

    async def callback(txn: DurableObjectTransaction) -> None:
        await txn.put("a", 2)
        await txn.delete("b")
        opened.set()
        await go.wait()
        await txn.put("c", 2)

    async with host_for(app, clock=ManualClock(), data_dir=tmp_path, wrap_commit=disk.wrap) as host:
        stub = objects(host)
        await tell_to(stub, lambda storage: storage.put({"a": 1, "b": 1}))
        disk.hold()
        async with anyio.create_task_group() as group:
            call = tell_to(stub, lambda storage: storage.transaction(callback))
            Outcomes(group).of("call", call)
            await opened.wait()
            if moment == "committing":
                go.set()
                await disk.reached()
            disk.failing = True
            disk.release()
            await host.crash()
    async with host_for(app, clock=ManualClock(), data_dir=tmp_path) as host:
        assert await stored(objects(host)) == {"a": 1, "b": 1}


@mistake(16)
@shows(ATOMIC)
async def test_mistake_16_an_abort_inside_a_transaction_leaves_nothing_of_it() -> None:
    """What was on disk before it is there for the next instance."""

    async def story(actor: Any) -> None:
        async def callback(txn: DurableObjectTransaction) -> None:
            await txn.put({"k": 2, "new": 1})
            await anyio.lowlevel.checkpoint()
            actor.ctx.abort("enough")

        await actor.ctx.storage.put("k", 1)
        await actor.ctx.storage.transaction(callback)

    async with host_for(app, clock=ManualClock()) as host:
        with pytest.raises(Exception, match="enough"):
            await within(objects(host), story)
        assert await stored(objects(host)) == {"k": 1}
