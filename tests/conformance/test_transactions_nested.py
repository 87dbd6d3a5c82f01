"""Transactions: nested, and synchronous"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from roomhost.runtime import DurableObjectError, DurableObjectStorage, DurableObjectTransaction
from roomhost.runtime.testing import ManualClock, host_for

from ..helpers.actors import app, objects, within
from ..helpers.stories import in_storage, stored, stored_afresh, tell_to
from .feature import Feature, mistake, shows

pytestmark = pytest.mark.anyio

NESTED = Feature("storage.transaction: nested ones are savepoints", "5.7")
OUTER = Feature("storage.transaction: rolling back the outer while an inner one runs", "5.7")
DEPTH = Feature("storage.transaction: depth", "4.1")
SYNC = Feature("storage.transactionSync", "5.8")
SYNC_ASYNC = Feature("storage.transactionSync: an async callback", "5.8")
SYNC_NESTED = Feature("storage.transactionSync: nested ones are savepoints", "5.8")

MAX_DEPTH = 64


class Undo(Exception):
    """What a callback raises to have its transaction undone."""


def finish(txn: DurableObjectTransaction, end: str) -> None:
    """End a transaction as its callback does."""
    if end == "raise":
        raise Undo
    if end == "roll back":
        txn.rollback()


ENDS = ["commit", "raise", "roll back"]
every_end = pytest.mark.parametrize("outer_end", ENDS)
every_inner_end = pytest.mark.parametrize("inner_end", ENDS)


@mistake(23)
@shows(NESTED)
@every_end
@every_inner_end
async def test_mistake_23_nested_transactions_are_savepoints(
    outer_end: str, inner_end: str
) -> None:
    """An inner one is undone by itself; an outer one undoes what inner ones had committed."""

    async def story(storage: DurableObjectStorage) -> None:
        async def inner(txn: DurableObjectTransaction) -> None:
            assert await txn.list() == {"before": 1, "outer": 1}
            await txn.put({"inner": 1, "outer": 2})
            await txn.delete("before")
            await anyio.lowlevel.checkpoint()
            assert await storage.list() == {"inner": 1, "outer": 2}
            finish(txn, inner_end)

        async def outer(txn: DurableObjectTransaction) -> None:
            await txn.put("outer", 1)
            try:
                await storage.transaction(inner)
            except Undo:
                assert inner_end == "raise"
            kept = inner_end == "commit"
            inside = {"inner": 1, "outer": 2} if kept else {"before": 1, "outer": 1}
            assert await txn.list() == inside
            await txn.put("later", 1)
            finish(txn, outer_end)

        await storage.put("before", 1)
        try:
            await storage.transaction(outer)
        except Undo:
            assert outer_end == "raise"

    async with host_for(app, clock=ManualClock()) as host:
        await tell_to(objects(host), story)
        if outer_end != "commit":
            expected = {"before": 1}
        elif inner_end == "commit":
            expected = {"inner": 1, "later": 1, "outer": 2}
        else:
            expected = {"before": 1, "later": 1, "outer": 1}
        assert await stored(objects(host)) == expected
        assert await stored_afresh(host) == expected


@shows(NESTED)
async def test_inner_transactions_follow_each_other_in_one_commit() -> None:
    """One is undone between two that are kept; nothing is stored before the outermost ends."""

    async def story(storage: DurableObjectStorage) -> None:
        async def outer(txn: DurableObjectTransaction) -> None:
            for number in range(3):

                def inner(txn: DurableObjectTransaction, number: int = number) -> None:
                    txn.put({f"k{number}": number, "last": number})
                    if number == 1:
                        txn.rollback()

                await storage.transaction(inner)
                await anyio.lowlevel.checkpoint()

        await storage.transaction(outer)

    async with host_for(app, clock=ManualClock()) as host:
        await tell_to(objects(host), story)
        assert host.statistics().batches == 1
        assert await stored_afresh(host) == {"k0": 0, "k2": 2, "last": 2}


@shows(NESTED)
async def test_an_error_that_no_level_catches_undoes_every_level() -> None:
    """And reaches the code that began the outermost."""

    async def story(storage: DurableObjectStorage) -> None:
        async def level(depth: int) -> None:
            async def callback(txn: DurableObjectTransaction) -> None:
                await txn.put(f"level {depth}", 1)
                if depth == 5:
                    raise Undo
                await level(depth + 1)

            await storage.transaction(callback)

        with pytest.raises(Undo):
            await level(1)
        assert await storage.list() == {}

    await in_storage(story)


@shows(NESTED)
async def test_a_key_written_at_every_level_goes_back_level_by_level() -> None:
    """Each rollback restores what the level around it had written, a deletion too."""
    values: list[Any] = []

    async def story(storage: DurableObjectStorage) -> None:
        async def first(txn: DurableObjectTransaction) -> None:
            await txn.put("k", 1)
            await storage.transaction(second)
            values.append(await txn.get("k"))
            txn.rollback()

        async def second(txn: DurableObjectTransaction) -> None:
            await txn.delete("k")
            await storage.transaction(third)
            values.append(await txn.get("k", "deleted"))
            txn.rollback()

        def third(txn: DurableObjectTransaction) -> None:
            txn.put("k", 3)
            txn.rollback()

        await storage.put("k", 0)
        await storage.transaction(first)
        values.append(await storage.get("k"))

    await in_storage(story)
    assert values == ["deleted", 1, 0]


@shows(OUTER)
@pytest.mark.parametrize("kind", ["async", "sync"])
async def test_an_outer_transaction_cannot_be_rolled_back_while_an_inner_one_runs(
    kind: str,
) -> None:
    """It is an error in the inner one's code; afterwards it can be."""
    message = "^Cannot roll back an outer transaction while a nested transaction is still running"

    async def story(storage: DurableObjectStorage) -> None:
        async def outer(txn: DurableObjectTransaction) -> None:
            def inner(*_: Any) -> None:
                storage.put("inner", 1)
                with pytest.raises(RuntimeError, match=message):
                    txn.rollback()

            await txn.put("outer", 1)
            if kind == "async":
                await storage.transaction(inner)
            else:
                storage.transaction_sync(inner)
            assert await txn.list() == {"inner": 1, "outer": 1}
            txn.rollback()

        await storage.transaction(outer)
        assert await storage.list() == {}

    await in_storage(story)


