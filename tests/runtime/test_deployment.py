"""New code in a running host: nothing is lost, and nobody is reset who could end."""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from starlette.applications import Starlette

from roomhost.bindings import App, Migration
from roomhost.runtime import Deployment, Host, HostError, WebSocketClosed
from roomhost.runtime.testing import ManualClock, host_for
from roomhost.storage import StorageError

from ..helpers import versions
from ..helpers.versions import gates, opened, version

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def no_gates() -> Iterator[None]:
    """Nothing of another test."""
    versions.alive.clear()
    gates.clear()
    yield
    gates.clear()


def gate(name: str) -> anyio.Event:
    """One that handlers wait for."""
    gates[name] = anyio.Event()
    return gates[name]


@asynccontextmanager
async def deploying(host: Host, app: App) -> AsyncGenerator[list[Deployment]]:
    """A deploy beside the block, which has ended behind it."""
    done: list[Deployment] = []

    async def run() -> None:
        done.append(await host.deploy(app))

    async with anyio.create_task_group() as group:
        group.start_soon(run)
        await host.settle()
        yield done


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


async def test_a_failing_constructor_is_the_error_of_its_object() -> None:
    """As always; older code again cures it."""
    async with host_for(version(1), clock=ManualClock()) as host:
        await host.env.OBJECT.get_by_name("a").note("one")
        await host.deploy(version(2, fail=True))
        with pytest.raises(ValueError, match="a constructor that fails"):
            await host.env.OBJECT.get_by_name("a").texts()
        await host.deploy(version(1))
        assert await host.env.OBJECT.get_by_name("a").texts() == ["one@1"]


async def test_what_cannot_be_built_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """An `env` that raises, routes that raise, a lost class, a disk that is full."""
    async with host_for(version(1), clock=ManualClock()) as host:
        stub = host.env.OBJECT.get_by_name("a")
        await stub.note("one")
        env, catalogue = host.env, host.engine.partition.catalogue.read()

        def fail(*_: Any) -> Any:
            raise KeyError("nothing there")

        for name in ("make_env", "asgi_for"):
            app = version(2)
            monkeypatch.setattr(app, name, fail)
            with pytest.raises(HostError, match="cannot be built: KeyError: 'nothing there'"):
                await host.deploy(app)
        with pytest.raises(HostError, match="the class Object has 1 object here"):
            await host.deploy(version(2, {"OTHER": "Other"}))

        def full(_: Any) -> None:
            raise StorageError("the disk is full")

        monkeypatch.setattr(host.engine.partition.catalogue, "write", full)
        with pytest.raises(StorageError, match="the disk is full"):
            await host.deploy(version(2, {"OBJECT": "Object", "NEW": "New"}))
        assert host.env is env
        assert list(host.namespaces) == ["OBJECT"]
        assert host.engine.partition.catalogue.read() == catalogue
        assert await stub.which() == 1


async def test_migrations_apply_to_a_running_host_and_a_rollback_undoes_them() -> None:
    """A renamed class under another binding keeps its objects and their ids; one that is unknown to
    older code waits with its alarm, and cannot be called."""
    clock = ManualClock()
    new = [
        Migration(tag="v1", renamed_classes={"Object": "Thing"}),
        Migration(tag="v2", new_classes=("Other",)),
    ]
    async with host_for(version(1), clock=clock) as host:
        stub = host.env.OBJECT.get_by_name("a")
        await stub.note("one")
        await host.deploy(version(2, {"THING": "Thing", "OTHER": "Other"}, new))
        assert host.env.THING.id_from_name("a") == stub.id
        assert await host.env.THING.get_by_name("a").texts() == ["one@1"]
        assert await stub.note("two") == 2
        other = host.env.OTHER.get_by_name("o")
        ws = await opened(other, "tag=x")
        await other.wake_in(5)
        await host.deploy(version(3))
        with pytest.raises(Exception, match="the class Other is not part of the application"):
            await other.texts()
        with pytest.raises(WebSocketClosed):
            await ws.receive()
        assert "OTHER" not in host.env
        assert await host.env.OBJECT.get_by_name("a").texts() == ["one@1", "two@2"]
        await clock.advance(10)
        await host.deploy(version(4, {"THING": "Thing", "OTHER": "Other"}, new))
        await host.settle()
        assert await host.env.OTHER.get_by_name("o").texts() == ["alarm@4"]


