"""One life of an object: its constructor, its handlers, its end."""

from __future__ import annotations

import gc
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from roomhost.runtime import (
    DurableObjectError,
    WebSocketClosed,
    WebSocketPair,
)
from roomhost.runtime.activation import Activation, ActivationState
from roomhost.runtime.testing import ManualClock, host_for

from ..helpers.lives import Scripted, app, events, starts

pytestmark = pytest.mark.anyio


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


async def test_an_evicted_activation_is_free_at_once() -> None:
    """No circle keeps it for the collector, which would stop the host for each thousand of them; nor
    does one of a critical section."""

    async def write(actor: Scripted) -> None:
        await actor.ctx.storage.put("key", await actor.ctx.storage.get("key", 1))
        await actor.ctx.block_concurrency_while(anyio.lowlevel.checkpoint)

    Scripted.steps = [write]
    async with host_for(app) as host:
        stub = host.env.OBJECT.get_by_name("a")
        await stub.run(0)
        await host.settle()
        gc.collect()
        gc.disable()
        try:
            before = activations()
            assert await host.evict(stub)
            assert activations() == before - 1
        finally:
            gc.enable()


def activations() -> int:
    """How many are in memory, those that other tests left among them."""
    return sum(type(each) is Activation for each in gc.get_objects())


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
