"""Transactions: among events, and alarms"""

from __future__ import annotations

from typing import Any

import anyio
import anyio.lowlevel
import pytest

from roomhost.runtime import (
    AlarmInfo,
    DurableObjectStorage,
    DurableObjectTransaction,
    OverloadedError,
)
from roomhost.runtime.testing import ManualClock, host_for

from ..helpers.actors import Clockwork, app, objects, within
from ..helpers.stories import Outcomes, stored, stored_afresh, tell_to
from .feature import Feature, mistake, shows

pytestmark = pytest.mark.anyio

ALONE = Feature("storage.transaction: nothing else is delivered meanwhile", "5.7")
ONE_BY_ONE = Feature("storage.transaction: concurrent ones run one after the other", "5.7")
TIMEOUT = Feature("storage.transaction: 30-second limit", "5.7")
ALARMS = Feature("storage.transaction: alarms", "5.7")
HANDLER = Feature("storage.transaction: in an alarm handler", "6.4")
SECTIONS = Feature("storage.transaction: with blockConcurrencyWhile", "4.1")

NOW_MS = 1_800_000_000_000
SECOND_MS = 1_000


class Undo(Exception):
    """What a callback raises to have its transaction undone."""


class Pause:
    """A point in a callback that a test lets it go beyond."""

    def __init__(self) -> None:
        self.reached = anyio.Event()
        self.go = anyio.Event()

    async def here(self) -> None:
        """Wait, as for something outside of the object."""
        self.reached.set()
        await self.go.wait()


@pytest.fixture(autouse=True)
def no_handler() -> None:
    """The alarm handler of another test is not ours."""
    Clockwork.handler = None


@shows(ALONE)
async def test_other_events_wait_until_a_transaction_has_ended() -> None:
    """Although it waits for something outside; they see what it has committed."""
    pause = Pause()
    log: list[Any] = []

    async def callback(txn: DurableObjectTransaction) -> None:
        await txn.put("k", "half")
        await pause.here()
        await txn.put("k", "whole")
        log.append("callback")

    async def read(storage: DurableObjectStorage) -> None:
        log.append(await storage.get("k"))

    async with host_for(app, clock=ManualClock()) as host, anyio.create_task_group() as group:
        outcomes = Outcomes(group)
        outcomes.of("write", tell_to(objects(host), lambda storage: storage.transaction(callback)))
        await pause.reached.wait()
        outcomes.of("read", tell_to(objects(host), read))
        outcomes.of("other", tell_to(objects(host, "b"), read))
        await anyio.wait_all_tasks_blocked()
        assert outcomes.labels == ["other"], "another object does not wait"
        pause.go.set()
    assert log == [None, "callback", "whole"]


@shows(ALONE)
async def test_an_event_that_had_begun_goes_on_after_the_transaction() -> None:
    """It waited for something outside, which came while the transaction ran."""
    pause, inside = Pause(), Pause()
    log: list[str] = []

    async def earlier(storage: DurableObjectStorage) -> None:
        await pause.here()
        log.append(f"earlier sees {await storage.get('k')}")
        await storage.put("earlier", 1)

    async def callback(txn: DurableObjectTransaction) -> None:
        await txn.put("k", 1)
        await inside.here()
        log.append("callback ends")
        txn.rollback()

    async with host_for(app, clock=ManualClock()) as host:
        async with anyio.create_task_group() as group:
            outcomes = Outcomes(group)
            outcomes.of("earlier", tell_to(objects(host), earlier))
            await pause.reached.wait()
            outcomes.of(
                "txn", tell_to(objects(host), lambda storage: storage.transaction(callback))
            )
            await inside.reached.wait()
            pause.go.set()
            await anyio.wait_all_tasks_blocked()
            assert log == []
            inside.go.set()
        assert log == ["callback ends", "earlier sees None"]
        assert await stored_afresh(host) == {"earlier": 1}


