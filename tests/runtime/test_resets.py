"""A reset, of whatever cause: what still runs of the object, and what does not."""

from __future__ import annotations

from typing import Any

import anyio
import anyio.lowlevel
import pytest

from roomhost.runtime import (
    DurableObjectError,
)
from roomhost.runtime.testing import ManualClock, host_for

from ..helpers.lives import Scripted, app, events

pytestmark = pytest.mark.anyio


async def test_abort_stops_the_code_at_once() -> None:
    """No `except Exception` keeps it alive, no write of the turn stays, every caller is told why."""

    async def abort(actor: Scripted) -> None:
        await actor.ctx.storage.put("written", True)
        try:
            actor.ctx.abort("because")
        except Exception:
            events.append("caught")
        finally:
            events.append("unwound")
        events.append("went on")

    async def wait(actor: Scripted) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            events.append("cancelled")

    async def written(actor: Scripted) -> Any:
        return await actor.ctx.storage.get("written")

    Scripted.steps = [abort, wait, written]
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.OBJECT.get_by_name("a")
        waiting = stub.run(1)
        await anyio.wait_all_tasks_blocked()
        for call in (stub.run(0), waiting):
            with pytest.raises(DurableObjectError, match=r"^because$"):
                await call
        await anyio.wait_all_tasks_blocked()
        assert events == ["unwound", "cancelled"]
        assert await host.env.OBJECT.get_by_name("a").run(2) is None


async def test_storage_of_an_instance_that_was_reset_cannot_be_used() -> None:
    """Code that refuses to end gets nowhere."""

    async def stubborn(actor: Scripted) -> None:
        kept.append(actor)
        try:
            actor.ctx.abort()
        finally:
            try:
                await actor.ctx.storage.put("n", 1)
            except BaseException as error:
                events.append(type(error).__name__)

    kept: list[Scripted] = []
    Scripted.steps = [stubborn]
    async with host_for(app, clock=ManualClock()) as host:
        with pytest.raises(DurableObjectError, match="Application called abort"):
            await host.env.OBJECT.get_by_name("a").run(0)
        assert events == ["Aborted"]

        stub = host.env.OBJECT.get_by_name("b")
        Scripted.steps = [lambda actor: _keep(kept, actor)]
        await stub.run(0)
        assert await host.evict(stub)
        with pytest.raises(DurableObjectError, match="no longer accessible"):
            await kept[-1].ctx.storage.get("n")


async def _keep(kept: list[Scripted], actor: Scripted) -> None:
    kept.append(actor)


async def test_abort_all_resets_every_object() -> None:
    """A new stub finds a new instance."""
    async with host_for(app, clock=ManualClock()) as host:
        stubs = [host.env.OBJECT.get_by_name(name) for name in "abc"]
        for stub in stubs:
            await stub.logged()
        await host.abort_all()
        for stub in stubs:
            with pytest.raises(DurableObjectError, match="abortAllDurableObjects"):
                await stub.logged()
        assert await host.env.OBJECT.get_by_name("a").logged() == []


async def test_a_reset_in_a_section_is_caught_by_nobody_who_waits_at_the_gate() -> None:
    """Their `except Exception` does not see the error of somebody else's section."""
    release = anyio.Event()

    async def waiter(actor: Scripted) -> None:
        try:
            await release.wait()
        except Exception:
            events.append("caught")
        events.append("went on")

    async def breaker(actor: Scripted) -> None:
        async def inside() -> None:
            release.set()
            for _ in range(5):
                await anyio.lowlevel.checkpoint()
            raise ValueError("inside")

        await actor.ctx.block_concurrency_while(inside)

    Scripted.steps = [waiter, breaker]
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.OBJECT.get_by_name("a")
        for call in [stub.run(0), stub.run(1)]:
            with pytest.raises(ValueError, match=r"^inside$"):
                await call
        await anyio.wait_all_tasks_blocked()
        assert "caught" not in events


async def test_a_reset_ends_a_handler_that_is_leaving_a_task_group_at_the_gate() -> None:
    """And the host, with its other objects, lives on: no cancel scope is torn."""
    release = anyio.Event()

    async def grouped(actor: Scripted) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(release.wait)

    async def breaker(actor: Scripted) -> None:
        async def inside() -> None:
            release.set()
            for _ in range(10):
                await anyio.lowlevel.checkpoint()
            raise ValueError("inside")

        await actor.ctx.block_concurrency_while(inside)

    Scripted.steps = [grouped, breaker]
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.OBJECT.get_by_name("a")
        for call in [stub.run(0), stub.run(1)]:
            with pytest.raises(ValueError, match=r"^inside$"):
                await call
        await anyio.wait_all_tasks_blocked()
        assert await host.env.OBJECT.get_by_name("a").logged() == []
        assert await host.env.OBJECT.get_by_name("b").logged() == []


async def test_code_that_was_woken_in_the_turn_of_an_abort_does_not_run(
    anyio_backend_name: str,
) -> None:
    """3.4: what is queued for the instance never runs. On trio, whose library code does not expect
    a cancellation then, it runs up to its next await or storage call."""
    release = anyio.Event()

    async def waiter(actor: Scripted) -> None:
        await release.wait()
        events.append("woken")
        await actor.ctx.storage.get("key")
        events.append("ran")

    async def abort(actor: Scripted) -> None:
        release.set()
        actor.ctx.abort("because")

    Scripted.steps = [waiter, abort]
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.OBJECT.get_by_name("a")
        for call in [stub.run(0), stub.run(1)]:
            with pytest.raises(DurableObjectError, match=r"^because$"):
                await call
        await anyio.wait_all_tasks_blocked()
        assert events == (["woken"] if anyio_backend_name == "trio" else [])
