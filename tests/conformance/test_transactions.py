"""Transactions"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from roomhost.runtime import DurableObjectStorage, DurableObjectTransaction
from roomhost.runtime.testing import ManualClock, host_for

from ..helpers.actors import app, objects, within
from ..helpers.stories import in_storage, stored, stored_afresh, tell_to
from .feature import Feature, mistake, shows

pytestmark = pytest.mark.anyio

TRANSACTION = Feature("storage.transaction", "5.7")
RESULT = Feature("storage.transaction: returns the callback's value", "5.7")
READS = Feature("storage.transaction: reads see its writes", "5.7")
ERROR = Feature("storage.transaction: an error undoes it", "5.7")
ROLLBACK = Feature("transaction.rollback", "5.7")
AFTER_ROLLBACK = Feature("transaction: use after rollback", "5.7")
AFTER_END = Feature("transaction: use after the callback ended", "5.7")
STORAGE_INSIDE = Feature("storage.transaction: ctx.storage inside takes part", "5.7")
BEFORE = Feature("storage.transaction: writes before it are not part of it", "5.7")

NOW_MS = 1_800_000_000_000
# Every operation of a transaction, under the name its errors give it.
OPERATIONS: dict[str, Callable[[Any], Any]] = {
    "get": lambda txn: txn.get("k"),
    "put": lambda txn: txn.put("k", 1),
    "delete": lambda txn: txn.delete("k"),
    "list": lambda txn: txn.list(),
    "getAlarm": lambda txn: txn.get_alarm(),
    "setAlarm": lambda txn: txn.set_alarm(NOW_MS),
    "deleteAlarm": lambda txn: txn.delete_alarm(),
    "deleteAll": lambda txn: txn.delete_all(),
}


class Undo(Exception):
    """What a callback raises to have its transaction undone."""


@shows(TRANSACTION)
async def test_a_transaction_commits_what_its_callback_wrote() -> None:
    """Puts and deletions, in one commit, and the next instance finds them."""

    async def callback(txn: DurableObjectTransaction) -> None:
        await txn.put("a", 1)
        await anyio.lowlevel.checkpoint()
        await txn.put({"b": 2, "gone": 3})
        await anyio.lowlevel.checkpoint()
        assert await txn.delete(["old", "gone"]) == 2

    async with host_for(app, clock=ManualClock()) as host:
        await tell_to(objects(host), lambda storage: storage.put("old", 0))
        await tell_to(objects(host), lambda storage: storage.transaction(callback))
        assert host.statistics().batches == 2
        assert await stored_afresh(host) == {"a": 1, "b": 2}


@shows(RESULT)
@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_a_transaction_returns_what_its_callback_returns(kind: str) -> None:
    """The callback may be a plain function; what it returns is not copied."""
    result = object()

    def plain(txn: DurableObjectTransaction) -> object:
        txn.put("k", 1)
        return result

    async def suspending(txn: DurableObjectTransaction) -> object:
        await anyio.lowlevel.checkpoint()
        return plain(txn)

    async def story(storage: DurableObjectStorage) -> None:
        assert await storage.transaction(plain if kind == "sync" else suspending) is result
        assert await storage.transaction(lambda txn: None) is None
        assert await storage.list() == {"k": 1}

    await in_storage(story)


@shows(READS)
async def test_reads_in_a_transaction_see_storage_and_its_own_writes() -> None:
    """Of one key, of several, of a range, as counts of deletions, and as the alarm."""

    async def callback(txn: DurableObjectTransaction) -> None:
        assert await txn.get("kept") == 0
        txn.put({"new": 1, "changed": 1})
        txn.set_alarm(NOW_MS + 1)
        assert await txn.delete(["deleted", "new", "never"]) == 2
        assert await txn.get("changed") == 1
        assert await txn.get(["kept", "changed", "deleted", "new"]) == {"changed": 1, "kept": 0}
        assert list(await txn.list(reverse=True)) == ["kept", "changed"]
        assert await txn.list(start="l") == {}
        assert await txn.get_alarm() == NOW_MS + 1

    async def story(storage: DurableObjectStorage) -> None:
        await storage.put({"kept": 0, "changed": 0, "deleted": 0})
        await storage.transaction(callback)
        assert await storage.list() == {"changed": 1, "kept": 0}

    await in_storage(story)


@shows(TRANSACTION)
async def test_writes_that_the_callback_did_not_await_are_part_of_the_commit() -> None:
    """In the order of the calls: the last of a key counts."""

    def callback(txn: DurableObjectTransaction) -> None:
        txn.put("k", 1)
        txn.put("k", 2)
        txn.delete("other")
        txn.put("other", 3)

    async with host_for(app, clock=ManualClock()) as host:
        await tell_to(objects(host), lambda storage: storage.transaction(callback))
        assert await stored_afresh(host) == {"k": 2, "other": 3}


@mistake(22)
@shows(ERROR)
@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_mistake_22_an_error_undoes_the_transaction_and_resets_nothing(kind: str) -> None:
    """The caller gets the error; the callback ran once; memory and earlier writes are kept."""
    runs: list[str] = []

    def plain(txn: DurableObjectTransaction) -> None:
        runs.append("run")
        txn.put({"a": 1, "b": 1})
        txn.delete("kept")
        raise Undo("why")

    async def suspending(txn: DurableObjectTransaction) -> None:
        await txn.put("early", 1)
        await anyio.lowlevel.checkpoint()
        plain(txn)

    async def story(actor: Any) -> None:
        storage = actor.ctx.storage
        actor.memory.append("alive")
        await storage.put({"kept": 1, "a": 0})
        with pytest.raises(Undo, match=r"^why$"):
            await storage.transaction(plain if kind == "sync" else suspending)
        assert await storage.list() == {"a": 0, "kept": 1}
        await storage.put("after", 1)

    async with host_for(app, clock=ManualClock()) as host:
        await within(objects(host), story)
        assert await within(objects(host), lambda actor: actor.memory) == ["alive"]
        assert await stored_afresh(host) == {"a": 0, "after": 1, "kept": 1}
    assert runs == ["run"]


@shows(ERROR)
async def test_an_error_that_the_handler_lets_go_reaches_its_caller() -> None:
    """With its class and message; the same stub goes on to work."""

    def callback(txn: DurableObjectTransaction) -> None:
        txn.put("k", 1)
        raise KeyError("missing")

    async with host_for(app, clock=ManualClock()) as host:
        stub = objects(host)
        with pytest.raises(KeyError, match="missing") as caught:
            await tell_to(stub, lambda storage: storage.transaction(callback))
        assert not getattr(caught.value, "durable_object_reset", True)
        assert await stored(stub) == {}


@shows(ERROR)
@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda txn: txn.put("k", object()), TypeError),
        (lambda txn: txn.put("k" * 3_000, 1), ValueError),
        (lambda txn: txn.list(limit=0), TypeError),
        (lambda txn: txn.get(None), TypeError),
    ],
    ids=["value", "long key", "limit", "no key"],
)
async def test_a_refused_call_ends_a_transaction_only_if_it_is_not_caught(
    call: Callable[[Any], Any], error: type[Exception]
) -> None:
    """Caught, the callback goes on and its other writes are committed."""

    async def catching(txn: DurableObjectTransaction) -> None:
        await txn.put("caught", 1)
        with pytest.raises(error):
            await call(txn)
        await txn.put("after", 1)

    async def failing(txn: DurableObjectTransaction) -> None:
        await txn.put("failed", 1)
        await call(txn)

    async def story(storage: DurableObjectStorage) -> None:
        await storage.transaction(catching)
        with pytest.raises(error):
            await storage.transaction(failing)
        assert await storage.list() == {"after": 1, "caught": 1}

    await in_storage(story)


@shows(TRANSACTION)
@pytest.mark.parametrize("callback", [None, 5, "put"])
async def test_what_cannot_be_called_is_refused(callback: Any) -> None:
    """With a TypeError, by both kinds of transaction; the next one works."""

    async def story(storage: DurableObjectStorage) -> None:
        with pytest.raises(TypeError):
            await storage.transaction(callback)
        with pytest.raises(TypeError):
            storage.transaction_sync(callback)
        await storage.transaction(lambda txn: txn.put("k", 1))
        assert await storage.list() == {"k": 1}

    await in_storage(story)


@shows(ROLLBACK)
async def test_rollback_undoes_all_and_the_callback_goes_on() -> None:
    """Its value is still returned, and a second rollback is no error."""

    async def callback(txn: DurableObjectTransaction) -> str:
        await txn.put({"k": 2, "new": 1})
        await txn.delete("deleted")
        await anyio.lowlevel.checkpoint()
        result: object = txn.rollback()  # type: ignore[func-returns-value]
        assert result is None
        txn.rollback()
        return "returned"

    async def story(storage: DurableObjectStorage) -> None:
        await storage.put({"k": 1, "deleted": 1})
        assert await storage.transaction(callback) == "returned"
        assert await storage.list() == {"deleted": 1, "k": 1}

    async with host_for(app, clock=ManualClock()) as host:
        await tell_to(objects(host), story)
        assert await stored_afresh(host) == {"deleted": 1, "k": 1}


@shows(ROLLBACK)
async def test_rollback_restores_values_on_disk_in_flight_and_of_the_turn() -> None:
    """Each key has the value it had when the transaction began, wherever that was."""
    keys = ("disk", "flight", "turn")

    async def callback(txn: DurableObjectTransaction) -> None:
        for key in keys:
            txn.put(key, "changed")
        txn.delete(list(keys[:2]))
        txn.rollback()

    async def story(storage: DurableObjectStorage) -> None:
        await storage.put("disk", 1)
        await storage.sync()
        await storage.put("flight", 2)
        await anyio.lowlevel.checkpoint()
        await storage.put("turn", 3)
        await storage.transaction(callback)
        assert await storage.list() == {"disk": 1, "flight": 2, "turn": 3}

    async with host_for(app, clock=ManualClock()) as host:
        await tell_to(objects(host), story)
        assert await stored_afresh(host) == {"disk": 1, "flight": 2, "turn": 3}


@shows(ROLLBACK)
async def test_an_error_after_a_rollback_goes_to_the_caller() -> None:
    """There is nothing more to undo."""

    def callback(txn: DurableObjectTransaction) -> None:
        txn.put("k", 1)
        txn.rollback()
        raise Undo

    async def story(storage: DurableObjectStorage) -> None:
        with pytest.raises(Undo):
            await storage.transaction(callback)
        assert await storage.list() == {}

    await in_storage(story)


class Kept:
    """What a callback makes of its transaction to carry it out."""

    def __init__(self, txn: DurableObjectTransaction) -> None:
        self.txn = txn


async def refuses_all(txn: DurableObjectTransaction, message: str) -> None:
    """Every operation is refused, with `message` about it; `deleteAll` always with its own."""
    for name, operation in OPERATIONS.items():
        expected = r"Cannot call deleteAll\(\) within" if name == "deleteAll" else message
        with pytest.raises(RuntimeError, match=expected.format(name)):
            await operation(txn)


@shows(AFTER_ROLLBACK)
async def test_an_operation_after_rollback_is_an_error() -> None:
    """Which names it; the object stays as it is."""

    async def callback(txn: DurableObjectTransaction) -> None:
        txn.rollback()
        await refuses_all(txn, r"^Cannot {}\(\) on rolled back transaction$")

    async def story(storage: DurableObjectStorage) -> None:
        await storage.put("k", 0)
        await storage.transaction(callback)
        assert await storage.list() == {"k": 0}
        assert await storage.get_alarm() is None

    await in_storage(story)


@mistake(23)
@shows(AFTER_END)
async def test_mistake_23_a_transaction_cannot_be_used_after_its_commit() -> None:
    """The message asks whether it was moved out of the closure."""

    async def story(storage: DurableObjectStorage) -> None:
        ended = await storage.transaction(Kept)
        await refuses_all(ended.txn, r"{}\(\).*already committed.*`txn` outside")
        with pytest.raises(RuntimeError, match=r"rollback\(\).*already committed"):
            ended.txn.rollback()
        assert await storage.list() == {}

    await in_storage(story)


@mistake(23)
@shows(AFTER_END)
@pytest.mark.parametrize("raises", [True, False])
async def test_mistake_23_a_rolled_back_transaction_stays_so_after_its_end(raises: bool) -> None:
    """Whether it did that itself or its callback raised; one more `rollback()` does nothing."""
    kept: list[DurableObjectTransaction] = []

    def callback(txn: DurableObjectTransaction) -> None:
        kept.append(txn)
        if raises:
            raise Undo
        txn.rollback()

    async def story(storage: DurableObjectStorage) -> None:
        with contextlib.suppress(Undo):
            await storage.transaction(callback)
        await refuses_all(kept[0], r"^Cannot {}\(\) on rolled back transaction$")
        kept[0].rollback()
        assert await storage.list() == {}

    await in_storage(story)


@mistake(23)
@shows(AFTER_END)
async def test_mistake_23_an_ended_transaction_cannot_reach_into_the_next() -> None:
    """Its rollback does not undo another one's writes."""
    kept: list[DurableObjectTransaction] = []

    async def second(txn: DurableObjectTransaction) -> None:
        await txn.put("k", 1)
        with pytest.raises(RuntimeError):
            kept[0].rollback()
        with pytest.raises(RuntimeError):
            await kept[0].put("k", 2)

    async def story(storage: DurableObjectStorage) -> None:
        await storage.transaction(kept.append)
        await storage.transaction(second)
        assert await storage.list() == {"k": 1}

    await in_storage(story)


