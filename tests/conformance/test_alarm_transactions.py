"""Alarms: transactions, delete_all and the disk.

semantics.md 6.4 and 5.6: an alarm is stored as entries are, with the same promises.
"""

from __future__ import annotations

import anyio
import pytest

from roomhost.runtime import (
    AlarmInfo,
    DurableObjectTransaction,
    StorageError,
)

from ..helpers.disk import Disk
from ..helpers.scripted import script
from .alarms import Alarmed, at, stage
from .feature import Feature, mistake, shows

pytestmark = pytest.mark.anyio

TRANSACTION = Feature("transaction: alarms commit and roll back with it", "5.7, 6.4")
NESTED = Feature("transaction: alarms in a nested one", "5.7, 6.4")
SYNC = Feature("transactionSync: alarms roll back with it", "5.8, 6.4")
HANDLER = Feature("transaction in an alarm handler", "6.4, 9.5")
DELETE_ALL = Feature("deleteAll: deletes the alarm", "5.6")
DELETE_ALL_THEN = Feature("deleteAll: a later setAlarm stays", "5.6")
DELETE_ALL_IN = Feature("deleteAll in an alarm handler", "5.6")
BATCH = Feature("setAlarm: atomic with the writes of its turn", "6.4, 9.5")
GATE = Feature("setAlarm, deleteAlarm: output waits for them", "4.4, 6.1")
UNCONFIRMED = Feature("setAlarm, deleteAlarm: allowUnconfirmed", "4.4, 6.1")
DURABLE = Feature("alarm: runs only when it is stored", "6.4")


@shows(TRANSACTION)
async def test_an_alarm_set_in_a_transaction_is_seen_in_it_and_kept_by_it() -> None:
    """By `txn` and by `ctx.storage`; after the commit it runs."""

    @script
    async def work(actor: Alarmed) -> list[int | None]:
        async def both(txn: DurableObjectTransaction) -> list[int | None]:
            await txn.set_alarm(at(10))
            return [await txn.get_alarm(), await actor.get_alarm()]

        seen: list[int | None] = await actor.ctx.storage.transaction(both)
        return seen

    async with stage() as s:
        assert await s.object().run("work") == [at(10), at(10)]
        await s.clock.advance(10)
        assert s.seconds == [10]


@pytest.mark.parametrize("raises", [True, False], ids=["raised", "rollback()"])
@shows(TRANSACTION)
async def test_a_transaction_that_is_undone_restores_the_alarm(raises: bool) -> None:
    """Whatever it did to it; the old one runs at its time, no other."""

    @script
    async def undone(actor: Alarmed, when: int | None) -> None:
        async def change(txn: DurableObjectTransaction) -> None:
            if when is None:
                await txn.delete_alarm()
            else:
                await txn.set_alarm(when)
            assert await txn.get_alarm() == when
            if raises:
                raise ValueError("undo it")
            txn.rollback()

        try:
            await actor.ctx.storage.transaction(change)
        except ValueError:
            assert raises

    async with stage() as s:
        await s.object().run("undone", at(5))
        assert await s.object().get_alarm() is None
        await s.object().set_alarm(at(30))
        for when in (at(5), at(60), None):
            await s.object().run("undone", when)
            assert await s.object().get_alarm() == at(30)
        await s.clock.advance(100)
        assert s.seconds == [30]


@shows(TRANSACTION, DURABLE)
async def test_an_alarm_of_an_open_transaction_does_not_run() -> None:
    """Though it is due: only the commit tells the scheduler."""
    go_on = anyio.Event()

    @script
    async def slow(actor: Alarmed) -> None:
        async def change(txn: DurableObjectTransaction) -> None:
            await txn.set_alarm(at(1))
            await go_on.wait()

        await actor.ctx.storage.transaction(change)

    async with stage() as s:
        async with anyio.create_task_group() as group:
            group.start_soon(s.object().run, "slow")
            await s.clock.advance(10)
            assert await s.host.run_due_alarms() == 0
            go_on.set()
        await s.clock.advance(0)
        assert s.seconds == [10]


