"""Transactions among other events, among themselves, and with alarms (semantics.md 5.7, 5.8)."""

from __future__ import annotations

# pyright: basic, reportPossiblyUnboundVariable=false, reportOptionalIterable=false
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roomhost.runtime import DurableObjectStorage
from roomhost.runtime.testing import ManualClock, host_for
from roomhost.runtime.transaction import DurableObjectTransaction

from ..helpers.actors import Clockwork, Disk, Laboratory, app, objects, within

pytestmark = pytest.mark.anyio


class Undo(Exception):
    """What a callback raises to have its transaction undone."""


# A transaction: what it writes and the transactions inside it, and how it ends.
TREES = st.recursive(
    st.tuples(st.just("put"), st.sampled_from("abc"), st.integers(0, 99))
    | st.tuples(st.just("delete"), st.sampled_from("abc"))
    | st.tuples(st.just("alarm"), st.none() | st.integers(1, 9))
    | st.tuples(st.just("suspend")),
    lambda steps: st.tuples(
        st.sampled_from(["async", "sync"]),
        st.sampled_from(["commit", "raise", "roll back"]),
        st.lists(steps, max_size=4),
    ),
    max_leaves=12,
)
ALARM = "alarm"
EPOCH_MS = 1_800_000_000_000


def write(storage: Any, model: dict[str, Any], step: tuple[Any, ...]) -> None:
    """One write. It is done when it is called, awaited or not."""
    if step[0] == "put":
        storage.put(step[1], step[2])
        model[step[1]] = step[2]
    elif step[0] == "delete":
        storage.delete(step[1])
        model.pop(step[1], None)
    elif step[1] is None:
        storage.delete_alarm()
        model.pop(ALARM, None)
    else:
        storage.set_alarm(EPOCH_MS + step[1])
        model[ALARM] = EPOCH_MS + step[1]


async def state_of(storage: Any) -> dict[str, Any]:
    """The entries, and the alarm among them."""
    due_ms = await storage.get_alarm()
    return {**await storage.list(), **({} if due_ms is None else {ALARM: due_ms})}


async def run_tree(
    actor: Laboratory, used: Any, tree: tuple[Any, ...], model: dict[str, Any]
) -> None:
    """Do `tree` in the object and in the model; `used` is storage or the transaction around."""
    storage = actor.ctx.storage
    kind, ending, *rest = tree if len(tree) == 3 and tree[0] in ("async", "sync") else (*tree, None)
    if kind == "suspend":
        await anyio.lowlevel.checkpoint()
    elif kind == "async":
        inner = dict(model)

        async def callback(txn: DurableObjectTransaction) -> str:
            for step in rest[0]:
                await run_tree(actor, txn, step, inner)
                assert await state_of(txn) == await state_of(storage) == inner
            if ending == "raise":
                raise Undo
            if ending == "roll back":
                txn.rollback()
                txn.rollback()
                assert await state_of(storage) == model
            return "result"

        if ending == "raise":
            with pytest.raises(Undo):
                await storage.transaction(callback)
        else:
            assert await storage.transaction(callback) == "result"
        if ending == "commit":
            model.clear()
            model.update(inner)
    elif kind == "sync":
        inner = dict(model)

        def synchronous() -> None:
            for step in rest[0]:
                if step[0] in ("put", "delete", "alarm"):
                    write(storage, inner, step)
            if ending != "commit":
                raise Undo

        if ending == "commit":
            storage.transaction_sync(synchronous)
            model.clear()
            model.update(inner)
        else:
            with pytest.raises(Undo):
                storage.transaction_sync(synchronous)
    else:
        write(used, model, tree)
    assert await state_of(storage) == model


@settings(max_examples=80)
@given(st.lists(TREES, max_size=5))
async def test_transactions_are_nested_savepoints(trees: list[tuple[Any, ...]]) -> None:
    """Of entries and alarm alike, committed or undone independently of how deep they are."""
    model: dict[str, Any] = {}

    async def story(actor: Laboratory) -> None:
        for tree in trees:
            await run_tree(actor, actor.ctx.storage, tree, model)

    async with host_for(app, clock=ManualClock()) as host:
        stub = objects(host)
        await within(stub, story)
        await host.evict(stub)
        assert await within(stub, lambda actor: state_of(actor.ctx.storage)) == model


