"""Critical sections of an object's own code, as its handlers see them."""

from __future__ import annotations

from typing import Any

import anyio
import anyio.lowlevel
import pytest

from roomhost.runtime import (
    DurableObjectError,
    OverloadedError,
)
from roomhost.runtime.testing import ManualClock, host_for

from ..helpers.lives import Scripted, app, events, starts

pytestmark = pytest.mark.anyio


async def test_block_concurrency_while_in_a_constructor_holds_every_event_back() -> None:
    """The callback starts after the constructor, and before any event."""

    def start(actor: Scripted) -> None:
        async def load() -> None:
            actor.log.append("callback")
            await anyio.lowlevel.checkpoint()
            actor.log.append("loaded")

        actor.log.append("before")
        actor.ctx.block_concurrency_while(load)
        actor.log.append("after")

    starts.append(start)
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.OBJECT.get_by_name("a")
        assert await stub.logged() == ["before", "after", "callback", "loaded"]


async def test_a_critical_section_runs_alone_and_its_caller_goes_on_first() -> None:
    """Events wait, the continuation of the caller runs before them; the value comes back."""

    async def section(actor: Scripted) -> Any:
        async def inside() -> str:
            actor.log.append("inside")
            for _ in range(5):
                await anyio.lowlevel.checkpoint()
            actor.log.append("still inside")
            return "value"

        pending = actor.ctx.block_concurrency_while(inside)
        actor.log.append("sync")
        result = await pending
        actor.log.append("continued")
        return result

    async def event(actor: Scripted) -> None:
        actor.log.append("event")

    Scripted.steps = [section, event]
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.OBJECT.get_by_name("a")
        calls = [stub.run(0), stub.run(1), stub.run(1)]
        assert [await call for call in calls] == ["value", None, None]
        expected = ["sync", "inside", "still inside", "continued", "event", "event"]
        assert await stub.logged() == expected


async def test_sections_run_one_after_the_other_and_may_be_sync() -> None:
    """First come, first served."""

    async def two(actor: Scripted) -> Any:
        async def first() -> int:
            actor.log.append("first")
            await anyio.lowlevel.checkpoint()
            actor.log.append("first ends")
            return 1

        def second() -> int:
            actor.log.append("second")
            return 2

        one, other = (actor.ctx.block_concurrency_while(part) for part in (first, second))
        return [await one, await other]

    Scripted.steps = [two]
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.OBJECT.get_by_name("a")
        assert await stub.run(0) == [1, 2]
        assert await stub.logged() == ["first", "first ends", "second"]


async def test_sections_nest_to_a_depth_of_sixty_four() -> None:
    """The sixty-fifth is refused, and breaks nothing."""

    async def nest(actor: Scripted, depth: int) -> str:
        if depth == 0:
            return "bottom"
        try:
            return str(await actor.ctx.block_concurrency_while(lambda: nest(actor, depth - 1)))
        except DurableObjectError as error:
            return str(error)

    Scripted.steps = [nest]
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.OBJECT.get_by_name("a")
        assert await stub.run(0, 64) == "bottom"
        assert "nested too deeply" in await stub.run(0, 65)
        assert await stub.run(0, 64) == "bottom"


async def test_a_section_that_throws_resets_the_object_even_if_it_is_caught() -> None:
    """The code around it never goes on."""

    async def section(actor: Scripted) -> None:
        async def fail() -> None:
            raise ValueError("inside")

        try:
            await actor.ctx.block_concurrency_while(fail)
        except Exception:
            events.append("caught")
        events.append("went on")

    Scripted.steps = [section]
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.OBJECT.get_by_name("a")
        calls = [stub.run(0), stub.logged()]
        for call in calls:
            with pytest.raises(ValueError, match=r"^inside$") as caught:
                await call
            assert caught.value.durable_object_reset  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
        await anyio.wait_all_tasks_blocked()
        assert events == []