@shows(NESTED)
async def test_a_nested_transaction_undoes_its_own_change_alone() -> None:
    """And the outer one undoes what an inner one had kept."""

    @script
    async def nested(actor: Alarmed, outer_fails: bool) -> None:
        async def inner_undone(txn: DurableObjectTransaction) -> None:
            await txn.set_alarm(at(1))
            txn.rollback()

        async def inner_kept(txn: DurableObjectTransaction) -> None:
            await txn.set_alarm(at(20))

        async def outer(txn: DurableObjectTransaction) -> None:
            await txn.set_alarm(at(10))
            await actor.ctx.storage.transaction(inner_undone)
            assert await txn.get_alarm() == at(10)
            await actor.ctx.storage.transaction(inner_kept)
            assert await txn.get_alarm() == at(20)
            if outer_fails:
                txn.rollback()

        await actor.ctx.storage.transaction(outer)

    async with stage() as s:
        await s.object().run("nested", True)
        assert await s.object().get_alarm() is None
        await s.object().run("nested", False)
        assert await s.object().get_alarm() == at(20)


@shows(SYNC)
async def test_transaction_sync_undoes_the_alarm_when_it_raises() -> None:
    """And keeps it when it returns."""

    @script
    async def work(actor: Alarmed) -> list[int | None]:
        def kept() -> None:
            actor.ctx.storage.set_alarm(at(10))

        def undone() -> None:
            actor.ctx.storage.set_alarm(at(20))
            raise ValueError

        actor.ctx.storage.transaction_sync(kept)
        first = await actor.get_alarm()
        with pytest.raises(ValueError):
            actor.ctx.storage.transaction_sync(undone)
        return [first, await actor.get_alarm()]

    async with stage() as s:
        assert await s.object().run("work") == [at(10), at(10)]


@pytest.mark.parametrize(("undo", "runs"), [(True, [10]), (False, [10, 20])])
@shows(HANDLER)
async def test_a_handlers_transaction_decides_about_the_next_run(
    undo: bool, runs: list[float]
) -> None:
    """Undone, its new alarm is gone and the one that runs is deleted as if nothing had been."""
    async with stage() as s:

        @script
        async def alarm(actor: Alarmed, info: AlarmInfo) -> None:
            async def change(txn: DurableObjectTransaction) -> None:
                await txn.set_alarm(at(20))
                if undo:
                    txn.rollback()

            s.note(info)
            if len(s.seconds) == 1:
                await actor.ctx.storage.transaction(change)

        await s.object().set_alarm(at(10))
        await s.clock.advance(100)
        assert s.seconds == runs
        assert await s.object().get_alarm() is None


@mistake(25)
@shows(DELETE_ALL)
async def test_mistake_25_delete_all_deletes_the_alarm() -> None:
    """One that was stored, and one set in the same turn; nothing runs."""

    @script
    async def wipe(actor: Alarmed) -> int | None:
        await actor.set_alarm(at(10))
        await actor.ctx.storage.delete_all()
        return await actor.get_alarm()

    async with stage() as s:
        await s.object().set_alarm(at(5))
        assert await s.object().run("wipe") is None
        await s.clock.advance(100)
        assert s.seconds == []


@shows(DELETE_ALL_THEN)
async def test_an_alarm_set_after_delete_all_stays() -> None:
    """In the same turn, with what was put there after it."""

    @script
    async def renew(actor: Alarmed) -> None:
        await actor.put("old", 1)
        await actor.ctx.storage.delete_all()
        await actor.set_alarm(at(20))
        await actor.put("new", 2)

    async with stage() as s:
        await s.object().set_alarm(at(5))
        await s.object().run("renew")
        await s.clock.advance(100)
        assert s.seconds == [20]
        assert await s.object().get("old") is None
        assert await s.object().get("new") == 2


@pytest.mark.parametrize("raises", [False, True])
@shows(DELETE_ALL_IN)
async def test_delete_all_in_a_handler_leaves_nothing(raises: bool) -> None:
    """No entry and no alarm; were the handler to fail afterwards, there is nothing to retry."""
    async with stage() as s:

        @script
        async def alarm(actor: Alarmed, info: AlarmInfo) -> None:
            s.note(info)
            await actor.ctx.storage.delete_all()
            if raises:
                raise ValueError

        await s.object().put("k", 1)
        await s.object().set_alarm(at(10))
        await s.clock.advance(100)
        assert s.seconds == [10]
        assert await s.object().get("k") is None
        assert await s.object().get_alarm() is None


