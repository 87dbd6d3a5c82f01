"""Storage: durability, allowUnconfirmed, sync"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from roomhost.runtime import DurableObjectStorage, StorageError
from roomhost.runtime.testing import ManualClock, host_for

from ..helpers.actors import app, objects, within
from ..helpers.disk import Disk
from ..helpers.stories import (
    Outcomes,
    held_host,
    in_storage,
    stored,
    stored_afresh,
    tell_to,
)
from .feature import Feature, mistake, shows

pytestmark = pytest.mark.anyio

CONFIRMED = Feature("storage: a reply waits for the writes before it", "4.4")
UNCONFIRMED = Feature("storage: allowUnconfirmed", "4.4")
MIXED = Feature("storage: confirmed and unconfirmed writes in one commit", "4.4")
FAILURE = Feature("storage: a failed write resets the object", "4.5")
SYNC = Feature("storage.sync", "4.6")

NOW_MS = 1_800_000_000_000
# Every call that writes, with whatever options. "k" and an alarm are there already.
WRITES: dict[str, Callable[..., Any]] = {
    "put": lambda storage, **options: storage.put("k", 2, **options),
    "put many": lambda storage, **options: storage.put({"a": 1, "b": 2}, **options),
    "delete": lambda storage, **options: storage.delete("k", **options),
    "delete many": lambda storage, **options: storage.delete(["k", "x"], **options),
    "set_alarm": lambda storage, **options: storage.set_alarm(NOW_MS + 60_000, **options),
    "set_alarm later": lambda storage, **options: storage.set_alarm(NOW_MS + 9_000_000, **options),
    "delete_alarm": lambda storage, **options: storage.delete_alarm(**options),
}

each_write = pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)


async def prepare(storage: DurableObjectStorage) -> None:
    """One entry and an alarm in an hour."""
    await storage.put("k", 1)
    await storage.set_alarm(NOW_MS + 3_600_000)


async def run_held(*writes: Callable[[DurableObjectStorage], Any]) -> tuple[list[Any], list[Any]]:
    """Make writes in one turn of a prepared object while the disk is held: what their caller has
    been told meanwhile, and what afterwards."""
    disk = Disk()

    async def story(storage: DurableObjectStorage) -> str:
        for write in writes:
            await write(storage)
        return "reply"

    async with host_for(app, clock=ManualClock(NOW_MS), wrap_commit=disk.wrap) as host:
        await tell_to(objects(host), prepare)
        disk.hold()
        async with anyio.create_task_group() as group:
            outcomes = Outcomes(group)
            outcomes.of("call", tell_to(objects(host), story))
            await disk.reached()
            await anyio.wait_all_tasks_blocked()
            meanwhile = list(outcomes)
            disk.release()
    return meanwhile, outcomes


@shows(CONFIRMED)
@each_write
async def test_a_reply_waits_until_a_write_is_on_disk(write: Callable[..., Any]) -> None:
    """Whatever call made it."""
    assert await run_held(write) == ([], [("call", "reply")])


@shows(UNCONFIRMED)
@each_write
async def test_a_reply_does_not_wait_for_an_unconfirmed_write(write: Callable[..., Any]) -> None:
    """Whatever call made it; it is on its way to the disk all the same."""

    def unconfirmed(storage: DurableObjectStorage) -> Any:
        return write(storage, allow_unconfirmed=True)

    reply = [("call", "reply")]
    assert await run_held(unconfirmed) == (reply, reply)


@shows(MIXED)
@each_write
@pytest.mark.parametrize("confirmed_first", [True, False])
async def test_one_confirmed_write_makes_its_commit_confirmed(
    write: Callable[..., Any], confirmed_first: bool
) -> None:
    """Before or after an unconfirmed one of the same turn."""
    calls: list[Callable[[DurableObjectStorage], Any]] = [
        lambda storage: write(storage),
        lambda storage: storage.put("soft", 1, allow_unconfirmed=True),
    ]
    assert await run_held(*(calls if confirmed_first else calls[::-1])) == (
        [],
        [("call", "reply")],
    )


@shows(MIXED)
async def test_a_confirmed_write_after_the_turn_of_an_unconfirmed_one_is_waited_for() -> None:
    """The reply waits for the second commit, and so for the first before it."""
    disk = Disk()

    async def story(storage: DurableObjectStorage) -> None:
        await storage.put("soft", 1, allow_unconfirmed=True)
        await anyio.lowlevel.checkpoint()
        await storage.put("hard", 1)

    async with held_host(disk) as (host, outcomes):
        outcomes.of("story", tell_to(objects(host), story))
        await disk.reached()
        await anyio.wait_all_tasks_blocked()
        assert outcomes == []
        disk.release()
        assert await stored_afresh(host) == {"hard": 1, "soft": 1}


@shows(UNCONFIRMED)
async def test_an_unconfirmed_write_is_seen_at_once_and_stored() -> None:
    """It differs in what waits for it, and in nothing else."""

    async def story(storage: DurableObjectStorage) -> None:
        await storage.put({"a": 1, "b": 2}, allow_unconfirmed=True)
        assert await storage.delete("b", allow_unconfirmed=True) is True
        assert await storage.list() == {"a": 1}

    async with host_for(app, clock=ManualClock()) as host:
        await tell_to(objects(host), story)
        assert await stored_afresh(host) == {"a": 1}


@shows(FAILURE)
@each_write
@pytest.mark.parametrize("unconfirmed", [True, False])
async def test_a_write_that_fails_resets_the_object_to_what_is_on_disk(
    write: Callable[..., Any], unconfirmed: bool
) -> None:
    """Unconfirmed or not: the old stub stays broken, a new one finds the last committed state."""
    disk = Disk()

    async def story(storage: DurableObjectStorage) -> None:
        await write(storage, allow_unconfirmed=unconfirmed)
        await storage.put("with it", 1, allow_unconfirmed=unconfirmed)

    async with host_for(app, clock=ManualClock(NOW_MS), wrap_commit=disk.wrap) as host:
        stub = objects(host)
        await tell_to(stub, prepare)
        await within(stub, lambda actor: actor.memory.append("alive"))
        disk.failing = True
        if unconfirmed:
            await tell_to(stub, story)
        else:
            with pytest.raises(StorageError):
                await tell_to(stub, story)
        with pytest.raises(StorageError):
            await tell_to(stub, lambda storage: storage.sync())
        disk.failing = False
        with pytest.raises(StorageError) as caught:
            await stored(stub)
        assert getattr(caught.value, "durable_object_reset", False)
        fresh = objects(host)
        assert await within(fresh, lambda actor: actor.memory) == []
        assert await stored(fresh) == {"k": 1}
        assert await tell_to(fresh, lambda storage: storage.get_alarm()) == NOW_MS + 3_600_000


@shows(FAILURE)
async def test_nothing_is_written_after_a_failed_write() -> None:
    """Neither what the same instance had written since nor what it tries to write later."""
    disk = Disk()

    async def first(storage: DurableObjectStorage) -> None:
        await storage.put("failed", 1)

    async def second(storage: DurableObjectStorage) -> None:
        await storage.put("behind it", 1)

    async with held_host(disk) as (host, outcomes):
        stub = objects(host)
        outcomes.of("first", tell_to(stub, first))
        await disk.reached()
        outcomes.of("second", tell_to(stub, second))
        await anyio.wait_all_tasks_blocked()
        disk.failing = True
        disk.release_one()
        await outcomes.ended("first", "second")
        disk.failing = False
        disk.release()
        assert [type(outcome) for _, outcome in outcomes] == [StorageError, StorageError]
        assert await stored(objects(host)) == {}
        await tell_to(objects(host), second)
        assert await stored_afresh(host) == {"behind it": 1}


@shows(FAILURE)
async def test_an_error_of_the_handler_gives_way_to_that_of_the_write_before_it() -> None:
    """The caller learns that nothing was stored, not what happened on top of it."""
    disk = Disk()

    async def story(storage: DurableObjectStorage) -> None:
        await storage.put("k", 1)
        raise ValueError("the handler's")

    async with host_for(app, clock=ManualClock(), wrap_commit=disk.wrap) as host:
        disk.failing = True
        with pytest.raises(StorageError):
            await tell_to(objects(host), story)


@shows(SYNC)
async def test_sync_returns_at_once_when_nothing_is_to_be_written() -> None:
    """Neither in a new object nor when all is on disk; it commits nothing."""

    async def story(storage: DurableObjectStorage) -> None:
        await storage.sync()
        await storage.sync()
        await storage.get("k")
        await storage.sync()

    async with host_for(app, clock=ManualClock()) as host:
        await tell_to(objects(host), story)
        assert host.statistics().commits == 0


@mistake(24)
@shows(SYNC)
@each_write
@pytest.mark.parametrize("unconfirmed", [True, False])
async def test_mistake_24_sync_waits_for_unconfirmed_writes_too(
    write: Callable[..., Any], unconfirmed: bool
) -> None:
    """Whatever call made them; the code behind `sync` runs when they are on disk."""
    disk = Disk()
    synced: list[str] = []

    async def story(storage: DurableObjectStorage) -> None:
        await write(storage, allow_unconfirmed=unconfirmed)
        await storage.sync()
        synced.append("on disk")

    async with host_for(app, clock=ManualClock(NOW_MS), wrap_commit=disk.wrap) as host:
        await tell_to(objects(host), prepare)
        disk.hold()
        async with anyio.create_task_group() as group:
            Outcomes(group).of("story", tell_to(objects(host), story))
            await disk.reached()
            await anyio.wait_all_tasks_blocked()
            assert synced == []
            disk.release()
        assert synced == ["on disk"]


@mistake(24)
@shows(SYNC)
async def test_mistake_24_sync_waits_for_the_unconfirmed_writes_of_another_event() -> None:
    """All that the object has written before the call counts."""
    disk = Disk()
    async with held_host(disk) as (host, outcomes):
        stub = objects(host)
        outcomes.of(
            "put", tell_to(stub, lambda storage: storage.put("k", 1, allow_unconfirmed=True))
        )
        await disk.reached()
        outcomes.of("sync", tell_to(stub, lambda storage: storage.sync()))
        await anyio.wait_all_tasks_blocked()
        assert outcomes.labels == ["put"]
    assert outcomes.labels == ["put", "sync"]


@shows(SYNC)
async def test_sync_does_not_wait_for_later_writes() -> None:
    """It returns when those before it are on disk, although the disk is held again."""
    disk = Disk()
    synced: list[str] = []

    async def first(storage: DurableObjectStorage) -> None:
        await storage.put("first", 1)
        await storage.sync()
        synced.append("first")

    async with held_host(disk) as (host, outcomes):
        stub = objects(host)
        outcomes.of("first", tell_to(stub, first))
        await disk.reached()
        outcomes.of("second", tell_to(stub, lambda storage: storage.put("second", 2)))
        await anyio.wait_all_tasks_blocked()
        assert synced == []
        disk.release_one()
        await disk.reached()
        await anyio.wait_all_tasks_blocked()
        assert synced == ["first"]
        assert "second" not in outcomes.labels


@shows(SYNC)
async def test_several_syncs_share_one_commit() -> None:
    """Each waits for the same writes."""

    async def story(storage: DurableObjectStorage) -> None:
        await storage.put("k", 1, allow_unconfirmed=True)
        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(storage.sync)

    async with host_for(app, clock=ManualClock()) as host:
        await tell_to(objects(host), story)
        assert host.statistics().commits == 1


@shows(SYNC)
@pytest.mark.parametrize("unconfirmed", [True, False])
async def test_sync_raises_when_a_write_before_it_fails(unconfirmed: bool) -> None:
    """The handler does not go on as if it were stored; its caller gets the storage's error."""
    disk = Disk()
    synced: list[str] = []

    async def story(storage: DurableObjectStorage) -> None:
        await storage.put("k", 1, allow_unconfirmed=unconfirmed)
        try:
            await storage.sync()
            synced.append("on disk")
        finally:
            synced.append("ended")

    async with host_for(app, clock=ManualClock(), wrap_commit=disk.wrap) as host:
        disk.failing = True
        with pytest.raises(StorageError):
            await tell_to(objects(host), story)
    assert synced == ["ended"]


