"""New code in a running host: nothing is lost, and nobody is reset who could end."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest
from starlette.applications import Starlette

from roomhost.bindings import App, Migration
from roomhost.runtime import Host, HostError, WebSocketClosed
from roomhost.runtime.testing import ManualClock, host_for
from roomhost.storage import StorageError

from ..helpers import versions
from ..helpers.versions import gate, gates, opened, version

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def no_gates() -> Iterator[None]:
    """Nothing of another test."""
    versions.alive.clear()
    gates.clear()
    yield
    gates.clear()


async def test_figures_are_of_the_classes_that_are_served() -> None:
    """Another class may be bound by the name of one that was taken away: each label is there once."""
    new = [Migration(tag="v1", new_classes=("Other",))]
    async with host_for(version(1, {"A": "Object"}), clock=ManualClock()) as host:
        await host.env.A.get_by_name("a").note("one")
        await host.deploy(version(2, {"B": "Object", "A": "Other"}, new))
        await host.env.A.get_by_name("a").note("two")
        transport = httpx.ASGITransport(app=host.asgi)
        async with httpx.AsyncClient(transport=transport, base_url="http://host") as client:
            lines = (await client.get("/metrics")).text.splitlines()
        labels = [line.rpartition(" ")[0] for line in lines if not line.startswith("#")]
        assert len(labels) == len(set(labels))
        assert any('binding="B"' in label for label in labels)
        await host.deploy(version(1, {"A": "Object"}))
        async with httpx.AsyncClient(transport=transport, base_url="http://host") as client:
            assert 'binding="B"' not in (await client.get("/metrics")).text


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