@shows(ALONE)
async def test_an_alarm_that_is_due_waits_for_the_transaction() -> None:
    """Its handler starts when the transaction has ended."""
    pause = Pause()
    log: list[str] = []
    Clockwork.handler = lambda actor, info: log.append("alarm")
    clock = ManualClock(NOW_MS)

    async def callback(txn: DurableObjectTransaction) -> None:
        await pause.here()
        log.append("callback")

    async with host_for(app, clock=clock) as host, anyio.create_task_group() as group:
        stub = objects(host)
        await tell_to(stub, lambda storage: storage.set_alarm(NOW_MS + SECOND_MS))
        Outcomes(group).of("txn", tell_to(stub, lambda storage: storage.transaction(callback)))
        await pause.reached.wait()
        await clock.advance(2)
        assert log == []
        pause.go.set()
        await host.run_due_alarms()
    assert log == ["callback", "alarm"]


@shows(ALONE)
async def test_the_code_behind_a_transaction_runs_before_what_has_queued_meanwhile() -> None:
    """As behind every storage call."""
    pause = Pause()
    log: list[str] = []

    async def story(storage: DurableObjectStorage) -> None:
        await storage.transaction(lambda txn: pause.here())
        log.append("behind the transaction")

    async with host_for(app, clock=ManualClock()) as host, anyio.create_task_group() as group:
        outcomes = Outcomes(group)
        outcomes.of("story", tell_to(objects(host), story))
        await pause.reached.wait()
        outcomes.of("queued", tell_to(objects(host), lambda storage: log.append("queued")))
        await anyio.wait_all_tasks_blocked()
        pause.go.set()
    assert log == ["behind the transaction", "queued"]


@mistake(22)
@shows(ONE_BY_ONE)
async def test_mistake_22_conflicting_transactions_wait_and_are_not_retried() -> None:
    """Twenty callers read, wait and write: each callback runs once and no update is lost."""
    runs: list[int] = []

    async def increment(storage: DurableObjectStorage) -> None:
        async def callback(txn: DurableObjectTransaction) -> None:
            count = await txn.get("n", 0)
            runs.append(count)
            await anyio.lowlevel.checkpoint()
            await txn.put("n", count + 1)

        await storage.transaction(callback)

    async with host_for(app, clock=ManualClock()) as host:
        async with anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(tell_to, objects(host), increment)
        assert await stored_afresh(host) == {"n": 20}
    assert runs == list(range(20))


@shows(ONE_BY_ONE)
@pytest.mark.parametrize("keys", ["aa", "ab"], ids=["same key", "other keys"])
async def test_two_transactions_of_one_handler_run_one_after_the_other(keys: str) -> None:
    """Begun at the same time by two of its tasks; the rollback of one leaves the other alone."""
    log: list[str] = []

    async def story(storage: DurableObjectStorage) -> None:
        async def run(number: int) -> None:
            async def callback(txn: DurableObjectTransaction) -> None:
                log.append("begins")
                await txn.put(keys[number], number)
                await anyio.lowlevel.checkpoint()
                log.append("ends")
                if number == 0:
                    txn.rollback()

            await storage.transaction(callback)

        async with anyio.create_task_group() as group:
            group.start_soon(run, 0)
            group.start_soon(run, 1)

    async with host_for(app, clock=ManualClock()) as host:
        await tell_to(objects(host), story)
        assert log == ["begins", "ends"] * 2
        assert await stored_afresh(host) == {keys[1]: 1}


@shows(ONE_BY_ONE)
async def test_a_transaction_that_fails_lets_the_next_one_in() -> None:
    """Which sees nothing of it."""

    async def failing(txn: DurableObjectTransaction) -> None:
        await txn.put("k", 1)
        await anyio.lowlevel.checkpoint()
        raise Undo

    async def reading(txn: DurableObjectTransaction) -> Any:
        return await txn.list()

    async def fail(storage: DurableObjectStorage) -> None:
        with pytest.raises(Undo):
            await storage.transaction(failing)

    async def read(storage: DurableObjectStorage) -> None:
        assert await storage.transaction(reading) == {}

    async with host_for(app, clock=ManualClock()) as host, anyio.create_task_group() as group:
        for story in (fail, read, fail, read):
            group.start_soon(tell_to, objects(host), story)


