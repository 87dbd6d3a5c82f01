"""sync and allow_unconfirmed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import pytest

from roomhost.runtime import StorageError
from roomhost.runtime.testing import ManualClock, host_for

from ..helpers.disk import Disk
from ..helpers.in_flight import in_flight
from ..helpers.scripted import Scripted, app, script
from .feature import Feature, mistake, shows

pytestmark = pytest.mark.anyio

SYNC = Feature("storage.sync", "4.6, 9.5")
UNCONFIRMED = Feature("allowUnconfirmed: output does not wait", "4.4, 9.5")
MIXED = Feature("allowUnconfirmed: together with a confirmed write", "4.4, 9.5")
UNCONFIRMED_FAILS = Feature("allowUnconfirmed: a failure resets all the same", "4.4, 9.5")
IN_TRANSACTIONS = Feature("allowUnconfirmed: in transactions", "4.4, 5.7, 9.5")


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


@shows(SYNC)
async def test_sync_is_immediate_when_nothing_was_written() -> None:
    """Even while the disk is held."""
    disk = Disk()

    @script
    async def story(actor: Scripted) -> str:
        await actor.ctx.storage.sync()
        return "done"

    async with host_for(app, clock=ManualClock(), wrap_commit=disk.wrap) as host:
        disk.hold()
        assert await host.env.OBJECT.get_by_name("a").run("story") == "done"
        disk.release()


@shows(SYNC)
@pytest.mark.parametrize("unconfirmed", [False, True])
async def test_sync_waits_for_writes_of_both_kinds(unconfirmed: bool) -> None:
    """Confirmed and unconfirmed; other calls are served meanwhile."""
    disk = Disk()
    log: list[str] = []

    @script
    async def story(actor: Scripted) -> None:
        await actor.ctx.storage.put("n", 1, allow_unconfirmed=unconfirmed)
        await actor.ctx.storage.sync()
        log.append("synced")

    @script
    def visit(actor: Scripted) -> None:
        log.append("visit")

    async with host_for(app, clock=ManualClock(), wrap_commit=disk.wrap) as host:
        async with in_flight() as calls:
            stub = host.env.OBJECT.get_by_name("a")
            disk.hold()
            await calls.start("story", stub.run("story"))
            await calls.start("visit", stub.run("visit"))
            assert log == ["visit"]
            disk.release()
        assert log == ["visit", "synced"]


@shows(SYNC)
async def test_sync_waits_for_earlier_writes_only() -> None:
    """It is over with the commit of those, while a later one is held."""
    disk = Disk()
    log: list[str] = []

    @script
    async def story(actor: Scripted) -> None:
        await actor.ctx.storage.put("first", True)
        await actor.ctx.storage.sync()
        log.append("synced")

    async with host_for(app, clock=ManualClock(), wrap_commit=disk.wrap) as host:
        async with in_flight() as calls:
            stub = host.env.OBJECT.get_by_name("a")
            disk.hold()
            await calls.start("story", stub.run("story"))
            await disk.reached()
            await calls.start("later", stub.run("write", "later"))
            disk.release()
            disk.hold()
            await disk.reached()
            await anyio.wait_all_tasks_blocked()
            assert log == ["synced"]
            disk.release()


@shows(SYNC)
async def test_several_syncs_share_one_commit() -> None:
    """Three tasks that wait for the same write cost one batch."""
    disk = Disk()
    log: list[str] = []

    @script
    async def story(actor: Scripted) -> None:
        await actor.ctx.storage.put("n", 1)
        for _ in range(3):
            actor.ctx.wait_until(synced(actor))

    async def synced(actor: Scripted) -> None:
        await actor.ctx.storage.sync()
        log.append("synced")

    async with host_for(app, clock=ManualClock(), wrap_commit=disk.wrap) as host:
        async with in_flight() as calls:
            before = host.statistics().batches
            disk.hold()
            await calls.start("story", host.env.OBJECT.get_by_name("a").run("story"))
            assert log == []
            disk.release()
        await host.settle()
        assert (log, host.statistics().batches) == (["synced"] * 3, before + 1)


@shows(SYNC)
@pytest.mark.parametrize("unconfirmed", [False, True])
async def test_sync_does_not_return_when_the_commit_fails(unconfirmed: bool) -> None:
    """The caller gets the storage error."""
    disk = Disk()
    log: list[str] = []

    @script
    async def story(actor: Scripted) -> None:
        await actor.ctx.storage.put("n", 1, allow_unconfirmed=unconfirmed)
        await actor.ctx.storage.sync()
        log.append("synced")

    async with host_for(app, clock=ManualClock(), wrap_commit=disk.wrap) as host:
        disk.failing = True
        with pytest.raises(StorageError, match="disk is full"):
            await host.env.OBJECT.get_by_name("a").run("story")
        disk.failing = False
    assert log == []


ALARM_MS = 2_000_000_000_000

# One write of each kind, with and without `allow_unconfirmed`. The key `old` and an alarm exist.
WRITES: dict[str, Callable[[Any, bool], Any]] = {
    "put": lambda storage, free: storage.put("n", 1, allow_unconfirmed=free),
    "put of several": lambda storage, free: storage.put({"n": 1, "m": 2}, allow_unconfirmed=free),
    "delete": lambda storage, free: storage.delete("old", allow_unconfirmed=free),
    "delete of several": lambda storage, free: storage.delete(["old"], allow_unconfirmed=free),
    "set_alarm": lambda storage, free: storage.set_alarm(ALARM_MS, allow_unconfirmed=free),
    "delete_alarm": lambda storage, free: storage.delete_alarm(allow_unconfirmed=free),
}


@script
async def prepare(actor: Scripted) -> None:
    """A key to delete and an alarm to move."""
    await actor.ctx.storage.put("old", True)
    await actor.ctx.storage.set_alarm(ALARM_MS + 1)


@shows(UNCONFIRMED)
@pytest.mark.parametrize("unconfirmed", [False, True])
@pytest.mark.parametrize("kind", WRITES)
async def test_an_unconfirmed_write_of_any_kind_holds_no_output(
    kind: str, unconfirmed: bool
) -> None:
    """With `allow_unconfirmed` the reply leaves while the disk is held, without it not."""
    disk = Disk()
    script(prepare)

    @script
    async def story(actor: Scripted) -> str:
        await WRITES[kind](actor.ctx.storage, unconfirmed)
        return "reply"

    async with host_for(app, clock=ManualClock(), wrap_commit=disk.wrap) as host:
        async with in_flight() as calls:
            stub = host.env.OBJECT.get_by_name("a")
            await stub.run("prepare")
            disk.hold()
            await calls.start("story", stub.run("story"))
            assert calls.ended == ({"story": "reply"} if unconfirmed else {})
            disk.release()


@shows(MIXED)
@pytest.mark.parametrize("first", ["confirmed", "unconfirmed"])
async def test_one_confirmed_write_makes_its_whole_commit_confirmed(first: str) -> None:
    """In whichever order they are made."""
    disk = Disk()

    @script
    async def story(actor: Scripted) -> None:
        await actor.ctx.storage.put("a", 1, allow_unconfirmed=first == "unconfirmed")
        await actor.ctx.storage.put("b", 2, allow_unconfirmed=first == "confirmed")

    async with host_for(app, clock=ManualClock(), wrap_commit=disk.wrap) as host:
        async with in_flight() as calls:
            disk.hold()
            await calls.start("story", host.env.OBJECT.get_by_name("a").run("story"))
            assert calls.ended == {}
            disk.release()
        assert calls.ended == {"story": None}


@shows(MIXED)
async def test_delete_all_is_always_confirmed() -> None:
    """Whatever it is told."""
    disk = Disk()

    @script
    async def story(actor: Scripted) -> None:
        await actor.ctx.storage.delete_all(allow_unconfirmed=True)

    async with host_for(app, clock=ManualClock(), wrap_commit=disk.wrap) as host:
        async with in_flight() as calls:
            stub = host.env.OBJECT.get_by_name("a")
            await stub.run("write", "n")
            disk.hold()
            await calls.start("story", stub.run("story"))
            assert calls.ended == {}
            disk.release()


@shows(UNCONFIRMED_FAILS)
@mistake(12)
@pytest.mark.parametrize("kind", WRITES)
async def test_mistake_12_a_failed_unconfirmed_write_resets_the_object(kind: str) -> None:
    """Its reply is gone long since; the stub is broken, the state that of before."""
    disk = Disk()
    script(prepare)

    @script
    async def story(actor: Scripted) -> str:
        await WRITES[kind](actor.ctx.storage, True)
        return "reply"

    @script
    async def state(actor: Scripted) -> Any:
        return await actor.ctx.storage.list(), await actor.ctx.storage.get_alarm()

    async with host_for(app, clock=ManualClock(), wrap_commit=disk.wrap) as host:
        stub = host.env.OBJECT.get_by_name("a")
        await stub.run("prepare")
        disk.failing = True
        assert await stub.run("story") == "reply"
        await host.settle()
        disk.failing = False
        with pytest.raises(StorageError, match="disk is full") as caught:
            await stub.run("state")
        assert getattr(caught.value, "durable_object_reset", False)
        new = host.env.OBJECT.get_by_name("a")
        assert await new.run("state") == ({"old": True}, ALARM_MS + 1)


# What a transaction does with `put(storage, unconfirmed)`, and whether its reply waits.
TRANSACTIONS: dict[str, tuple[bool, tuple[str, ...]]] = {
    "unconfirmed": (False, ("free",)),
    "confirmed": (True, ("confirmed",)),
    "both": (True, ("free", "confirmed")),
    "unconfirmed child": (False, ("free", "child free")),
    "confirmed child": (True, ("free", "child confirmed")),
    "confirmed, with an unconfirmed child": (True, ("confirmed", "child free")),
    "confirmed grandchild": (True, ("free", "grandchild confirmed")),
    "confirmed child that rolls back": (False, ("free", "child confirmed rolls back")),
}


@shows(IN_TRANSACTIONS)
@pytest.mark.parametrize("kind", TRANSACTIONS)
async def test_a_transaction_is_confirmed_if_any_write_that_stays_in_it_is(kind: str) -> None:
    """Of a nested one too, unless that rolled back."""
    disk = Disk()
    waits, steps = TRANSACTIONS[kind]

    async def put(txn: Any, step: str) -> None:
        await txn.put(step, True, allow_unconfirmed="free" in step)
        if "rolls back" in step:
            txn.rollback()

    async def nest(actor: Scripted, txn: Any, step: str, levels: int) -> None:
        async def inner(child: Any) -> None:
            await nest(actor, child, step, levels - 1)

        if levels == 0:
            await put(txn, step)
        else:
            await actor.ctx.storage.transaction(inner)

    @script
    async def story(actor: Scripted) -> None:
        async def root(txn: Any) -> None:
            for step in steps:
                await nest(actor, txn, step, ("child" in step) + ("grandchild" in step))

        await actor.ctx.storage.transaction(root)

    async with host_for(app, clock=ManualClock(), wrap_commit=disk.wrap) as host:
        async with in_flight() as calls:
            disk.hold()
            await calls.start("story", host.env.OBJECT.get_by_name("a").run("story"))
            assert calls.ended == ({} if waits else {"story": None})
            disk.release()
        assert calls.ended == {"story": None}


@shows(IN_TRANSACTIONS, UNCONFIRMED_FAILS)
async def test_a_failed_commit_of_an_unconfirmed_transaction_resets_the_object() -> None:
    """As that of a single write."""
    disk = Disk()

    @script
    async def story(actor: Scripted) -> str:
        await actor.ctx.storage.transaction(lambda txn: txn.put("n", 1, allow_unconfirmed=True))
        return "reply"

    async with host_for(app, clock=ManualClock(), wrap_commit=disk.wrap) as host:
        stub = host.env.OBJECT.get_by_name("a")
        disk.failing = True
        assert await stub.run("story") == "reply"
        await host.settle()
        disk.failing = False
        with pytest.raises(StorageError, match="disk is full"):
            await stub.run("read")
        assert await host.env.OBJECT.get_by_name("a").run("read") == {}