@shows(DEPTH)
async def test_sixty_four_levels_are_allowed_and_one_more_is_an_error() -> None:
    """The error ends nothing: the levels around it are committed, the object is not reset."""
    refused: list[str] = []

    async def story(actor: Any) -> None:
        storage = actor.ctx.storage
        actor.memory.append("alive")

        async def level(depth: int) -> None:
            async def callback(txn: DurableObjectTransaction) -> None:
                await txn.put(f"{depth:02}", depth)
                await level(depth + 1)

            try:
                await storage.transaction(callback)
            except DurableObjectError as error:
                refused.append(f"{depth}: {error}")

        await level(1)

    async with host_for(app, clock=ManualClock()) as host:
        await within(objects(host), story)
        assert len(refused) == 1
        assert refused[0].startswith(f"{MAX_DEPTH + 1}: ")
        assert await within(objects(host), lambda actor: actor.memory) == ["alive"]
        assert list((await stored_afresh(host)).values()) == list(range(1, MAX_DEPTH + 1))


@shows(SYNC)
async def test_transaction_sync_commits_and_returns_what_its_callback_returns() -> None:
    """It gets no argument; storage calls and the synchronous ones take part alike."""
    result = object()

    async def story(storage: DurableObjectStorage) -> None:
        def callback() -> object:
            storage.kv.put("kv", 1)
            storage.put("storage", 2)
            assert storage.kv.delete("old") is True
            assert storage.kv.list() == {"kv": 1, "storage": 2}
            return result

        await storage.put("old", 0)
        assert storage.transaction_sync(callback) is result
        assert await storage.list() == {"kv": 1, "storage": 2}

    async with host_for(app, clock=ManualClock()) as host:
        await tell_to(objects(host), story)
        assert await stored_afresh(host) == {"kv": 1, "storage": 2}


