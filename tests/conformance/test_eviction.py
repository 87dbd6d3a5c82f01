"""Eviction and hibernation."""

from __future__ import annotations

import anyio
import pytest

from roomhost.runtime import DurableObjectError, WebSocket
from roomhost.runtime.testing import ManualClock, host_for

from ..helpers.disk import Disk
from ..helpers.in_flight import in_flight
from ..helpers.mortal import Mortal, app, opened
from ..helpers.scripted import script
from .feature import Feature, mistake, shows

pytestmark = pytest.mark.anyio

IDLE = Feature("eviction after 10 idle seconds", "3.5")
BUSY = Feature("eviction: what keeps an object in memory", "3.5")
STUBS = Feature("eviction: stubs go on", "2.6, 3.5")
HIBERNATES = Feature("hibernation: sockets outlive the instance", "3.5, 7.9")
SETTING = Feature("eviction: the idle time is a setting", "3.5")
EVICT = Feature("evict(stub), for tests", "3.5")
ABORT_ALL = Feature(
    "abortAllDurableObjects(), for tests",
    "3.5",
    differs="`host.abort_all()`; its error carries the reset flag, as that of any other reset",
)
ENDED = Feature("storage of an instance that has ended", "3.5")
PRE_SHUTDOWN = Feature(
    "preShutdown",
    "3.5",
    missing="never called: an instance can end at any moment, so write when it matters",
)


@shows(IDLE, STUBS)
@mistake(4)
async def test_mistake_4_after_ten_idle_seconds_the_same_stub_finds_a_new_instance() -> None:
    """Not before the tenth: memory is lost, storage is not, and no caller notices."""
    clock = ManualClock()

    @script
    async def story(actor: Mortal) -> None:
        await actor.ctx.storage.put("kept", True)

    async with host_for(app, clock=clock) as host:
        stub = host.env.OBJECT.get_by_name("a")
        await stub.run("story")
        assert await stub.remember(1) == [1]
        await clock.advance(9.9)
        assert host.statistics().activations == 1
        await clock.advance(0.1)
        assert host.statistics().activations == 0
        assert await stub.remember(2) == [2]
        assert await stub.stored() == {"kept": True}


@shows(IDLE)
async def test_a_call_begins_the_ten_seconds_anew() -> None:
    """They count from the end of the last event."""
    clock = ManualClock()
    async with host_for(app, clock=clock) as host:
        stub = host.env.OBJECT.get_by_name("a")
        for number in range(4):
            assert len(await stub.remember(number)) == number + 1
            await clock.advance(9)
        assert host.statistics().activations == 1
        await clock.advance(1)
        assert host.statistics().activations == 0


@shows(SETTING)
async def test_the_idle_time_is_a_setting() -> None:
    """`idle_eviction_seconds`."""
    clock = ManualClock()
    async with host_for(app, clock=clock, idle_eviction_seconds=60) as host:
        await host.env.OBJECT.get_by_name("a").remember(1)
        await clock.advance(59)
        assert host.statistics().activations == 1
        await clock.advance(1)
        assert host.statistics().activations == 0


@shows(BUSY)
@pytest.mark.parametrize("keeps", ["handler", "wait_until", "standard socket"])
async def test_what_is_in_flight_keeps_an_object_in_memory(keeps: str) -> None:
    """A handler that waits, work in the background, a socket that cannot hibernate."""
    clock = ManualClock()
    go = anyio.Event()

    @script
    async def handler(actor: Mortal) -> None:
        await go.wait()

    @script
    def background(actor: Mortal) -> None:
        actor.ctx.wait_until(go.wait())

    async with host_for(app, clock=clock) as host, in_flight() as calls:
        stub = host.env.OBJECT.get_by_name("a")
        ws = await opened(stub, "/standard") if keeps == "standard socket" else None
        if ws is None:
            script_name = "handler" if keeps == "handler" else "background"
            await calls.start(keeps, stub.run(script_name))
        await clock.advance(600)
        assert host.statistics().activations == 1
        go.set()
        if ws is not None:
            ws.close()
        await clock.advance(10)
        assert host.statistics().activations == 0


