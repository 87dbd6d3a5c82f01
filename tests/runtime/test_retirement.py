"""Objects in memory that change over to new code: one instance at a time, in order, losing nothing."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any, cast

import anyio
import anyio.lowlevel
import pytest

from roomhost.runtime import Deployment, DurableObjectError, Host, WebSocketClosed, limits
from roomhost.runtime.testing import ManualClock, host_for

from ..helpers import versions
from ..helpers.disk import Disk
from ..helpers.versions import deploying, gate, gates, opened, version

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def no_gates() -> Iterator[None]:
    """Nothing of another test."""
    versions.alive.clear()
    gates.clear()
    yield
    gates.clear()


async def test_an_idle_object_runs_the_new_code_at_once_with_what_it_stored() -> None:
    """Over a stub that is older than the code, too; no reset."""
    async with host_for(version(1), clock=ManualClock()) as host:
        stub = host.env.OBJECT.get_by_name("a")
        assert await stub.note("one") == 1
        deployed = await host.deploy(version(2))
        assert (deployed.instances, deployed.resets) == (1, 0)
        assert await stub.note("two") == 2
        assert await host.env.OBJECT.get_by_name("a").texts() == ["one@1", "two@2"]


async def test_what_runs_ends_in_the_old_instance_and_what_waits_goes_to_the_new() -> None:
    """In the order of delivery; never both at once."""
    opens = gate("g")
    async with host_for(version(1), clock=ManualClock()) as host:
        stub = host.env.OBJECT.get_by_name("a")
        running = stub.wait("g")
        await host.settle()
        async with deploying(host, version(2)) as done:
            waiting = [stub.note(str(number)) for number in range(5)]
            await host.settle()
            assert not done
            opens.set()
        assert await running == 1
        assert [await call for call in waiting] == [2] * 5
        assert await stub.texts() == ["g@1", *(f"{number}@2" for number in range(5))]
        assert done[0].resets == 0


async def test_what_was_delivered_before_runs_before_what_comes() -> None:
    """Delivered and not begun, in the old instance, and behind it in the new."""
    async with host_for(version(1), clock=ManualClock()) as host:
        stub = host.env.OBJECT.get_by_name("a")
        await stub.which()
        calls = [stub.note(str(number)) for number in range(5)]
        async with deploying(host, version(2)):
            calls += [stub.note(str(number)) for number in range(5, 9)]
        for call in calls:
            await call
        assert [text[0] for text in await stub.texts()] == list("012345678")


async def test_sockets_stay_with_tags_and_attachments_across_deploys() -> None:
    """A message that comes while the old instance ends waits for the new one."""
    opens = gate("g")
    async with host_for(version(1), clock=ManualClock()) as host:
        stub = host.env.OBJECT.get_by_name("a")
        ws, other = await opened(stub, "tag=red"), await opened(stub, "tag=blue")
        ws.send("gate:g")
        await host.settle()
        async with deploying(host, version(2)):
            other.send("hello")
            await host.settle()
            opens.set()
        assert await ws.receive() == "gate:g@1:red:1"
        assert await other.receive() == "hello@2:blue:1"
        await host.deploy(version(3))
        ws.send("again")
        assert await ws.receive() == "again@3:red:1"


async def test_an_instance_that_does_not_end_is_reset_at_the_deadline() -> None:
    """Who waits for it gets an error that may be retried; who waits behind it goes to the new code; of
    its clients only the one whose message was cut short connects anew."""
    gate("never")
    clock = ManualClock()
    async with host_for(version(1), clock=clock) as host:
        stub = host.env.OBJECT.get_by_name("a")
        stuck, other = await opened(stub, "tag=red"), await opened(stub, "tag=blue")
        running = stub.wait("never")
        stuck.send("gate:never")
        await host.settle()
        async with deploying(host, version(2)) as done:
            waiting = stub.note("one")
            await clock.advance(9)
            assert not done
            await clock.advance(1)
        assert (done[0].instances, done[0].resets) == (1, 1)
        with pytest.raises(Exception, match="reset because its code was updated") as failed:
            await running
        assert failed.value.retryable  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
        assert await waiting == 2
        with pytest.raises(WebSocketClosed) as closed:
            await stuck.receive()
        assert closed.value.code == 1012
        other.send("still here")
        assert await other.receive() == "still here@2:blue:1"


async def test_a_client_that_misses_a_frame_at_the_deadline_connects_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its message has been handled, but the answer waits for a commit that does not end; one who
    misses nothing stays."""
    monkeypatch.setattr(limits, "DEPLOY_SECONDS", 0.0)
    disk = Disk()
    async with host_for(version(1), clock=ManualClock(), wrap_commit=disk.wrap) as host:
        stub = host.env.OBJECT.get_by_name("a")
        told, other = await opened(stub, "tag=red"), await opened(stub, "tag=blue")
        await host.settle()
        disk.hold()
        told.send("hello")
        await disk.reached()
        assert (await host.deploy(version(2))).resets == 1
        with pytest.raises(WebSocketClosed) as closed:
            await told.receive()
        assert closed.value.code == 1012
        disk.release()
        other.send("still here")
        assert await other.receive() == "still here@2:blue:1"