@shows(DELETE_ALL_IN, DELETE_ALL_THEN)
async def test_a_handler_may_delete_all_and_set_its_next_alarm() -> None:
    """What it set last is what there is."""
    async with stage() as s:

        @script
        async def alarm(actor: Alarmed, info: AlarmInfo) -> None:
            s.note(info)
            if len(s.seconds) == 1:
                await actor.ctx.storage.delete_all()
                await actor.set_alarm(at(30))

        await s.object().set_alarm(at(10))
        await s.clock.advance(100)
        assert s.seconds == [10, 30]


@shows(BATCH)
async def test_an_alarm_and_the_entries_of_its_turn_are_one_batch() -> None:
    """The commit fails: neither is there, and the alarm that was there still is."""

    @script
    async def change(actor: Alarmed) -> None:
        actor.ctx.storage.put("k", "new")
        actor.ctx.storage.set_alarm(at(60))

    disk = Disk()
    async with stage(wrap_commit=disk.wrap) as s:
        await s.object().put("k", "old")
        await s.object().set_alarm(at(10))
        disk.failing = True
        with pytest.raises(StorageError):
            await s.object().run("change")
        disk.failing = False
        assert await s.object().get("k") == "old"
        assert await s.object().get_alarm() == at(10)
        await s.clock.advance(100)
        assert s.seconds == [10]


@pytest.mark.parametrize("call", ["set_alarm", "delete_alarm"])
@pytest.mark.parametrize("unconfirmed", [False, True], ids=["confirmed", "unconfirmed"])
@shows(GATE, UNCONFIRMED)
async def test_a_reply_waits_for_the_alarm_to_be_stored(call: str, unconfirmed: bool) -> None:
    """Unless the change is unconfirmed."""
    answered = anyio.Event()

    @script
    async def change(actor: Alarmed) -> None:
        storage = actor.ctx.storage
        if call == "set_alarm":
            await storage.set_alarm(at(20), allow_unconfirmed=unconfirmed)
        else:
            await storage.delete_alarm(allow_unconfirmed=unconfirmed)

    disk = Disk()
    async with stage(wrap_commit=disk.wrap) as s:
        await s.object().set_alarm(at(10))
        disk.hold()
        async with anyio.create_task_group() as group:

            async def ask() -> None:
                await s.object().run("change")
                answered.set()

            group.start_soon(ask)
            await disk.reached()
            await anyio.wait_all_tasks_blocked()
            assert answered.is_set() is unconfirmed
            disk.release()


@shows(UNCONFIRMED)
async def test_an_unconfirmed_alarm_that_cannot_be_stored_resets_the_object() -> None:
    """The caller was answered; the stub is broken all the same, and there is no alarm."""

    @script
    async def change(actor: Alarmed) -> str:
        await actor.ctx.storage.set_alarm(at(20), allow_unconfirmed=True)
        return "answered"

    disk = Disk()
    async with stage(wrap_commit=disk.wrap) as s:
        stub = s.object()
        await stub.get_alarm()
        disk.failing = True
        assert await stub.run("change") == "answered"
        await s.clock.advance(0)
        disk.failing = False
        with pytest.raises(StorageError) as error:
            await stub.get_alarm()
        assert vars(error.value)["durable_object_reset"]
        assert await s.object().get_alarm() is None


@shows(DURABLE)
async def test_an_alarm_for_now_runs_when_it_is_on_disk() -> None:
    """Not while its commit may still fail."""
    disk = Disk()
    async with stage(wrap_commit=disk.wrap) as s:
        disk.hold()
        async with anyio.create_task_group() as group:
            group.start_soon(s.object().set_alarm, at(0))
            await disk.reached()
            await anyio.wait_all_tasks_blocked()
            assert s.seconds == []
            disk.release()
        await s.clock.advance(0)
        assert s.seconds == [0]


@shows(DURABLE)
async def test_an_alarm_whose_deletion_is_not_on_disk_yet_does_not_run() -> None:
    """The wake-up finds that it was deleted, or moved, and comes to nothing."""
    disk = Disk()
    async with stage(wrap_commit=disk.wrap) as s:
        await s.object("deleted").set_alarm(at(10))
        await s.object("moved").set_alarm(at(10))
        disk.hold()
        async with anyio.create_task_group() as group:
            group.start_soon(s.object("deleted").delete_alarm)
            group.start_soon(s.object("moved").set_alarm, at(20))
            await disk.reached()
            group.start_soon(s.clock.advance, 15)
            await anyio.wait_all_tasks_blocked()
            assert await s.host.run_due_alarms() == 0
            disk.release()
        assert s.seconds == []
        await s.clock.advance(5)
        assert s.seconds == [20]