@mistake(22)
@shows(STORAGE_INSIDE)
@pytest.mark.parametrize("end", ["commit", "raise", "roll back"])
async def test_mistake_22_ctx_storage_inside_takes_part(end: str) -> None:
    """It sees what `txn` wrote, and its writes are kept or undone with the transaction."""

    async def story(storage: DurableObjectStorage) -> None:
        async def callback(txn: DurableObjectTransaction) -> None:
            await txn.put("txn", 1)
            assert await storage.get("txn") == 1
            await storage.put("storage", 2)
            storage.kv.put("kv", 3)
            assert await storage.delete("old") is True
            await anyio.lowlevel.checkpoint()
            assert await txn.list() == await storage.list() == {"kv": 3, "storage": 2, "txn": 1}
            if end == "raise":
                raise Undo
            if end == "roll back":
                txn.rollback()

        await storage.put("old", 0)
        try:
            await storage.transaction(callback)
        except Undo:
            assert end == "raise"

    written = {"kv": 3, "storage": 2, "txn": 1}
    async with host_for(app, clock=ManualClock()) as host:
        await tell_to(objects(host), story)
        assert await stored(objects(host)) == (written if end == "commit" else {"old": 0})
        assert await stored_afresh(host) == (written if end == "commit" else {"old": 0})