@shows(TIMEOUT)
async def test_a_transaction_that_takes_thirty_seconds_resets_the_object() -> None:
    """Its caller gets an overloaded error; nothing of it is stored; a new instance starts."""
    pause = Pause()
    clock = ManualClock(NOW_MS)

    async def callback(txn: DurableObjectTransaction) -> None:
        await txn.put("k", 1)
        await pause.here()

    async with host_for(app, clock=clock) as host:
        stub = objects(host)
        await within(stub, lambda actor: actor.memory.append("alive"))
        async with anyio.create_task_group() as group:
            outcomes = Outcomes(group)
            outcomes.of("txn", tell_to(stub, lambda storage: storage.transaction(callback)))
            await pause.reached.wait()
            await clock.advance(29)
            assert outcomes == []
            await clock.advance(2)
        error = outcomes[0][1]
        assert isinstance(error, OverloadedError)
        assert error.overloaded and error.durable_object_reset
        assert await within(objects(host), lambda actor: actor.memory) == []
        assert await stored(objects(host)) == {}


@shows(SECTIONS)
async def test_transaction_and_block_concurrency_while_go_inside_of_each_other() -> None:
    """Either way round; an error that the inner transaction's code catches resets nothing."""

    async def story(actor: Any) -> None:
        storage = actor.ctx.storage
        actor.memory.append("alive")

        def failing(txn: DurableObjectTransaction) -> None:
            txn.put("undone", 1)
            raise Undo

        async def section() -> None:
            await storage.put("section", 1)
            with pytest.raises(Undo):
                await storage.transaction(failing)

        async def callback(txn: DurableObjectTransaction) -> None:
            await txn.put("txn", 1)
            await actor.ctx.block_concurrency_while(section)

        await actor.ctx.block_concurrency_while(lambda: storage.transaction(callback))

    async with host_for(app, clock=ManualClock()) as host:
        await within(objects(host), story)
        assert await within(objects(host), lambda actor: actor.memory) == ["alive"]
        assert await stored_afresh(host) == {"section": 1, "txn": 1}


@shows(ALARMS)
@pytest.mark.parametrize("through", ["txn", "storage"])
@pytest.mark.parametrize("before_ms", [None, NOW_MS + 9 * SECOND_MS])
@pytest.mark.parametrize("inside_ms", [None, NOW_MS + 5 * SECOND_MS])
@pytest.mark.parametrize("end", ["commit", "raise", "roll back"])
async def test_an_alarm_set_or_deleted_inside_follows_the_transaction(
    through: str, before_ms: int | None, inside_ms: int | None, end: str
) -> None:
    """Kept or put back as it was, at once for `get_alarm` and for the scheduler."""
    runs: list[int] = []
    Clockwork.handler = lambda actor, info: runs.append(info.scheduled_time)
    clock = ManualClock(NOW_MS)

    async def change(storage: Any, due_ms: int | None) -> None:
        await (storage.delete_alarm() if due_ms is None else storage.set_alarm(due_ms))
        assert await storage.get_alarm() == due_ms

    async def story(storage: DurableObjectStorage) -> None:
        async def callback(txn: DurableObjectTransaction) -> None:
            assert await txn.get_alarm() == before_ms
            await change(txn if through == "txn" else storage, inside_ms)
            await anyio.lowlevel.checkpoint()
            assert await storage.get_alarm() == inside_ms
            if end == "raise":
                raise Undo
            if end == "roll back":
                txn.rollback()

        await change(storage, before_ms)
        try:
            await storage.transaction(callback)
        except Undo:
            assert end == "raise"

    left = inside_ms if end == "commit" else before_ms
    async with host_for(app, clock=clock) as host:
        await tell_to(objects(host), story)
        await host.evict(objects(host))
        assert await tell_to(objects(host), lambda storage: storage.get_alarm()) == left
        await clock.advance(60)
    assert runs == ([] if left is None else [left])