@shows(HIBERNATES)
async def test_a_hibernating_object_is_started_by_a_message() -> None:
    """The socket stays open without an instance; a message makes a new one and reaches it."""
    clock = ManualClock()

    @script
    def message(actor: Mortal, ws: WebSocket, text: str | bytes) -> None:
        actor.memory.append(text)
        ws.send(f"{len(actor.memory)} of {len(actor.ctx.get_web_sockets())} sockets")

    async with host_for(app, clock=clock) as host:
        ws = await opened(host.env.OBJECT.get_by_name("a"))
        for _ in range(2):
            ws.send("hello")
            assert await ws.receive() == "1 of 1 sockets"
            await clock.advance(10)
            assert (host.statistics().activations, host.statistics().web_sockets) == (0, 1)


@shows(EVICT)
async def test_evict_lets_what_is_in_flight_end_first() -> None:
    """Then the instance is gone at once, without the ten seconds; without one it says so."""
    go = anyio.Event()

    @script
    async def story(actor: Mortal) -> str:
        await go.wait()
        return "ended normally"

    async with host_for(app, clock=ManualClock()) as host, in_flight() as calls:
        stub = host.env.OBJECT.get_by_name("a")
        assert not await host.evict(stub)
        await calls.start("story", stub.run("story"))
        await calls.start("evict", host.evict(stub))
        assert calls.ended == {}
        go.set()
        await anyio.wait_all_tasks_blocked()
        assert calls.ended == {"story": "ended normally", "evict": True}
        assert host.statistics().activations == 0
        assert await stub.remember(1) == [1]


@shows(EVICT, HIBERNATES)
async def test_evict_keeps_hibernating_sockets() -> None:
    """They are the object's, not the instance's."""
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.OBJECT.get_by_name("a")
        await opened(stub)
        assert await host.evict(stub)
        assert (host.statistics().activations, host.statistics().web_sockets) == (0, 1)


@shows(EVICT)
async def test_evict_waits_for_the_disk() -> None:
    """What the instance wrote is stored before the next one is made."""
    disk = Disk()

    @script
    async def story(actor: Mortal) -> None:
        await actor.ctx.storage.put("n", 1, allow_unconfirmed=True)

    async with host_for(app, clock=ManualClock(), wrap_commit=disk.wrap) as host:
        async with in_flight() as calls:
            stub = host.env.OBJECT.get_by_name("a")
            disk.hold()
            await calls.start("story", stub.run("story"))
            await calls.start("evict", host.evict(stub))
            assert calls.ended == {"story": None}
            disk.release()
        assert calls.ended["evict"] is True
        assert await stub.stored() == {"n": 1}


@shows(ABORT_ALL)
async def test_abort_all_breaks_every_object_at_once() -> None:
    """Callers in flight get its text, old stubs are broken, new ones work."""

    @script
    async def waits(actor: Mortal) -> None:
        await anyio.sleep_forever()

    async with host_for(app, clock=ManualClock()) as host, in_flight() as calls:
        stubs = {name: host.env.OBJECT.get_by_name(name) for name in ("a", "b", "idle")}
        await stubs["idle"].remember(1)
        await calls.start("a", stubs["a"].run("waits"))
        await calls.start("b", stubs["b"].run("waits"))
        await host.abort_all()
        await anyio.wait_all_tasks_blocked()
        texts = {str(error) for error in calls.ended.values()}
        assert (len(calls.ended), texts) == (2, {"Application called abortAllDurableObjects()."})
        for name, stub in stubs.items():
            with pytest.raises(DurableObjectError, match=r"abortAllDurableObjects\(\)") as caught:
                await stub.remember(1)
            assert caught.value.durable_object_reset
            assert await host.env.OBJECT.get_by_name(name).remember(2) == [2]


@shows(ENDED)
async def test_storage_of_an_evicted_instance_says_that_it_is_gone() -> None:
    """A reference that outlived its instance reads and writes nothing."""
    kept: list[Mortal] = []

    @script
    def keep(actor: Mortal) -> None:
        kept.append(actor)

    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.OBJECT.get_by_name("a")
        await stub.run("keep")
        assert await host.evict(stub)
        with pytest.raises(DurableObjectError, match="storage is no longer accessible"):
            await kept[0].ctx.storage.put("late", True)
        assert await stub.stored() == {}


@shows(PRE_SHUTDOWN)
async def test_nothing_is_called_before_an_eviction() -> None:
    """A method named like Cloudflare's hook is an ordinary one."""
    async with host_for(app, clock=ManualClock()) as host:
        stub = host.env.OBJECT.get_by_name("a")
        await stub.remember(1)
        assert await host.evict(stub)
        assert await stub.remember(2) == [2]
