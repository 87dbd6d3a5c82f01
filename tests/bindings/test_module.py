"""Modules: a binding that is several sets of objects, with handles and routes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.websockets import WebSocket as Socket

from roomhost.bindings import App, Module, ModuleRecord
from roomhost.runtime import DurableObject, Host, HostError, Request, Response, limits
from roomhost.runtime.application import NamespaceDeclaration
from roomhost.runtime.running import running_hosts
from roomhost.runtime.testing import ManualClock, host_for

from ..helpers.tally import Counter, Index, Tallies, Tally

pytestmark = pytest.mark.anyio


class Echo(DurableObject):
    """Says where it was asked."""

    async def fetch(self, request: Request) -> Response:
        return Response(f"{self.ctx.id.name} {request.url.path}")


def app_of(main: Any = None, **modules: Any) -> App:
    """An application of modules, and an actor class that the default routes reach."""
    return App(name="modules", bindings={"ECHO": Echo, **modules}, main=main)


def client_of(asgi: Any) -> httpx.AsyncClient:
    """A client without a network."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(asgi), base_url="http://test")


async def talk(asgi: Any, path: str) -> list[Any]:
    """Open a WebSocket, and return what comes until it ends."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message.get("text", message["type"]))

    # As from a server that keeps no raw path: it has decoded this one already.
    scope = {"type": "websocket", "path": path, "headers": [], "subprotocols": []}
    await asgi(scope, receive, send)
    return sent


async def test_what_a_module_binds_is_in_the_environment_of_routes_and_actors() -> None:
    """A counter tells the index by it; the handles are the host's own."""
    async with host_for(app_of(TALLY=Tally("a", step=2)), clock=ManualClock()) as host:
        tallies = host.env.TALLY
        assert isinstance(tallies, Tallies)
        assert [await tallies.add("x"), await tallies.add("x"), await tallies.add("y")] == [2, 4, 2]
        assert await tallies.names() == ["x", "y"]
        assert set(host.env) == {"ECHO", "TALLY"}


async def test_the_objects_of_a_module_are_listed_by_its_namespaces() -> None:
    """Their names begin with the binding's."""
    app = app_of(TALLY=Tally("a"))
    assert [declared.name for declared in app.namespaces()] == [
        "ECHO",
        "TALLY.counters",
        "TALLY.index",
    ]
    async with host_for(app, clock=ManualClock()) as host:
        await host.env.TALLY.add("x")
        assert [found.name for found in host.list_objects("TALLY.counters")] == ["x"]
        assert [found.name for found in host.list_objects("TALLY.index")] == ["all"]
        with pytest.raises(KeyError):
            host.list_objects("TALLY")


async def test_what_a_module_stores_is_there_again() -> None:
    """Under the same ids, whatever the binding is called."""
    module = Tally("a")
    first, second = module.namespaces("ONE"), module.namespaces("OTHER")
    assert [a.unique_key for a in first] == [b.unique_key for b in second]


async def test_a_module_answers_under_its_path() -> None:
    """Requests and WebSockets, itself and everything below; whole segments; the rest goes on."""
    module = Tally("a")
    async with host_for(app_of(TALLY=module), clock=ManualClock()) as host:
        async with client_of(host.asgi) as client:
            assert (await client.get("/tally/a/x")).json() == {"name": "x", "n": 1}
            for path in ("/tally/a", "/tally/a/", "/tally/a/x/y"):
                assert (await client.get(path)).text == "no tally\n"
            for path in ("/tally/ab/x", "/tally", "/", "//tally/a/x", "/x/tally/a/x", "*"):
                assert (await client.get(path)).text == "Not Found\n"
            assert (await client.get("/echo/e/x")).text == "e /echo/e/x"
        assert await talk(host.asgi, "/tally/a/x") == ["websocket.accept", "2", "websocket.close"]
        assert await talk(host.asgi, "/tally/a/x/unknown") == ["websocket.close"]
        assert await talk(host.asgi, "/tally/ab/x") == ["websocket.close"]
        assert module.made == 1