async def test_a_rollback_is_right_when_what_it_undoes_lands_meanwhile() -> None:
    """Writes that were on their way to the disk when it began, and arrive while it runs, stay."""
    disk = Disk()

    async def story(actor: Laboratory) -> None:
        storage = actor.ctx.storage
        await storage.put({"a": 1, "b": 1, "c": 1})
        await storage.sync()
        disk.hold()
        await storage.put({"a": 2, "d": 2})
        await storage.delete("b")

        async def callback(txn: DurableObjectTransaction) -> None:
            await txn.put({"a": 3, "b": 3, "d": 3, "e": 3})
            await txn.delete("c")
            disk.release()
            await storage_landed(actor)
            assert await txn.list() == {"a": 3, "b": 3, "d": 3, "e": 3}
            txn.rollback()

        await storage.transaction(callback)
        for _ in range(2):
            assert await storage.list() == {"a": 2, "c": 1, "d": 2}
            assert await storage.get(["a", "b", "c", "d", "e"]) == {"a": 2, "c": 1, "d": 2}
            await storage.sync()
        await storage.delete_all()
        assert await storage.list() == {}

    async with host_for(app, clock=ManualClock(), wrap_commit=disk) as host:

        async def storage_landed(actor: Laboratory) -> None:
            while host.engine.partition.idle is False:
                await anyio.lowlevel.checkpoint()

        await within(objects(host), story)


async def test_sync_inside_a_transaction_ends() -> None:
    """It cannot wait for what the transaction itself still holds: only for what was before it."""

    async def story(actor: Laboratory) -> str:
        async def callback(txn: DurableObjectTransaction) -> str:
            await txn.put("a", 1)
            try:
                await actor.ctx.storage.sync()
            except RuntimeError:
                return "refused"
            return "done"

        result: str = await actor.ctx.storage.transaction(callback)
        return result

    async with host_for(app, clock=ManualClock()) as host:
        with anyio.move_on_after(5) as scope:
            assert await within(objects(host), story) in ("done", "refused")
        if scope.cancelled_caught:
            await host.crash()
        assert not scope.cancelled_caught


async def test_no_other_event_sees_or_enters_a_transaction() -> None:
    """Calls that come while it waits run after it, in the order they came."""
    log: list[Any] = []
    go = anyio.Event()

    async def long(actor: Laboratory) -> None:
        async def callback(txn: DurableObjectTransaction) -> None:
            await txn.put("balance", 1)
            log.append("inside")
            await go.wait()
            log.append("still inside")
            await txn.put("balance", 2)

        await actor.ctx.storage.transaction(callback)
        log.append("after")

    async def short(actor: Laboratory, number: int) -> None:
        log.append((number, await actor.ctx.storage.get("balance")))

    async with host_for(app, clock=ManualClock()) as host:
        stub = objects(host)
        async with anyio.create_task_group() as group:
            group.start_soon(within, stub, long)
            await anyio.wait_all_tasks_blocked()
            for number in range(3):
                group.start_soon(within, stub, short, number)
                await anyio.wait_all_tasks_blocked()
            assert log == ["inside"]
            go.set()
    assert log == ["inside", "still inside", "after", (0, 2), (1, 2), (2, 2)]


async def test_transactions_of_many_callers_do_not_lose_an_update() -> None:
    """Each reads, waits, adds one: a hundred of them make a hundred, those undone aside."""
    events: list[str] = []

    async def add(actor: Laboratory, number: int) -> None:
        async def callback(txn: DurableObjectTransaction) -> None:
            events.append("enter")
            value = await txn.get("count", 0)
            await anyio.lowlevel.checkpoint()
            await txn.put("count", value + 1)
            await anyio.lowlevel.checkpoint()
            events.append("leave")
            if number % 10 == 0:
                txn.rollback()
            if number % 10 == 1:
                raise Undo

        await actor.ctx.storage.transaction(callback)

    async def call(stub: Any, number: int) -> None:
        try:
            await within(stub, add, number)
        except Undo:
            assert number % 10 == 1

    async with host_for(app, clock=ManualClock()) as host:
        stub = objects(host)
        async with anyio.create_task_group() as group:
            for number in range(100):
                group.start_soon(call, stub, number)
        assert await within(stub, lambda actor: actor.ctx.storage.get("count")) == 80
    assert events == ["enter", "leave"] * 100


