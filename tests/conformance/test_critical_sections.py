"""Critical sections: how sections and transactions nest and queue."""

from __future__ import annotations

from typing import Any

import anyio
import anyio.lowlevel
import pytest

from roomhost.runtime.testing import ManualClock, host_for

from ..helpers.in_flight import in_flight
from ..helpers.scripted import Scripted, app, script
from .feature import Feature, shows

pytestmark = pytest.mark.anyio

ATOMIC = Feature("critical section: get, wait, put is atomic", "4.1, 5.7")
PRIORITY = Feature("input gate: a section goes before events that queue", "4.1")
TRANSACTION = Feature("storage.transaction is a critical section", "4.1, 5.7")
TREE = Feature("critical sections nest as a tree", "4.1, 3.2")
SECTION_TASK = Feature("a task belongs to the section it was started in", "3.2, 4.1")


@shows(ATOMIC)
@pytest.mark.parametrize("section", ["transaction", "block_concurrency_while"])
async def test_a_section_keeps_a_real_wait_between_get_and_put_atomic(section: str) -> None:
    """Twenty again, with a wait in each."""

    @script
    async def increment(actor: Scripted) -> None:
        async def change(*_: Any) -> None:
            n = await actor.ctx.storage.get("n", 0)
            await anyio.lowlevel.checkpoint()
            await actor.ctx.storage.put("n", n + 1)

        if section == "transaction":
            await actor.ctx.storage.transaction(change)
        else:
            await actor.ctx.block_concurrency_while(change)

    @script
    async def count(actor: Scripted) -> Any:
        return await actor.ctx.storage.get("n")

    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.OBJECT.get_by_name("a")
        async with anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(stub.run, "increment")
        assert await stub.run("count") == 20


@shows(PRIORITY)
async def test_a_section_asked_for_goes_before_calls_that_queue() -> None:
    """They came earlier; the object's own section is still first."""
    log: list[str] = []

    @script
    async def story(actor: Scripted) -> None:
        visit = actor.env.OBJECT.get_by_name("a").run("visit")
        await actor.ctx.block_concurrency_while(lambda: log.append("section"))
        log.append("story")
        await visit

    @script
    def visit(actor: Scripted) -> None:
        log.append("visit")

    async with host_for(app, clock=ManualClock()) as host:
        await host.env.OBJECT.get_by_name("a").run("story")
    assert log == ["section", "story", "visit"]


@shows(TRANSACTION)
async def test_a_transaction_holds_back_calls_and_its_error_resets_nothing() -> None:
    """They run after it, in the same instance, which never saw its writes."""
    go = anyio.Event()
    seen: list[Any] = []

    @script
    async def story(actor: Scripted) -> None:
        async def callback(txn: Any) -> None:
            await txn.put("n", 1)
            await go.wait()
            raise LookupError("roll back")

        await actor.ctx.storage.transaction(callback)

    @script
    async def visit(actor: Scripted) -> None:
        seen.append(await actor.ctx.storage.get("n", "nothing"))

    async with host_for(app, clock=ManualClock()) as host, in_flight() as calls:
        stub = host.env.OBJECT.get_by_name("a")
        await calls.start("story", stub.run("story"))
        await calls.start("visit", stub.run("visit"))
        assert seen == []
        go.set()
    assert isinstance(calls.ended["story"], LookupError)
    assert (seen, calls.ended["visit"]) == (["nothing"], None)


@shows(TREE)
async def test_inner_sections_run_one_by_one_inside_an_outer_one() -> None:
    """A transaction inside `block_concurrency_while`, twice, each with a wait; then the queue."""
    log: list[str] = []

    @script
    async def story(actor: Scripted) -> None:
        async def change(name: str) -> None:
            log.append(f"{name} begins")
            await anyio.lowlevel.checkpoint()
            log.append(f"{name} ends")

        async def outer() -> None:
            visit = actor.env.OBJECT.get_by_name("a").run("visit")
            actor.ctx.wait_until(visit)
            first = actor.ctx.block_concurrency_while(lambda: change("first"))
            await actor.ctx.storage.transaction(lambda _: change("second"))
            await first
            log.append("outer")

        await actor.ctx.block_concurrency_while(outer)

    @script
    def visit(actor: Scripted) -> None:
        log.append("visit")

    async with host_for(app, clock=ManualClock()) as host:
        await host.env.OBJECT.get_by_name("a").run("story")
        await anyio.wait_all_tasks_blocked()
    assert log == ["first begins", "first ends", "second begins", "second ends", "outer", "visit"]


@shows(SECTION_TASK)
async def test_a_task_started_inside_waits_for_an_inner_section() -> None:
    """It belongs to the outer one, whose own tasks stand still while the inner one runs."""
    log: list[str] = []
    wake, go = anyio.Event(), anyio.Event()

    async def task() -> None:
        await wake.wait()
        log.append("task")

    @script
    async def story(actor: Scripted) -> None:
        async def inner() -> None:
            wake.set()
            await go.wait()
            log.append("inner")

        async def outer() -> None:
            actor.ctx.wait_until(task())
            await anyio.wait_all_tasks_blocked()
            await actor.ctx.block_concurrency_while(inner)

        await actor.ctx.block_concurrency_while(outer)

    async with host_for(app, clock=ManualClock()) as host, in_flight() as calls:
        await calls.start("story", host.env.OBJECT.get_by_name("a").run("story"))
        assert log == []
        go.set()
    assert log == ["inner", "task"]