async def test_the_path_is_read_as_it_was_sent() -> None:
    """An encoded slash is part of a segment, any other encoded character is that character."""
    async with host_for(app_of(TALLY=Tally("größe")), clock=ManualClock()) as host:
        async with client_of(host.asgi) as client:
            for path in ("/tally/größe/a%2Fb", "/t%61lly/gr%C3%B6%C3%9Fe/a%2fb"):
                assert (await client.get(path)).json()["name"] == "a/b"
            for path in ("/tally%2Fgr%C3%B6%C3%9Fe/x", "/tally/gr%F6%DFe/x"):
                assert (await client.get(path)).text == "Not Found\n"
            assert (await client.get("/tally/größe/a%252Fb")).json()["name"] == "a%2Fb"
        assert (await talk(host.asgi, "/tally/größe/c%2Fd"))[1] == "1"
        assert await host.env.TALLY.names() == ["a%2Fb", "a/b", "c%2Fd"]


async def test_the_objects_of_a_module_have_no_default_route() -> None:
    """Neither by the binding nor by the names of its namespaces."""
    async with host_for(app_of(TALLY=Tally("a")), clock=ManualClock()) as host:
        async with client_of(host.asgi) as client:
            for path in ("/tally/x", "/tally.counters/x", "/tally-counters/x", "/TALLY.counters/x"):
                assert (await client.get(path)).text == "Not Found\n"
        assert host.statistics().activations == 0


async def page(_: Any) -> PlainTextResponse:
    """A page of `main`."""
    return PlainTextResponse("main")


async def greet(socket: Socket) -> None:
    """A WebSocket of `main`."""
    await socket.accept()
    await socket.send_text("main")
    await socket.close()


async def test_a_module_comes_before_main() -> None:
    """Which gets what is under no module's path, even where it would answer everything."""
    main = Starlette(routes=[Route("/{any:path}", page), WebSocketRoute("/{any:path}", greet)])
    async with host_for(app_of(main, TALLY=Tally("a")), clock=ManualClock()) as host:
        async with client_of(host.asgi) as client:
            assert (await client.get("/tally/a/x")).json()["n"] == 1
            assert (await client.get("/tally/ab/x")).text == "main"
            assert (await client.get("/echo/e")).text == "main"
        assert (await talk(host.asgi, "/tally/a/x"))[1] == "2"
        assert (await talk(host.asgi, "/tally/b/x"))[1] == "main"


@pytest.mark.parametrize("prefix", ["/below", "/be low/größe"])
async def test_a_host_with_modules_can_be_mounted(prefix: str) -> None:
    """The path counts below where it is mounted."""
    async with host_for(app_of(TALLY=Tally("a")), clock=ManualClock()) as host:
        outer = Starlette(routes=[Mount(prefix, host.asgi)])
        async with client_of(outer) as client:
            assert (await client.get(f"{prefix}/tally/a/x")).json() == {"name": "x", "n": 1}
            assert (await client.get(f"{prefix}/echo/e")).status_code == 200
            assert (await client.get(f"{prefix}/tally/ab/x")).status_code == 404
            assert (await client.get("/tally/a/x")).status_code == 404


async def test_of_two_paths_the_longer_one_answers() -> None:
    """In whatever order they are bound."""
    below = Tally("below")
    below.path = "/tally/a/below"
    for modules in ({"A": Tally("a"), "B": below}, {"B": below, "A": Tally("a")}):
        async with host_for(app_of(**modules), clock=ManualClock()) as host:
            async with client_of(host.asgi) as client:
                assert (await client.get("/tally/a/x")).json()["n"] == 1
                assert (await client.get("/tally/a/below")).status_code == 404
                assert (await client.get("/tally/a/belowx")).json()["name"] == "belowx"
            assert await host.env.A.names() == ["belowx", "x"]
            assert await host.env.B.names() == []