async def test_every_call_on_a_transaction_that_is_over_is_refused() -> None:
    """Rolled back, committed or failed: with the name of the call, and without an effect."""
    kept: list[DurableObjectTransaction] = []

    def calls(txn: DurableObjectTransaction) -> dict[str, Any]:
        return {
            "get": lambda: txn.get("a"),
            "put": lambda: txn.put("a", 2),
            "delete": lambda: txn.delete("a"),
            "list": lambda: txn.list(),
            "getAlarm": lambda: txn.get_alarm(),
            "setAlarm": lambda: txn.set_alarm(EPOCH_MS),
            "deleteAlarm": lambda: txn.delete_alarm(),
        }

    async def refused(txn: DurableObjectTransaction, text: str) -> None:
        for name, call in calls(txn).items():
            with pytest.raises(RuntimeError, match=text.format(name)):
                await call()
        with pytest.raises(RuntimeError, match=r"Cannot call deleteAll\(\) within a transaction"):
            txn.delete_all()

    async def story(actor: Laboratory) -> None:
        storage = actor.ctx.storage
        await storage.put("a", 1)

        async def rolls_back(txn: DurableObjectTransaction) -> None:
            kept.append(txn)
            txn.rollback()
            await refused(txn, r"Cannot {}\(\) on rolled back transaction")
            await storage.put("b", 1)  # storage itself is back outside

        async def fails(txn: DurableObjectTransaction) -> None:
            kept.append(txn)
            raise Undo

        await storage.transaction(rolls_back)
        with pytest.raises(Undo):
            await storage.transaction(fails)
        for txn in kept:
            await refused(txn, r"Cannot {}\(\) on rolled back transaction")
            txn.rollback()  # once more changes nothing

        await storage.transaction(kept.append)
        over = r"Cannot call {}\(\) on transaction that has already committed"
        await refused(kept[-1], over)
        with pytest.raises(RuntimeError, match=over.format("rollback")):
            kept[-1].rollback()
        assert await state_of(storage) == {"a": 1, "b": 1}

    async with host_for(app, clock=ManualClock()) as host:
        await within(objects(host), story)


async def test_an_outer_transaction_ends_before_an_inner_one_nobody_awaited() -> None:
    """The inner one still runs, whole, and its rollback takes nothing of the outer one."""

    async def story(actor: Laboratory) -> None:
        storage = actor.ctx.storage

        async def inner(txn: DurableObjectTransaction) -> None:
            await txn.put("inner", 1)
            await anyio.lowlevel.checkpoint()
            txn.rollback()

        async def outer(txn: DurableObjectTransaction) -> None:
            await txn.put("outer", 1)
            actor.memory.append(storage.transaction(inner))

        await storage.transaction(outer)
        (pending,) = actor.memory
        await pending
        assert await storage.list() == {"outer": 1}

    async with host_for(app, clock=ManualClock()) as host:
        await within(objects(host), story)
        assert await within(objects(host), lambda actor: actor.ctx.storage.list()) == {"outer": 1}


async def test_rolling_back_around_a_running_transaction_is_refused() -> None:
    """From inside the inner one, asynchronous or synchronous; both then go on."""
    message = "while a nested transaction is still running"

    async def story(actor: Laboratory) -> None:
        storage = actor.ctx.storage

        async def outer(txn: DurableObjectTransaction) -> None:
            await txn.put("outer", 1)

            async def inner(nested: DurableObjectTransaction) -> None:
                await nested.put("inner", 1)
                with pytest.raises(RuntimeError, match=message):
                    txn.rollback()

            await storage.transaction(inner)

            def synchronous() -> None:
                storage.kv.put("sync", 1)
                with pytest.raises(RuntimeError, match=message):
                    txn.rollback()

            storage.transaction_sync(synchronous)

        await storage.transaction(outer)
        assert await storage.list() == {"outer": 1, "inner": 1, "sync": 1}

    async with host_for(app, clock=ManualClock()) as host:
        await within(objects(host), story)


