"""One life of an object: its constructor, its critical sections, its end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

import anyio
import anyio.lowlevel
import pytest

from roomhost.bindings import App
from roomhost.runtime import (
    DurableObject,
    DurableObjectError,
    OverloadedError,
    WebSocketClosed,
    WebSocketPair,
)
from roomhost.runtime.activation import ActivationState
from roomhost.runtime.testing import ManualClock, host_for

pytestmark = pytest.mark.anyio

Start = Callable[["Scripted"], Any]
starts: list[Start] = []
events: list[str] = []


class Scripted(DurableObject):
    """Runs what a test hands it: `starts` in its constructor, functions by their place in `steps`."""

    steps: ClassVar[list[Callable[..., Awaitable[Any]]]] = []

    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self.log: list[str] = []
        for start in starts:
            start(self)

    async def run(self, step: int, *arguments: Any) -> Any:
        return await Scripted.steps[step](self, *arguments)

    async def logged(self) -> list[str]:
        return self.log


app = App(name="lifecycle", bindings={"OBJECT": Scripted})


@pytest.fixture(autouse=True)
def clean() -> None:
    """No script of another test."""
    starts.clear()
    events.clear()
    Scripted.steps = []


async def test_a_constructor_that_throws_fails_every_caller_and_is_tried_again() -> None:
    """With its own class and message; runs one and two fail, run three succeeds."""
    failures = iter([ValueError("one"), ValueError("two")])

    def fail(actor: Scripted) -> None:
        error = next(failures, None)
        if error is not None:
            raise error

    starts.append(fail)
    async with host_for(app, clock=ManualClock()) as host:
        for message in ("one", "two"):
            stub = host.env.OBJECT.get_by_name("a")
            calls = [stub.logged() for _ in range(3)]
            for call in [*calls, stub.logged()]:
                with pytest.raises(ValueError, match=f"^{message}$") as caught:
                    await call
                assert caught.value.durable_object_reset  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
        assert await host.env.OBJECT.get_by_name("a").logged() == []


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


async def test_handlers_interleave_at_real_waits_and_at_storage_calls_never() -> None:
    """Twenty counts at once are twenty; with a wait in between, updates are lost."""

    async def count(actor: Scripted, *waits: Any) -> None:
        value = await actor.ctx.storage.get("n", 0)
        if waits:
            await anyio.lowlevel.checkpoint()
        await actor.ctx.storage.put("n", value + 1)

    async def value(actor: Scripted) -> Any:
        return await actor.ctx.storage.get("n")

    Scripted.steps = [count, value]
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.OBJECT.get_by_name("atomic")
        for call in [stub.run(0) for _ in range(20)]:
            await call
        assert await stub.run(1) == 20
        racing = host.env.OBJECT.get_by_name("racing")
        for call in [racing.run(0, "wait") for _ in range(20)]:
            await call
        assert await racing.run(1) < 20


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


async def test_an_idle_instance_is_dropped_after_ten_seconds() -> None:
    """Counted from its last event; storage stays, memory does not."""

    async def note(actor: Scripted) -> None:
        actor.log.append("noted")

    Scripted.steps = [note]
    clock = ManualClock()
    async with host_for(app, clock=clock) as host:
        stub = host.env.OBJECT.get_by_name("a")
        await stub.run(0)
        await clock.advance(6)
        await stub.run(0)
        await clock.advance(9.9)
        assert host.statistics().activations == 1
        assert await stub.logged() == ["noted", "noted"]
        await clock.advance(10)
        assert host.statistics().activations == 0
        assert host.statistics().objects_in_memory == 0
        assert await stub.logged() == []


async def test_nothing_in_flight_is_ever_evicted() -> None:
    """A handler that waits and a `wait_until` keep the instance, however long."""
    release = anyio.Event()

    async def background(actor: Scripted) -> None:
        async def work() -> None:
            await release.wait()
            actor.log.append("worked")

        actor.ctx.wait_until(work())

    async def wait(actor: Scripted) -> list[str]:
        await release.wait()
        return actor.log

    Scripted.steps = [background, wait]
    clock = ManualClock()
    async with host_for(app, clock=clock) as host:
        stub = host.env.OBJECT.get_by_name("a")
        await stub.run(0)
        waiting = stub.run(1)
        await clock.advance(3_600)
        assert host.statistics().activations == 1
        release.set()
        await waiting
        assert await stub.logged() == ["worked"]


async def test_an_error_in_wait_until_is_logged_and_nothing_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The instance lives on."""

    async def background(actor: Scripted) -> None:
        async def work() -> None:
            raise ValueError("in the background")

        actor.ctx.wait_until(work())
        actor.log.append("here")

    Scripted.steps = [background]
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.OBJECT.get_by_name("a")
        await stub.run(0)
        await anyio.wait_all_tasks_blocked()
        assert await stub.logged() == ["here"]
        assert "in the background" in caplog.text