async def test_objects_of_a_deleted_class_are_deleted_over_restarts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bounded steps; a host that is stopped in between goes on when it starts."""
    gone = version(2, {"KEPT": "Kept"}, [Migration(tag="v1", deleted_classes=("Object",))])
    both = version(1, {"OBJECT": "Object", "KEPT": "Kept"})
    monkeypatch.setattr("roomhost.runtime.limits.DELETED_ROWS", 2)
    async with host_for(both, data_dir=tmp_path) as host:
        for binding in ("OBJECT", "KEPT"):
            for name in range(10):
                await host.env[binding].get_by_name(str(name)).note("x")
        stub, number = host.env.OBJECT.get_by_name("0"), host.namespaces["OBJECT"].number
        deployed = await host.deploy(gone)
        assert [step.objects for step in deployed.plan.steps] == [10]
        with pytest.raises(Exception, match="is not part of the application"):
            await stub.note("y")
        await host.crash()
    async with host_for(gone, data_dir=tmp_path) as host:
        partition = host.engine.partition
        while len(partition.catalogue.read().namespaces) > 1:
            await anyio.lowlevel.checkpoint()
        assert partition.count_objects(number, limit=99) == 0
        assert len(host.list_objects("KEPT")) == 10
        assert await host.env.KEPT.get_by_name("3").texts() == ["x@1"]


@pytest.mark.parametrize("written", [False, True])
@pytest.mark.parametrize("number", [1, 2])
async def test_a_crash_in_a_deploy_leaves_what_both_codes_can_serve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: bool, number: int
) -> None:
    """The record is the old one or the new one, and whichever code starts next has the objects."""
    versions = {
        1: version(1),
        2: version(
            2, {"THING": "Thing"}, [Migration(tag="v1", renamed_classes={"Object": "Thing"})]
        ),
    }
    async with host_for(versions[1], data_dir=tmp_path) as host:
        await host.env.OBJECT.get_by_name("a").note("one")
        write = host.engine.partition.catalogue.write

        def crash(catalogue: Any) -> None:
            if written:
                write(catalogue)
            raise StorageError("the machine is gone")

        monkeypatch.setattr(host.engine.partition.catalogue, "write", crash)
        with pytest.raises(StorageError, match="the machine is gone"):
            await host.deploy(versions[2])
        await host.crash()
    host = Host(versions[number], data_dir=tmp_path, clock=ManualClock(), refuse_orphans=True)
    async with host:
        binding = next(iter(host.namespaces))
        assert await host.env[binding].get_by_name("a").texts() == ["one@1"]


async def test_orphans_are_refused_where_that_was_asked_and_else_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A bare host takes every namespace by its name."""
    async with host_for(version(1), data_dir=tmp_path) as host:
        await host.env.OBJECT.get_by_name("a").note("one")
    other = version(2, {"OBJECT": "Other"})
    with pytest.raises(HostError, match="the class Object has 1 object here"):
        async with Host(other, data_dir=tmp_path, refuse_orphans=True):
            pass
    async with host_for(other, data_dir=tmp_path) as host:
        assert await host.env.OBJECT.get_by_name("a").texts() == ["one@1"]
    assert "the class Object has 1 object here" in caplog.text


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


async def test_a_host_that_stops_ends_a_deploy_under_way() -> None:
    """What runs gets to end; who waits for the new code is told to come back."""
    opens = gate("g")
    waiting: Any = None
    async with anyio.create_task_group() as group:
        async with host_for(version(1), clock=ManualClock()) as host:
            held = host.env.OBJECT.get_by_name("a").wait("g")
            await host.settle()
            group.start_soon(host.deploy, version(2))
            await host.settle()
            waiting = host.env.OBJECT.get_by_name("a").note("late")
            host.refuse()
            opens.set()
            with pytest.raises(HostError, match="the host is stopping"):
                await host.deploy(version(3))
        assert await held == 1
        assert await waiting == 2


def main_of(name: str, log: list[str], fails: bool = False) -> Starlette:
    """Routes with a lifespan, which makes a state for requests."""

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncGenerator[dict[str, str]]:
        if fails:
            raise ZeroDivisionError(name)
        log.append(f"{name} starts")
        yield {"who": name}
        log.append(f"{name} stops")

    return Starlette(lifespan=lifespan)


async def test_routes_and_their_lifespan_are_replaced_too() -> None:
    """The new one starts before the switch, the old one stops behind its last request; one that does
    not start changes nothing, and the server stops the one that is left."""
    log: list[str] = []

    def app(number: int, fails: bool = False) -> App:
        main = main_of(f"main{number}", log, fails)

        async def answer(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "lifespan":
                await main(scope, receive, send)
                return

            await gates["g"].wait()
            log.append(f"{number} answers, {scope['state']['who']}")

        return version(number, main=answer)

    opens = gate("g")
    stop = anyio.Event()
    asked = iter([{"type": "lifespan.startup"}])

    async def receive() -> Any:
        message = next(asked, None)
        if message is None:
            await stop.wait()
            message = {"type": "lifespan.shutdown"}
        return message

    async def send(message: Any) -> None:
        log.append(message["type"].removeprefix("lifespan."))

    async with host_for(app(1)) as host, anyio.create_task_group() as group:
        server: dict[str, Any] = {}
        group.start_soon(host.front, {"type": "lifespan", "state": server}, receive, send)
        await host.settle()

        def request() -> dict[str, Any]:
            return {"type": "http", "path": "/", "headers": [], "state": dict(server)}

        group.start_soon(host.front, request(), receive, send)
        await host.settle()
        with pytest.raises(HostError, match="the application did not start: bad"):
            failing = main_of("bad", log, fails=True)
            await host.deploy(version(9, main=failing))
        await host.deploy(app(2))
        group.start_soon(host.front, request(), receive, send)
        await host.settle()
        assert log == ["main1 starts", "startup.complete", "main2 starts"]
        opens.set()
        await host.settle()
        stop.set()
    assert sorted(log[3:5]) == ["1 answers, main1", "2 answers, main2"]
    assert log[5:] == ["main1 stops", "main2 stops", "shutdown.complete"]


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