async def test_a_host_that_is_started_again_has_new_routes(tmp_path: Path) -> None:
    """Those of the value that is in its environment now; none before and none after."""
    module = Tally("a")
    host = Host(app_of(TALLY=module), data_dir=tmp_path, clock=ManualClock())
    async with client_of(host.asgi) as client:
        with pytest.raises(HostError, match="async with Host"):
            await client.get("/tally/a/x")
        for expected in (1, 2):
            async with host:
                assert (await client.get("/tally/a/x")).json()["n"] == expected
                assert module.made == expected
        with pytest.raises(HostError, match="async with Host"):
            await client.get("/tally/a/x")


async def test_a_module_that_cannot_be_bound_stops_the_start(tmp_path: Path) -> None:
    """With its own error; the data directory is free again, and nothing of the host runs on."""
    module = Tally("a", failure=LookupError("no such thing"))
    clock = ManualClock()
    for _ in range(2):
        host = Host(app_of(TALLY=module), data_dir=tmp_path, clock=clock)
        with pytest.raises(LookupError, match="no such thing"):
            async with host:
                raise AssertionError("it must not start")
        assert host.env is None
        assert running_hosts() == []
        with pytest.raises(HostError, match="not running"):
            host.statistics()
    module.failure = None
    async with host_for(app_of(TALLY=module), clock=clock, data_dir=tmp_path) as started:
        assert await started.env.TALLY.add("x") == 1
        await clock.advance(1)


def declare(*names: str) -> Any:
    """The `namespaces` of a module that declares these."""

    def namespaces(binding: str) -> Sequence[NamespaceDeclaration]:
        return [NamespaceDeclaration(name, f"key of {name}", Counter) for name in names]

    return namespaces


@pytest.mark.parametrize(
    ("name", "value", "match"),
    [
        ("path", "", "path of the module A is like"),
        ("path", "/", "path of the module A is like"),
        ("path", "tally/a", "path of the module A is like"),
        ("path", "/tally/a/", "path of the module A is like"),
        ("path", "/tally//a", "path of the module A is like"),
        ("path", "/tally?a", "path of the module A is like"),
        ("namespaces", declare("counters"), "begins with 'A.': 'counters' has not"),
        ("namespaces", declare("AB.counters"), "begins with 'A.'"),
        ("namespaces", declare("A.x", "A.x"), "name of its own"),
        ("describe", lambda: ModuleRecord("Tally", b""), "kind of the module A is at most 64"),
        ("describe", lambda: ModuleRecord("t" * 65, b""), "kind of the module A is at most 64"),
        (
            "describe",
            lambda: ModuleRecord("tally", bytes(limits.MAX_MODULE_CONFIG_BYTES + 1)),
            "configuration of the module A is at most 65536 bytes, this one is 65537",
        ),
    ],
)
def test_a_module_that_cannot_be_is_refused(name: str, value: Any, match: str) -> None:
    """When the application is made, with the name of the binding."""
    module = Tally("a")
    setattr(module, name, value)
    with pytest.raises(ValueError, match=match):
        app_of(A=module)


def test_two_modules_have_two_paths() -> None:
    """The error names both."""
    with pytest.raises(ValueError, match="modules A and B have the same path, /tally/a"):
        app_of(A=Tally("a"), B=Tally("a"))


def test_a_module_shares_its_name_with_nothing() -> None:
    """No variable has it, and its ids derive from its own keys."""
    with pytest.raises(ValueError, match="'TALLY' is a binding and a variable"):
        App(name="x", bindings={"TALLY": Tally("a")}, vars={"TALLY": 1})
    with pytest.raises(ValueError, match="'TALLY', a module, which has keys of its own"):
        App(name="x", bindings={"TALLY": Tally("a")}, unique_keys={"TALLY": "k"})


@pytest.mark.parametrize("value", [Tally, object(), Counter.add, "TALLY", None])
def test_what_is_neither_class_nor_module_is_refused(value: Any) -> None:
    """A module's class is no module."""
    with pytest.raises(TypeError, match="the binding A is a subclass of DurableObject or a module"):
        app_of(A=value)
    assert isinstance(Tally("a"), Module)
    assert app_of(A=Tally("a"), B=Index).bindings.keys() == {"ECHO", "A", "B"}
