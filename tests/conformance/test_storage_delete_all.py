"""Storage: deleteAll"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from roomhost.runtime import DurableObjectStorage, DurableObjectTransaction, StorageError
from roomhost.runtime.testing import ManualClock, host_for

from ..helpers.actors import Clockwork, app, objects, within
from ..helpers.disk import Disk
from ..helpers.stories import (
    STAGES,
    Outcomes,
    held_host,
    in_storage,
    stored,
    stored_afresh,
    tell_to,
)
from .feature import Feature, mistake, shows

pytestmark = pytest.mark.anyio

DELETE_ALL = Feature("storage.deleteAll", "5.6")
ALARM = Feature("storage.deleteAll: the alarm", "5.6")
IN_HANDLER = Feature("storage.deleteAll: in an alarm handler", "5.6")
PENDING = Feature("storage.deleteAll: uncommitted writes", "5.6")
IN_TRANSACTION = Feature("storage.deleteAll: inside a transaction", "5.6")
FAILURE = Feature("storage.deleteAll: when it fails", "5.6")

START_MS = 1_800_000_000_000
DUE_MS = START_MS + 60_000


@pytest.fixture(autouse=True)
def no_handler() -> None:
    """The alarm handler of another test is not ours."""
    Clockwork.handler = None


@shows(DELETE_ALL)
async def test_delete_all_deletes_every_entry() -> None:
    """Of whatever key, once and again, and it returns nothing."""
    entries = {"": 0, "a": 1, "\U0010ffff": 2, "k" * 2_048: 3}

    async def story(storage: DurableObjectStorage) -> None:
        await storage.put(entries)
        for _ in STAGES:
            result: object = await storage.delete_all()  # type: ignore[func-returns-value]
            assert result is None
            assert await storage.list() == {}
            assert await storage.get("", "none") == "none"
            assert await storage.delete(list(entries)) == 0
            await storage.sync()

    await in_storage(story)


@shows(DELETE_ALL)
async def test_delete_all_deletes_what_is_on_disk() -> None:
    """The next instance finds nothing, and the object can be used as before."""
    async with host_for(app, clock=ManualClock()) as host:
        stub = objects(host)
        entries = {f"k{number}": number for number in range(1_000)}
        await tell_to(stub, lambda storage: storage.put(entries))
        await tell_to(stub, lambda storage: storage.delete_all())
        assert await stored_afresh(host) == {}
        await tell_to(stub, lambda storage: storage.put("anew", 1))
        assert await stored_afresh(host) == {"anew": 1}


@shows(DELETE_ALL)
async def test_delete_all_survives_a_restart(tmp_path: Path) -> None:
    """What is deleted stays so, and other objects are left alone."""
    async with host_for(app, clock=ManualClock(), data_dir=tmp_path) as host:
        for name in ("a", "b"):
            await tell_to(objects(host, name), lambda storage: storage.put("k", 1))
        await tell_to(objects(host, "a"), lambda storage: storage.delete_all())
    async with host_for(app, clock=ManualClock(), data_dir=tmp_path) as host:
        assert await stored(objects(host, "a")) == {}
        assert await stored(objects(host, "b")) == {"k": 1}


@shows(PENDING)
async def test_delete_all_drops_earlier_writes_of_its_turn_and_keeps_later_ones() -> None:
    """Awaited or not: what was called before it is gone, what is called after it stays."""

    async def story(storage: DurableObjectStorage) -> None:
        await storage.put({"stored": 1, "both": 1})
        await storage.sync()
        storage.put("before", 1)
        storage.delete_all()
        storage.put({"after": 1, "both": 2})
        storage.delete("before")
        for _ in STAGES:
            assert await storage.list() == {"after": 1, "both": 2}
            assert await storage.get(["stored", "both"]) == {"both": 2}
            await storage.sync()

    async with host_for(app, clock=ManualClock()) as host:
        await tell_to(objects(host), story)
        assert host.statistics().batches == 2
        assert await stored_afresh(host) == {"after": 1, "both": 2}


@shows(PENDING)
async def test_delete_all_while_earlier_writes_are_on_their_way_to_the_disk() -> None:
    """They are gone at once for whoever reads, and for good when the disk is done."""
    disk = Disk()
    seen: list[dict[str, Any]] = []

    async def story(storage: DurableObjectStorage) -> None:
        storage.delete_all()
        storage.put("after", 1)
        seen.append(await storage.list())

    async with held_host(disk) as (host, outcomes):
        outcomes.of("put", tell_to(objects(host), lambda storage: storage.put("before", 1)))
        await disk.reached()
        outcomes.of("delete all", tell_to(objects(host), story))
        await anyio.wait_all_tasks_blocked()
        assert seen == [{"after": 1}]
        disk.release()
        assert await stored_afresh(host) == {"after": 1}


@shows(PENDING)
async def test_a_write_after_a_delete_all_that_is_on_its_way_stays() -> None:
    """Also a second delete_all and what follows that: the order of the calls counts."""
    disk = Disk()

    async def again(storage: DurableObjectStorage) -> None:
        await storage.put("first", 1)
        await anyio.lowlevel.checkpoint()
        await storage.delete_all()
        await storage.put("second", 2)

    async with held_host(disk) as (host, outcomes):
        outcomes.of("delete all", tell_to(objects(host), lambda storage: storage.delete_all()))
        await disk.reached()
        outcomes.of("again", tell_to(objects(host), again))
        await anyio.wait_all_tasks_blocked()
        disk.release()
        assert await stored_afresh(host) == {"second": 2}


@mistake(25)
@shows(ALARM)
async def test_mistake_25_delete_all_deletes_the_alarm() -> None:
    """At once for `get_alarm`, and it never runs."""
    runs: list[int] = []
    Clockwork.handler = lambda actor, info: runs.append(info.scheduled_time)
    clock = ManualClock(START_MS)

    async def story(storage: DurableObjectStorage) -> None:
        await storage.delete_all()
        assert await storage.get_alarm() is None

    async with host_for(app, clock=clock) as host:
        stub = objects(host)
        await tell_to(stub, lambda storage: storage.set_alarm(DUE_MS))
        await tell_to(stub, story)
        await host.evict(stub)
        assert await tell_to(stub, lambda storage: storage.get_alarm()) is None
        await clock.advance(3_600)
    assert runs == []


@mistake(25)
@shows(ALARM)
async def test_mistake_25_an_alarm_set_after_delete_all_is_kept() -> None:
    """Of one turn: the one before is gone, the one after runs."""
    runs: list[int] = []
    Clockwork.handler = lambda actor, info: runs.append(info.scheduled_time)
    clock = ManualClock(START_MS)

    async def story(storage: DurableObjectStorage) -> None:
        storage.set_alarm(DUE_MS)
        storage.delete_all()
        storage.set_alarm(DUE_MS + 1_000)
        assert await storage.get_alarm() == DUE_MS + 1_000

    async with host_for(app, clock=clock) as host:
        await tell_to(objects(host), story)
        await clock.advance(3_600)
    assert runs == [DUE_MS + 1_000]


async def run_handler(handler: Any) -> list[int]:
    """The retry counts of the runs of an alarm with this handler, of an hour and a half."""
    runs: list[int] = []

    async def counted(actor: Clockwork, info: Any) -> None:
        runs.append(info.retry_count)
        await handler(actor.ctx.storage, len(runs))

    Clockwork.handler = counted
    clock = ManualClock(START_MS)
    async with host_for(app, clock=clock) as host:
        stub = objects(host)
        await tell_to(stub, lambda storage: storage.put("k", 1))
        await tell_to(stub, lambda storage: storage.set_alarm(DUE_MS))
        await clock.advance(5_400)
        assert await tell_to(stub, lambda storage: storage.get_alarm()) is None
        assert await stored_afresh(host) == {}
    return runs


@shows(IN_HANDLER)
async def test_delete_all_in_a_handler_that_succeeds() -> None:
    """It runs once, and nothing is left of entries and alarm."""

    async def handler(storage: DurableObjectStorage, run: int) -> None:
        await storage.delete_all()

    assert await run_handler(handler) == [0]


@shows(IN_HANDLER)
async def test_delete_all_in_a_handler_that_fails_ends_its_retries() -> None:
    """The alarm was deleted, so there is nothing to run again."""

    async def handler(storage: DurableObjectStorage, run: int) -> None:
        await storage.delete_all()
        raise ValueError("after all")

    assert await run_handler(handler) == [0]


@shows(IN_HANDLER)
async def test_an_alarm_set_after_delete_all_in_a_handler_runs() -> None:
    """As one of its own, from retry count 0."""

    async def handler(storage: DurableObjectStorage, run: int) -> None:
        await storage.delete_all()
        if run == 1:
            await storage.set_alarm(DUE_MS + 1_000)

    assert await run_handler(handler) == [0, 0]


@shows(IN_TRANSACTION)
@pytest.mark.parametrize("through", ["txn", "storage", "nested", "sync"])
async def test_delete_all_inside_a_transaction_is_refused(through: str) -> None:
    """By `txn` and by `ctx.storage`; the transaction goes on and nothing is deleted."""

    async def story(storage: DurableObjectStorage) -> None:
        async def callback(txn: DurableObjectTransaction) -> None:
            await txn.put("inside", 1)
            target: Any = txn if through == "txn" else storage
            with pytest.raises(RuntimeError, match=r"Cannot call deleteAll\(\) within a trans"):
                await target.delete_all()

        def synchronous() -> None:
            storage.kv.put("inside", 1)
            with pytest.raises(RuntimeError, match=r"Cannot call deleteAll\(\) within a trans"):
                storage.delete_all()

        await storage.put("before", 1)
        if through == "sync":
            storage.transaction_sync(synchronous)
        elif through == "nested":
            await storage.transaction(lambda txn: storage.transaction(callback))
        else:
            await storage.transaction(callback)
        assert await storage.list() == {"before": 1, "inside": 1}

    await in_storage(story)


@shows(DELETE_ALL)
async def test_delete_all_is_always_confirmed() -> None:
    """With `allow_unconfirmed` too, the reply waits for the disk."""
    disk = Disk()

    async def story(storage: DurableObjectStorage) -> None:
        await storage.delete_all(allow_unconfirmed=True)

    async with held_host(disk) as (host, outcomes):
        outcomes.of("delete all", tell_to(objects(host), story))
        await disk.reached()
        await anyio.wait_all_tasks_blocked()
        assert outcomes == []
    assert outcomes == [("delete all", None)]


@shows(FAILURE)
async def test_a_delete_all_that_fails_resets_the_object_and_keeps_entries_and_alarm() -> None:
    """The caller gets the storage's error; the next instance has everything it had."""
    disk = Disk()
    clock = ManualClock(START_MS)
    async with host_for(app, clock=clock, wrap_commit=disk.wrap) as host:
        stub = objects(host)
        await tell_to(stub, lambda storage: storage.put("k", 1))
        await tell_to(stub, lambda storage: storage.set_alarm(DUE_MS))
        await within(stub, lambda actor: actor.memory.append("alive"))
        disk.failing = True
        with pytest.raises(StorageError) as caught:
            await tell_to(stub, lambda storage: storage.delete_all())
        assert getattr(caught.value, "durable_object_reset", False)
        disk.failing = False
        fresh = objects(host)
        assert await within(fresh, lambda actor: actor.memory) == []
        assert await stored(fresh) == {"k": 1}
        assert await tell_to(fresh, lambda storage: storage.get_alarm()) == DUE_MS


@shows(FAILURE)
async def test_a_crash_before_a_delete_all_is_on_disk_keeps_everything(tmp_path: Path) -> None:
    """Entries, alarm, and none of what was written after it in the same turn."""
    disk = Disk()
    clock = ManualClock(START_MS)

    async def story(storage: DurableObjectStorage) -> None:
        await storage.delete_all()
        await storage.put("after", 1)

    async with host_for(app, clock=clock, data_dir=tmp_path, wrap_commit=disk.wrap) as host:
        stub = objects(host)
        await tell_to(stub, lambda storage: storage.put("k", 1))
        await tell_to(stub, lambda storage: storage.set_alarm(DUE_MS))
        disk.hold()
        async with anyio.create_task_group() as group:
            Outcomes(group).of("story", tell_to(stub, story))
            await disk.reached()
            disk.failing = True
            disk.release()
            await host.crash()
    async with host_for(app, clock=clock, data_dir=tmp_path) as host:
        assert await stored(objects(host)) == {"k": 1}
        assert await tell_to(objects(host), lambda storage: storage.get_alarm()) == DUE_MS
