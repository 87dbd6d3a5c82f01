"""Transactions, as semantics.md 5.7 and 5.8 has them."""

from __future__ import annotations

from typing import Any

import anyio
import anyio.lowlevel
import pytest

from roomhost.runtime import DurableObjectTransaction
from roomhost.runtime.testing import ManualClock, host_for

from ..helpers.scripted import Scripted, app, script

pytestmark = pytest.mark.anyio


async def run(story: Any) -> Any:
    """Run a story inside an object, and what is stored afterwards, from a new instance."""
    script(story)

    @script
    async def entries(actor: Scripted) -> Any:
        return await actor.ctx.storage.list(), await actor.ctx.storage.get_alarm()

    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.OBJECT.get_by_name("a")
        result = await stub.run(story.__name__)
        await host.evict(stub)
        return result, *(await stub.run("entries"))


async def test_a_transaction_sees_its_writes_and_keeps_them() -> None:
    """Its callback's value comes back; `ctx.storage` takes part."""

    async def story(actor: Scripted) -> Any:
        async def inside(txn: DurableObjectTransaction) -> Any:
            await txn.put("a", 1)
            await actor.ctx.storage.put("b", 2)
            await anyio.lowlevel.checkpoint()
            return await txn.list()

        return await actor.ctx.storage.transaction(inside)

    assert await run(story) == ({"a": 1, "b": 2}, {"a": 1, "b": 2}, None)


async def test_an_error_undoes_everything_and_resets_nothing() -> None:
    """It goes to the caller; writes before the transaction stay, alarms go back."""

    async def story(actor: Scripted) -> str:
        async def inside(txn: DurableObjectTransaction) -> None:
            await txn.put("a", 2)
            await txn.delete("kept")
            await txn.set_alarm(4_000_000_000_000)
            await anyio.lowlevel.checkpoint()
            raise ValueError("inside")

        await actor.ctx.storage.put({"a": 1, "kept": True})
        try:
            await actor.ctx.storage.transaction(inside)
        except ValueError as error:
            await actor.ctx.storage.put("after", 3)
            return str(error)
        return "no error"

    expected = {"a": 1, "kept": True, "after": 3}
    assert await run(story) == ("inside", expected, None)


async def test_rollback_undoes_and_the_value_still_comes_back() -> None:
    """Twice is once; calls after it are refused."""

    async def story(actor: Scripted) -> list[Any]:
        kept: list[DurableObjectTransaction] = []

        async def inside(txn: DurableObjectTransaction) -> str:
            kept.append(txn)
            await txn.put("a", 1)
            txn.rollback()
            txn.rollback()
            with pytest.raises(RuntimeError, match=r"Cannot put\(\) on rolled back transaction"):
                await txn.put("b", 1)
            await actor.ctx.storage.put("outside", 1)
            return "value"

        result = await actor.ctx.storage.transaction(inside)
        kept[0].rollback()
        with pytest.raises(RuntimeError, match=r"Cannot get\(\) on rolled back transaction"):
            await kept[0].get("a")
        return [result]

    assert await run(story) == (["value"], {"outside": 1}, None)


async def test_nested_transactions_are_savepoints() -> None:
    """The inner one's rollback is its own; the outer one's undoes what the inner one kept."""

    async def story(actor: Scripted) -> None:
        storage = actor.ctx.storage

        async def fails(txn: DurableObjectTransaction) -> None:
            await txn.put("inner", "lost")
            raise ValueError("inner")

        async def keeps(txn: DurableObjectTransaction) -> None:
            await txn.put("kept", 1)

        async def outer(txn: DurableObjectTransaction) -> None:
            await txn.put("outer", 1)
            with pytest.raises(ValueError, match="inner"):
                await storage.transaction(fails)
            await storage.transaction(keeps)

        async def undone(txn: DurableObjectTransaction) -> None:
            await storage.transaction(keeps_too)
            txn.rollback()

        async def keeps_too(txn: DurableObjectTransaction) -> None:
            await txn.put("undone", 1)

        await storage.transaction(outer)
        await storage.transaction(undone)

    assert await run(story) == (None, {"outer": 1, "kept": 1}, None)