async def test_sockets_that_cannot_hibernate_end_at_once() -> None:
    """With 1012: they would keep the old instance for ever."""
    async with host_for(version(1), clock=ManualClock()) as host:
        stub = host.env.OBJECT.get_by_name("a")
        ws = await opened(stub, "standard=1")
        assert (await host.deploy(version(2))).resets == 0
        with pytest.raises(WebSocketClosed) as closed:
            await ws.receive()
        assert closed.value.code == 1012
        assert await stub.which() == 2


@pytest.mark.parametrize("names", [["a"], ["b", "a"], ["b", "c", "b", "a"]])
async def test_objects_that_call_each_other_in_circles_end(names: list[str]) -> None:
    """A call that an old instance waits for runs in it, behind what waited there already; the others
    on the way are new."""
    opens = gate("g")
    async with host_for(version(1), clock=ManualClock()) as host:
        for name in "abc":
            await host.env.OBJECT.get_by_name(name).which()
        calling = host.env.OBJECT.get_by_name("a").call(names, "g")
        await host.settle()
        async with deploying(host, version(2)) as done:
            later = host.env.OBJECT.get_by_name("a").which()
            await host.settle()
            opens.set()
        expected = {"a": 1, "b": 2, "c": 2}
        assert await calling == [1, *(expected[name] for name in names)]
        assert await later == 1
        assert done[0].resets == 0


async def test_a_call_of_an_old_instance_does_not_overtake_what_waits() -> None:
    """Calls over one stub arrive in the order they were made."""
    first, second = gate("first"), gate("second")

    async def both(self: Any) -> None:
        stub = self.env.OBJECT.get_by_name("b")
        one = stub.note("one")
        await gates["second"].wait()
        await stub.note("two")
        await one

    app = version(1)
    app.bindings["OBJECT"].both = both  # type: ignore[union-attr]  # pyright: ignore[reportAttributeAccessIssue]
    async with host_for(app, clock=ManualClock()) as host:
        b = host.env.OBJECT.get_by_name("b")
        held = b.wait("first")
        calling = host.env.OBJECT.get_by_name("a").both()
        await host.settle()
        async with deploying(host, version(2)) as done:
            outside = b.note("outside")
            await host.settle()
            second.set()
            await host.settle()
            first.set()
        for call in (held, calling, outside):
            await call
        texts = [text.partition("@")[0] for text in await b.texts()]
        assert texts.index("one") < texts.index("two")
        assert done[0].resets == 0


async def test_an_alarm_that_runs_ends_and_one_that_is_due_runs_in_the_new_code() -> None:
    """None is lost, none runs twice."""
    opens = gate("g")
    clock = ManualClock()
    async with host_for(version(1), clock=clock) as host:
        a, b = host.env.OBJECT.get_by_name("a"), host.env.OBJECT.get_by_name("b")
        await a.wake_in(1, "g")
        await b.wake_in(1.5)
        held = b.wait("g")
        await clock.advance(1)
        async with deploying(host, version(2)) as done:
            await clock.advance(1)
            opens.set()
        await held
        await host.settle()
        assert await a.texts() == ["alarm@1"]
        assert await b.texts() == ["g@1", "alarm@2"]
        assert done[0].resets == 0


async def test_an_alarm_that_does_not_end_runs_again_in_the_new_code() -> None:
    """Its run is reset at the deadline, as any other; an alarm runs at least once."""
    opens = gate("g")
    clock = ManualClock()
    async with host_for(version(1), clock=clock) as host:
        stub = host.env.OBJECT.get_by_name("a")
        await stub.wake_in(1, "g")
        await clock.advance(1)
        async with deploying(host, version(2)) as done:
            await clock.advance(10)
        assert done[0].resets == 1
        opens.set()
        await clock.advance(5)
        assert await host.env.OBJECT.get_by_name("a").texts() == ["alarm@2"]


async def test_two_deploys_at_once_are_one_after_the_other() -> None:
    """The second waits."""
    opens = gate("g")
    async with host_for(version(1), clock=ManualClock()) as host:
        stub = host.env.OBJECT.get_by_name("a")
        held = stub.wait("g")
        await host.settle()
        async with deploying(host, version(2)), deploying(host, version(3)):
            second = stub.which()
            opens.set()
        assert (await held, await second) == (1, 2)
        assert await stub.which() == 3