@shows(ALARMS)
async def test_an_alarm_of_a_nested_transaction_is_undone_with_it_alone() -> None:
    """The outer one's stands again; the error of the inner one is its own."""

    async def story(storage: DurableObjectStorage) -> None:
        def sync() -> None:
            storage.set_alarm(NOW_MS + 3 * SECOND_MS)
            raise Undo

        def inner(txn: DurableObjectTransaction) -> None:
            txn.delete_alarm()
            txn.rollback()

        async def outer(txn: DurableObjectTransaction) -> None:
            await txn.set_alarm(NOW_MS + 2 * SECOND_MS)
            await storage.transaction(inner)
            assert await txn.get_alarm() == NOW_MS + 2 * SECOND_MS
            with pytest.raises(Undo):
                storage.transaction_sync(sync)
            assert await txn.get_alarm() == NOW_MS + 2 * SECOND_MS

        await storage.set_alarm(NOW_MS + SECOND_MS)
        await storage.transaction(outer)
        assert await storage.get_alarm() == NOW_MS + 2 * SECOND_MS

    async with host_for(app, clock=ManualClock(NOW_MS)) as host:
        await tell_to(objects(host), story)


@shows(ALARMS)
async def test_an_alarm_set_inside_does_not_run_before_the_commit() -> None:
    """Although its time comes while the transaction is open; then it runs at once."""
    pause = Pause()
    runs: list[int] = []
    Clockwork.handler = lambda actor, info: runs.append(info.scheduled_time)
    clock = ManualClock(NOW_MS)

    async def callback(txn: DurableObjectTransaction) -> None:
        await txn.set_alarm(NOW_MS + SECOND_MS)
        await pause.here()

    async with host_for(app, clock=clock) as host:
        async with anyio.create_task_group() as group:
            outcomes = Outcomes(group)
            outcomes.of(
                "txn", tell_to(objects(host), lambda storage: storage.transaction(callback))
            )
            await pause.reached.wait()
            await clock.advance(5)
            assert runs == []
            assert await host.run_due_alarms() == 0
            pause.go.set()
        await clock.advance(0)
    assert runs == [NOW_MS + SECOND_MS]


async def run_handler(handler: Any) -> list[int]:
    """The retry counts of the runs of an alarm with this handler."""
    runs: list[int] = []

    async def counted(actor: Clockwork, info: AlarmInfo) -> None:
        runs.append(info.retry_count)
        await handler(actor.ctx.storage, len(runs))

    Clockwork.handler = counted
    clock = ManualClock(NOW_MS)
    async with host_for(app, clock=clock) as host:
        await tell_to(objects(host), lambda storage: storage.set_alarm(NOW_MS + SECOND_MS))
        await clock.advance(3_600)
        assert await tell_to(objects(host), lambda storage: storage.get_alarm()) is None
    return runs


@shows(HANDLER)
@pytest.mark.parametrize("fails", [True, False])
async def test_a_rollback_in_a_handler_takes_back_what_was_done_to_the_alarm(fails: bool) -> None:
    """A success deletes the alarm, a failure is retried, as if it had not been touched."""

    async def handler(storage: DurableObjectStorage, run: int) -> None:
        async def callback(txn: DurableObjectTransaction) -> None:
            assert await txn.get_alarm() is None
            await txn.set_alarm(NOW_MS + 600 * SECOND_MS)
            await txn.delete_alarm()
            await txn.set_alarm(NOW_MS + 900 * SECOND_MS)
            txn.rollback()

        await storage.transaction(callback)
        assert await storage.get_alarm() is None
        if fails and run == 1:
            raise ValueError("the first run")

    assert await run_handler(handler) == ([0, 1] if fails else [0])


@shows(HANDLER)
@pytest.mark.parametrize("fails", [True, False])
async def test_an_alarm_committed_in_a_handler_replaces_the_one_that_runs(fails: bool) -> None:
    """It starts from retry count 0, whether the handler succeeds or fails after that."""

    async def handler(storage: DurableObjectStorage, run: int) -> None:
        if run == 1:
            due_ms = NOW_MS + 600 * SECOND_MS
            await storage.transaction(lambda txn: txn.set_alarm(due_ms))
            assert await storage.get_alarm() == due_ms
            if fails:
                raise ValueError("the first run")

    assert await run_handler(handler) == [0, 0]