@shows(STORAGE_INSIDE)
async def test_ctx_storage_after_a_rollback_writes_as_outside() -> None:
    """The transaction is over for it, although its callback goes on."""

    async def story(storage: DurableObjectStorage) -> None:
        async def callback(txn: DurableObjectTransaction) -> None:
            await storage.put("before", 1)
            txn.rollback()
            await storage.put("after", 1)

        await storage.transaction(callback)

    async with host_for(app, clock=ManualClock()) as host:
        await tell_to(objects(host), story)
        assert await stored_afresh(host) == {"after": 1}


@shows(BEFORE)
async def test_writes_before_a_transaction_survive_its_rollback() -> None:
    """Made in the same turn, awaited or not."""

    def callback(txn: DurableObjectTransaction) -> None:
        txn.put({"k": "inside", "awaited": "inside"})
        txn.delete("unawaited")
        raise Undo

    async def story(storage: DurableObjectStorage) -> None:
        await storage.put("awaited", "before")
        storage.put("unawaited", "before")
        with pytest.raises(Undo):
            await storage.transaction(callback)

    async with host_for(app, clock=ManualClock()) as host:
        await tell_to(objects(host), story)
        assert await stored_afresh(host) == {"awaited": "before", "unawaited": "before"}


@shows(TRANSACTION)
async def test_a_transaction_that_only_reads_commits_nothing() -> None:
    """Nor does one that is rolled back, or fails."""

    def failing(txn: DurableObjectTransaction) -> None:
        txn.put("k", 1)
        raise Undo

    def undone(txn: DurableObjectTransaction) -> None:
        txn.put("k", 1)
        txn.rollback()

    async def story(storage: DurableObjectStorage) -> None:
        await storage.transaction(lambda txn: txn.list())
        await storage.transaction(undone)
        with pytest.raises(Undo):
            await storage.transaction(failing)
        await storage.sync()

    async with host_for(app, clock=ManualClock()) as host:
        await tell_to(objects(host), story)
        assert host.statistics().commits == 0