@pytest.mark.parametrize("seed", [1, 2, 115])
async def test_random_deploys_under_random_work_lose_nothing(seed: int) -> None:
    """Calls, sockets and alarms, of objects that call each other: every acknowledged write is there,
    in order; every alarm ran; no socket closed; nothing was reset."""
    rng = random.Random(seed)
    clock = ManualClock()
    acknowledged: dict[str, list[str]] = {name: [] for name in "abc"}
    alarms = 0
    async with host_for(version(0), clock=clock) as host:
        sockets = {name: await opened(host.env.OBJECT.get_by_name(name), "tag=t") for name in "abc"}

        async def note(name: str, text: str) -> None:
            await host.env.OBJECT.get_by_name(name).note(text)
            acknowledged[name].append(text)

        async def say(name: str, text: str) -> None:
            sockets[name].send(text)
            assert str(await sockets[name].receive()).startswith(f"{text}@")
            acknowledged[name].append(text)

        async def call(names: list[str]) -> None:
            await host.env.OBJECT.get_by_name(names[0]).call(names[1:])

        for number in range(1, 12):
            async with anyio.create_task_group() as group:
                for step in range(rng.randrange(8)):
                    text = f"{number}.{step}"
                    group.start_soon(note, rng.choice("abc"), text)
                    if rng.random() < 0.5:
                        group.start_soon(call, rng.choices("abc", k=4))
                name = rng.choice("abc")
                group.start_soon(say, name, f"{number}.say")
                if rng.random() < 0.5:
                    alarms += 1
                    await host.env.OBJECT.get_by_name(rng.choice("abc")).wake_in(0)
                for _ in range(rng.randrange(5)):
                    await anyio.lowlevel.checkpoint()
                deployed = await host.deploy(version(number))
                assert deployed.resets == 0
            await clock.advance(1)
        stored = {name: await host.env.OBJECT.get_by_name(name).texts() for name in "abc"}
        for name, texts in stored.items():
            plain = [text.partition("@")[0] for text in texts]
            assert sorted(acknowledged[name]) == sorted(t for t in plain if t != "alarm")
        assert (
            sum(text.startswith("alarm") for texts in stored.values() for text in texts) == alarms
        )


class Work:
    """Random calls that may wait for gates which open late, and what became of them."""

    def __init__(self, host: Host, rng: random.Random) -> None:
        self.acknowledged: dict[str, list[str]] = {name: [] for name in "abc"}
        self._host = host
        self._rng = rng
        self._stubs = {name: host.env.OBJECT.get_by_name(name) for name in "abc"}

    async def call(self, text: str) -> None:
        """One call, over an old stub or a new one. It succeeds, or may be retried."""
        rng, name = self._rng, self._rng.choice("abc")
        stub = self._stubs[name] if rng.random() < 0.5 else self._host.env.OBJECT.get_by_name(name)
        kind = rng.choice(["note", "note", "wait", "call"])
        try:
            if kind == "call":
                await stub.call(rng.choices("abc", k=3))
                return

            if kind == "wait":
                gate(text)
            await (stub.wait(text) if kind == "wait" else stub.note(text))
        except DurableObjectError as error:
            assert error.retryable
        else:
            self.acknowledged[name].append(text)

    async def deploy(self, number: int) -> None:
        """Work, a deploy in the midst of it, its deadline, more work, and the gates open."""
        rng, done = self._rng, list[Deployment]()

        async def run() -> None:
            done.append(await self._host.deploy(version(number)))

        async with anyio.create_task_group() as group:
            for step in range(rng.randrange(1, 8)):
                group.start_soon(self.call, f"{number}.{step}")
            for _ in range(rng.randrange(6)):
                await anyio.lowlevel.checkpoint()
            group.start_soon(run)
            await self._host.settle()
            for each in gates.values():
                if rng.random() < 0.3:
                    each.set()
            for step in range(5):
                group.start_soon(self.call, f"{number}.late{step}")
            await cast("ManualClock", self._host.clock).advance(11)
            assert done[0].resets <= done[0].instances <= 3
            for each in gates.values():
                each.set()


@pytest.mark.parametrize("seed", [0, 7])
async def test_random_deploys_with_handlers_that_hang_lose_nothing(seed: int) -> None:
    """At most one reset of an object a deploy, and each call that fails by it may be retried; sockets
    that waited stay; two instances never run at once."""
    async with host_for(version(0), clock=ManualClock()) as host:
        sockets = {name: await opened(host.env.OBJECT.get_by_name(name), "tag=t") for name in "abc"}
        work = Work(host, random.Random(seed))
        for number in range(1, 6):
            await work.deploy(number)
            for ws in sockets.values():
                ws.send(f"{number}.ws")
                assert await ws.receive() == f"{number}.ws@{number}:t:1"
        for name, acknowledged in work.acknowledged.items():
            texts = await host.env.OBJECT.get_by_name(name).texts()
            plain = [text.partition("@")[0] for text in texts]
            assert len(set(plain)) == len(plain)
            assert set(acknowledged) <= set(plain)