async def test_evict_waits_for_what_is_in_flight() -> None:
    """The handler ends first."""
    release = anyio.Event()

    async def wait(actor: Scripted) -> str:
        await release.wait()
        events.append("handler")
        return "result"

    Scripted.steps = [wait]
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.OBJECT.get_by_name("a")
        results: list[str] = []

        async def call() -> None:
            results.append(await stub.run(0))

        async def evict() -> None:
            assert await host.evict(stub)
            events.append("evicted")

        async with anyio.create_task_group() as group:
            group.start_soon(call)
            await anyio.wait_all_tasks_blocked()
            group.start_soon(evict)
            await anyio.wait_all_tasks_blocked()
            assert events == []
            release.set()
        assert events == ["handler", "evicted"]
        assert results == ["result"]


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


async def test_leaving_the_host_lets_what_is_in_flight_end() -> None:
    """Its writes are on disk; calls from outside are refused meanwhile."""
    release = anyio.Event()

    async def wait(actor: Scripted) -> str:
        await release.wait()
        await actor.ctx.storage.put("n", 1)
        return "done"

    Scripted.steps = [wait]
    results: list[str] = []
    async with anyio.create_task_group() as group:
        async with host_for(app, clock=ManualClock()) as host:
            stub = host.env.OBJECT.get_by_name("a")

            async def call() -> None:
                results.append(await stub.run(0))

            async def refuse_then_release() -> None:
                while host.engine.refusal is None:
                    await anyio.lowlevel.checkpoint()
                with pytest.raises(DurableObjectError, match="stopping") as refused:
                    await stub.logged()
                assert refused.value.retryable
                release.set()

            group.start_soon(call)
            await anyio.wait_all_tasks_blocked()
            group.start_soon(refuse_then_release)
    assert results == ["done"]


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


async def test_evict_drops_the_instance_between_two_calls_of_a_busy_caller() -> None:
    """The next call of the caller comes at once; it finds a new instance."""
    release = anyio.Event()

    async def wait(actor: Scripted) -> None:
        actor.log.append("first")
        await release.wait()

    Scripted.steps = [wait]
    seen: list[Any] = []
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.OBJECT.get_by_name("a")

        async def busy() -> None:
            await stub.run(0)
            seen.append(await stub.logged())

        async def evict() -> None:
            seen.append(await host.evict(stub))

        async with anyio.create_task_group() as group:
            group.start_soon(busy)
            await anyio.wait_all_tasks_blocked()
            group.start_soon(evict)
            await anyio.wait_all_tasks_blocked()
            release.set()
        assert True in seen
        assert [] in seen


async def test_calls_made_while_the_constructor_blocks_arrive_in_order() -> None:
    """All twenty, after its section."""

    async def note(actor: Scripted, number: int) -> None:
        actor.log.append(str(number))

    def start(actor: Scripted) -> None:
        async def load() -> None:
            for _ in range(5):
                await anyio.lowlevel.checkpoint()
            actor.log.append("loaded")

        actor.ctx.block_concurrency_while(load)

    starts.append(start)
    Scripted.steps = [note]
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.OBJECT.get_by_name("a")
        for call in [stub.run(0, number) for number in range(20)]:
            await call
        assert await stub.logged() == ["loaded", *(str(number) for number in range(20))]


async def test_an_activation_takes_only_the_steps_of_its_life() -> None:
    """Starting, running, then evicted or broken: nothing comes after."""
    async with host_for(app, clock=ManualClock()) as host:
        for name, end in (("a", "evicted"), ("b", "broken")):
            stub = host.env.OBJECT.get_by_name(name)
            await stub.logged()
            activation = stub.__channel__.slot().activation
            assert activation.state is ActivationState.RUNNING
            if end == "evicted":
                assert await host.evict(stub)
            else:
                activation.reset(ValueError("first"))
                activation.reset(ValueError("second"))
                assert str(activation.broken) == "first"
            assert activation.state is ActivationState(end)
            assert not activation.evict()
            with pytest.raises(RuntimeError, match=f"is {end} cannot become running"):
                activation._become(ActivationState.RUNNING)


async def test_leaving_the_host_does_not_wait_for_a_socket_that_code_holds() -> None:
    """It gets 1012, as those that hibernate do; only what runs is waited for."""
    pair = WebSocketPair()

    async def hold(actor: Scripted) -> None:
        pair.server.accept()

    Scripted.steps = [hold]
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.OBJECT.get_by_name("a")
        await stub.run(0)
        pair.client.accept()
    with pytest.raises(WebSocketClosed) as closed:
        await pair.client.receive()
    assert closed.value.code == 1_012