@shows(SYNC)
async def test_an_error_undoes_a_synchronous_transaction() -> None:
    """It is raised where it was called; what was written before in the same turn stays."""

    async def story(actor: Any) -> None:
        storage = actor.ctx.storage

        def callback() -> None:
            storage.kv.put("k", 2)
            storage.kv.put("new", 1)
            storage.kv.delete("before")
            raise Undo("why")

        actor.memory.append("alive")
        storage.put({"k": 1, "before": 1})
        with pytest.raises(Undo, match=r"^why$"):
            storage.transaction_sync(callback)
        assert storage.kv.list() == {"before": 1, "k": 1}

    async with host_for(app, clock=ManualClock()) as host:
        await within(objects(host), story)
        assert await within(objects(host), lambda actor: actor.memory) == ["alive"]
        assert await stored_afresh(host) == {"before": 1, "k": 1}


@shows(SYNC)
async def test_a_synchronous_transaction_is_of_one_commit_with_its_turn() -> None:
    """Nothing suspends around it, so nothing is committed in between."""

    async def story(storage: DurableObjectStorage) -> None:
        await storage.put("before", 1)
        storage.transaction_sync(lambda: storage.kv.put("inside", 2))
        await storage.put("after", 3)

    async with host_for(app, clock=ManualClock()) as host:
        await tell_to(objects(host), story)
        assert host.statistics().batches == 1
        assert await stored_afresh(host) == {"after": 3, "before": 1, "inside": 2}


@shows(SYNC_ASYNC)
async def test_transaction_sync_does_not_await_an_async_callback() -> None:
    """It returns the coroutine; what that writes when it runs is outside of the transaction."""

    async def story(storage: DurableObjectStorage) -> None:
        async def callback() -> str:
            storage.kv.put("k", 1)
            raise Undo

        coroutine = storage.transaction_sync(callback)
        assert storage.kv.list() == {}
        with pytest.raises(Undo):
            await coroutine
        assert storage.kv.list() == {"k": 1}

    await in_storage(story)


@mistake(23)
@shows(SYNC_NESTED)
@pytest.mark.parametrize("inner_fails", [True, False])
@pytest.mark.parametrize("outer_fails", [True, False])
async def test_mistake_23_synchronous_transactions_are_savepoints_too(
    inner_fails: bool, outer_fails: bool
) -> None:
    """Inside of each other."""

    async def story(storage: DurableObjectStorage) -> None:
        kv = storage.kv

        def inner() -> None:
            kv.put("inner", 1)
            kv.put("outer", 2)
            fail_if(inner_fails)

        def outer() -> None:
            kv.put("outer", 1)
            attempt(lambda: storage.transaction_sync(inner))
            inside = {"outer": 1} if inner_fails else {"inner": 1, "outer": 2}
            assert kv.list() == inside
            fail_if(outer_fails)

        attempt(lambda: storage.transaction_sync(outer))

    expected = {"outer": 1} if inner_fails else {"inner": 1, "outer": 2}
    async with host_for(app, clock=ManualClock()) as host:
        await tell_to(objects(host), story)
        assert await stored_afresh(host) == ({} if outer_fails else expected)


@mistake(23)
@shows(SYNC_NESTED)
@every_end
@pytest.mark.parametrize("inner_fails", [True, False])
async def test_mistake_23_a_synchronous_one_is_a_savepoint_of_the_one_around_it(
    outer_end: str, inner_fails: bool
) -> None:
    """Inside of an asynchronous one: undone by itself, and with the outer."""

    async def story(storage: DurableObjectStorage) -> None:
        def inner() -> None:
            storage.kv.put("inner", 1)
            fail_if(inner_fails)

        async def outer(txn: DurableObjectTransaction) -> None:
            await txn.put("outer", 1)
            attempt(lambda: storage.transaction_sync(inner))
            await anyio.lowlevel.checkpoint()
            assert await txn.get("inner", "undone") == ("undone" if inner_fails else 1)
            finish(txn, outer_end)

        try:
            await storage.transaction(outer)
        except Undo:
            assert outer_end == "raise"

    expected = {"outer": 1} if inner_fails else {"inner": 1, "outer": 1}
    async with host_for(app, clock=ManualClock()) as host:
        await tell_to(objects(host), story)
        assert await stored_afresh(host) == (expected if outer_end == "commit" else {})


def fail_if(failing: bool) -> None:
    """End a synchronous transaction."""
    if failing:
        raise Undo


def attempt(call: Callable[[], Any]) -> None:
    """Call, whether the transaction is undone or not."""
    try:
        call()
    except Undo:
        return