@shows(SYNC)
async def test_events_are_delivered_while_sync_waits() -> None:
    """It is a wait for the disk, not a storage call: the input gate is open."""
    disk = Disk()
    seen: list[Any] = []

    async def read(storage: DurableObjectStorage) -> None:
        seen.append(await storage.list())

    async def write(storage: DurableObjectStorage) -> None:
        await storage.put("k", 1)
        await storage.sync()
        seen.append("synced")

    async with held_host(disk) as (host, outcomes):
        outcomes.of("write", tell_to(objects(host), write))
        await disk.reached()
        outcomes.of("read", tell_to(objects(host), read))
        await anyio.wait_all_tasks_blocked()
        assert seen == [{"k": 1}]
    assert seen[1:] == ["synced"]


@shows(CONFIRMED)
async def test_a_call_of_an_instance_that_is_gone_is_refused() -> None:
    """Storage kept beyond the life of its instance cannot be read or written."""
    kept: list[DurableObjectStorage] = []
    async with host_for(app, clock=ManualClock()) as host:
        await tell_to(objects(host), kept.append)
        await host.evict(objects(host))
        for call in (
            lambda: kept[0].get("k"),
            lambda: kept[0].put("k", 1),
            lambda: kept[0].delete("k"),
            lambda: kept[0].list(),
            lambda: kept[0].kv.get("k"),
        ):
            with pytest.raises(Exception, match="no longer accessible"):
                call()
        assert await stored(objects(host)) == {}


@shows(SYNC)
async def test_sync_inside_a_transaction_does_not_wait_for_its_end() -> None:
    """What the transaction has written is not on its way yet, so there is nothing to wait for."""

    async def story(storage: DurableObjectStorage) -> None:
        async def callback(txn: Any) -> None:
            await txn.put("k", 1)
            await storage.sync()

        await storage.transaction(callback)
        assert await storage.get("k") == 1

    await in_storage(story)