async def test_an_alarm_is_told_to_the_scheduler_at_the_outermost_commit() -> None:
    """Not in an inner transaction, and never when the outer one is undone."""
    runs: list[int] = []
    Clockwork.handler = lambda actor, info: runs.append(info.scheduled_time)
    clock = ManualClock()
    start_ms = clock.now_ms()

    async def story(actor: Laboratory, undo: bool) -> None:
        storage = actor.ctx.storage

        async def outer(txn: DurableObjectTransaction) -> None:
            async def inner(nested: DurableObjectTransaction) -> None:
                await nested.set_alarm(clock.now_ms() + 1_000)

            await storage.transaction(inner)
            assert await txn.get_alarm() == clock.now_ms() + 1_000
            if undo:
                txn.rollback()

        await storage.transaction(outer)

    async with host_for(app, clock=clock) as host:
        stub = objects(host)
        await within(stub, story, True)
        await clock.advance(5)
        assert runs == []
        await within(stub, story, False)
        await clock.advance(5)
        assert runs == [start_ms + 6_000]

        async def keeps(actor: Laboratory) -> None:
            await actor.ctx.storage.set_alarm(clock.now_ms() + 1_000)

            async def deletes(txn: DurableObjectTransaction) -> None:
                await txn.delete_alarm()
                assert await txn.get_alarm() is None
                raise Undo

            with pytest.raises(Undo):
                await actor.ctx.storage.transaction(deletes)

        await within(stub, keeps)
        await clock.advance(5)
        assert runs == [start_ms + 6_000, start_ms + 11_000]


async def test_a_transaction_is_one_commit_and_a_crash_finds_all_or_nothing(tmp_path: Path) -> None:
    """However often it waits; what was written before it is a commit of its own."""
    disk = Disk()

    async def story(actor: Laboratory) -> None:
        storage = actor.ctx.storage
        await storage.put("before", 1)

        async def callback(txn: DurableObjectTransaction) -> None:
            for key in "abc":
                await txn.put(key, 1)
                await anyio.lowlevel.checkpoint()

        await storage.transaction(callback)
        await storage.sync()
        actor.memory.append("committed")

        async def never(txn: DurableObjectTransaction) -> None:
            await txn.put({"a": 2, "d": 2})
            await anyio.sleep_forever()

        await storage.transaction(never)

    async def call(stub: Any) -> None:
        with pytest.raises(Exception, match="lost"):
            await within(stub, story)

    async with host_for(app, clock=ManualClock(), data_dir=tmp_path, wrap_commit=disk) as host:
        stub = objects(host)
        async with anyio.create_task_group() as group:
            group.start_soon(call, stub)
            await host.settle()
            assert host.statistics().batches == 2
            await host.crash()
    async with host_for(app, clock=ManualClock(), data_dir=tmp_path) as host:
        stored = await within(objects(host), lambda actor: actor.ctx.storage.list())
    assert stored == {"before": 1, "a": 1, "b": 1, "c": 1}


async def test_unconfirmed_writes_alone_let_a_reply_pass() -> None:
    """One confirmed write in any part that was kept makes the commit wait; a part undone, not."""
    disk = Disk()

    async def story(actor: Laboratory, confirmed: str) -> str:
        storage = actor.ctx.storage

        async def outer(txn: DurableObjectTransaction) -> None:
            await txn.put("a", 1, allow_unconfirmed=True)

            async def inner(nested: DurableObjectTransaction) -> None:
                await nested.put("b", 1, allow_unconfirmed=confirmed == "none")
                if confirmed == "undone":
                    nested.rollback()

            await storage.transaction(inner)

        await storage.transaction(outer)
        return confirmed

    async with host_for(app, clock=ManualClock(), wrap_commit=disk) as host:
        replies: list[str] = []

        async def call(confirmed: str) -> None:
            replies.append(await within(objects(host, confirmed), story, confirmed))

        await within(objects(host, "warm"), lambda actor: None)
        disk.hold()
        async with anyio.create_task_group() as group:
            for confirmed in ("none", "undone", "kept"):
                group.start_soon(call, confirmed)
            await anyio.wait_all_tasks_blocked()
            assert sorted(replies) == ["none", "undone"]
            disk.release()
        assert sorted(replies) == ["kept", "none", "undone"]


async def test_a_synchronous_transaction_does_not_await() -> None:
    """An async callback's coroutine comes back as it is, after the commit."""

    async def story(actor: Laboratory) -> None:
        storage: DurableObjectStorage = actor.ctx.storage

        async def callback() -> str:
            await storage.put("late", 1)
            return "late"

        pending = storage.transaction_sync(callback)
        assert await storage.list() == {}
        assert await pending == "late"
        assert await storage.list() == {"late": 1}

    async with host_for(app, clock=ManualClock()) as host:
        await within(objects(host), story)