async def test_an_outer_transaction_is_not_rolled_back_under_an_inner_one() -> None:
    """That would pull the ground from under it."""

    async def story(actor: Scripted) -> None:
        async def outer(txn: DurableObjectTransaction) -> None:
            async def inner(_: DurableObjectTransaction) -> None:
                with pytest.raises(
                    RuntimeError, match="while a nested transaction is still running"
                ):
                    txn.rollback()

            await actor.ctx.storage.transaction(inner)

        await actor.ctx.storage.transaction(outer)

    assert await run(story) == (None, {}, None)


async def test_nothing_else_runs_during_a_transaction() -> None:
    """Events wait; concurrent transactions run one after the other, no update is lost."""

    @script
    async def add(actor: Scripted) -> None:
        async def inside(txn: DurableObjectTransaction) -> None:
            value = await txn.get("n", 0)
            await anyio.lowlevel.checkpoint()
            await txn.put("n", value + 1)

        await actor.ctx.storage.transaction(inside)

    @script
    async def plain(actor: Scripted) -> int:
        value: int = await actor.ctx.storage.get("n", 0)
        await actor.ctx.storage.put("n", value + 1)
        return value

    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.OBJECT.get_by_name("a")
        calls = [stub.run("add" if number % 3 else "plain") for number in range(30)]
        for call in calls:
            await call
        assert await stub.run("plain") == 30


async def test_two_transactions_of_one_handler_do_not_mix() -> None:
    """Started together, they run as if one had come after the other."""

    async def story(actor: Scripted) -> None:
        async def transact(key: str, fails: bool) -> None:
            async def inside(txn: DurableObjectTransaction) -> None:
                await txn.put(key, 1)
                await anyio.lowlevel.checkpoint()
                if fails:
                    txn.rollback()

            await actor.ctx.storage.transaction(inside)

        async with anyio.create_task_group() as group:
            group.start_soon(transact, "a", True)
            group.start_soon(transact, "b", False)
            group.start_soon(transact, "c", True)

    assert await run(story) == (None, {"b": 1}, None)


async def test_delete_all_is_refused_inside() -> None:
    """By the transaction and by storage."""

    async def story(actor: Scripted) -> None:
        async def inside(txn: DurableObjectTransaction) -> None:
            for target in (txn, actor.ctx.storage):
                with pytest.raises(RuntimeError, match=r"deleteAll\(\) within a transaction"):
                    await target.delete_all()

        await actor.ctx.storage.put("a", 1)
        await actor.ctx.storage.transaction(inside)

    assert await run(story) == (None, {"a": 1}, None)


async def test_a_synchronous_transaction_keeps_or_undoes() -> None:
    """Its value comes back, its error too; they nest."""

    async def story(actor: Scripted) -> Any:
        storage = actor.ctx.storage

        def fails() -> None:
            storage.kv.put("lost", 1)
            raise ValueError("inside")

        def keeps() -> str:
            storage.kv.put("kept", 1)
            with pytest.raises(ValueError, match="inside"):
                storage.transaction_sync(fails)
            return "value"

        await storage.put("before", 1)
        return storage.transaction_sync(keeps)

    assert await run(story) == ("value", {"before": 1, "kept": 1}, None)


async def test_a_block_that_raises_drops_what_its_turn_wrote() -> None:
    """As `abort()` does; what an earlier turn of it wrote stays."""

    @script
    async def block(actor: Scripted) -> None:
        async def inside() -> None:
            await actor.ctx.storage.put("earlier", 1)
            await anyio.lowlevel.checkpoint()
            await actor.ctx.storage.put("same turn", 1)
            raise KeyError("no")

        await actor.ctx.block_concurrency_while(inside)

    @script
    async def stored(actor: Scripted) -> list[str]:
        return list(await actor.ctx.storage.list())

    async with host_for(app, clock=ManualClock()) as host:
        with pytest.raises(KeyError):
            await host.env.OBJECT.get_by_name("a").run("block")
        assert await host.env.OBJECT.get_by_name("a").run("stored") == ["earlier"]