async def test_a_section_that_takes_thirty_seconds_resets_the_object() -> None:
    """With an error that says overloaded."""

    async def stuck(actor: Scripted) -> None:
        await actor.ctx.block_concurrency_while(anyio.sleep_forever)

    Scripted.steps = [stuck]
    clock = ManualClock()
    async with host_for(app, clock=clock) as host:
        stub = host.env.OBJECT.get_by_name("a")
        errors: list[Any] = []

        async def call() -> None:
            try:
                await stub.run(0)
            except DurableObjectError as error:
                errors.append(error)

        async with anyio.create_task_group() as group:
            group.start_soon(call)
            await clock.advance(29.9)
            assert errors == []
            await clock.advance(0.2)
        assert "waited for too long" in str(errors[0])
        assert (errors[0].overloaded, errors[0].durable_object_reset) == (True, True)


async def test_a_deadline_that_passes_at_the_gate_leaves_the_scopes_in_order() -> None:
    """The handler stands at a closed gate when its own time-out comes: it meets it afterwards, and
    the scopes around it still work."""
    release = anyio.Event()

    async def impatient(actor: Scripted) -> list[str]:
        seen: list[str] = []
        with anyio.move_on_after(10) as outer:
            with anyio.move_on_after(10) as inner:
                events.append("waiting")
                await release.wait()
                seen.append("woken")
                # The gate closed while this waited, and the deadline passed meanwhile.
                inner.cancel()
                await anyio.lowlevel.checkpoint()
                seen.append("not cancelled")
            seen.append(f"inner {inner.cancelled_caught}")
            await anyio.lowlevel.checkpoint()
        seen.append(f"outer {outer.cancelled_caught}")
        return seen

    async def expired(actor: Scripted) -> list[str]:
        seen: list[str] = []
        with anyio.move_on_after(10) as scope:
            actor.log.append("armed")
            scopes.append(scope)
            try:
                await anyio.sleep_forever()
            finally:
                seen.append("unwound")
        seen.append(f"caught {scope.cancelled_caught}")
        await anyio.lowlevel.checkpoint()
        return seen

    async def close_gate(actor: Scripted) -> None:
        async def inside() -> None:
            scopes[0].cancel()
            for _ in range(10):
                await anyio.lowlevel.checkpoint()
            release.set()
            for _ in range(10):
                await anyio.lowlevel.checkpoint()
            actor.log.append("gate opens")

        await actor.ctx.block_concurrency_while(inside)

    scopes: list[anyio.CancelScope] = []
    Scripted.steps = [impatient, expired, close_gate]
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.OBJECT.get_by_name("a")
        calls = [stub.run(0), stub.run(1), stub.run(2)]
        results = [await call for call in calls]
        assert results[0] == ["woken", "inner True", "outer False"]
        assert results[1] == ["unwound", "caught True"]
        assert await stub.logged() == ["armed", "gate opens"]


async def test_wait_until_inside_a_section_runs_inside_it() -> None:
    """The section can wait for what it started; what outlives it goes on as an ordinary task."""

    async def section(actor: Scripted) -> list[str]:
        done, later = anyio.Event(), anyio.Event()

        async def work() -> None:
            actor.log.append("work")
            done.set()
            await later.wait()
            actor.log.append("outlived")

        async def inside() -> None:
            actor.ctx.wait_until(work())
            await done.wait()
            actor.log.append("inside")

        await actor.ctx.block_concurrency_while(inside)
        actor.log.append("after")
        later.set()
        return actor.log

    Scripted.steps = [section]
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.OBJECT.get_by_name("a")
        assert await stub.run(0) == ["work", "inside", "after"]
        await anyio.wait_all_tasks_blocked()
        assert await stub.logged() == ["work", "inside", "after", "outlived"]


async def test_a_call_to_itself_inside_a_section_ends_in_a_reset_and_outside_is_fine() -> None:
    """3.2.9: the gate is open while a handler waits for a call."""

    async def nested(actor: Scripted, inside: bool) -> Any:
        stub = actor.env.OBJECT.get(actor.ctx.id)
        if inside:
            return await actor.ctx.block_concurrency_while(stub.logged)
        return await stub.logged()

    Scripted.steps = [nested]
    clock = ManualClock()
    async with host_for(app, clock=clock) as host:
        stub = host.env.OBJECT.get_by_name("a")
        assert await stub.run(0, False) == []
        call = stub.run(0, True)
        await clock.advance(31)
        with pytest.raises(OverloadedError, match="waited for too long") as caught:
            await call
        assert caught.value.durable_object_reset
