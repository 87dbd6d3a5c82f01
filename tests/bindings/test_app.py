"""Applications: bindings, the environment, the routes, and other people's servers."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request as PageRequest
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from roomhost.bindings import App
from roomhost.runtime import DurableObject, Host, HostError, Request, Response
from roomhost.runtime.backend import AsyncioBackend, current_backend
from roomhost.runtime.local_socket import SOCKET_FILE
from roomhost.runtime.testing import ManualClock, host_for

pytestmark = pytest.mark.anyio


class Greeter(DurableObject):
    """Greets by its name."""

    async def greet(self) -> str:
        return f"{self.env.GREETING} {self.ctx.id.name}"

    async def fetch(self, request: Request) -> Response:
        if request.url.path.endswith("/stream"):
            return Response(self._chunks(), headers={"content-type": "text/plain"})
        return Response(f"{await self.greet()} {request.url.path}")

    async def _chunks(self) -> AsyncIterator[bytes]:
        for number in range(20):
            await self.ctx.storage.put("n", number)
            yield f"{number} ".encode()


bindings = {"GREETER": Greeter, "SNAKE_CASE": Greeter}
app = App(name="app", bindings=bindings, vars={"GREETING": "hello"})


def client_of(asgi: Any) -> httpx.AsyncClient:
    """A client without a network."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(asgi), base_url="http://test")


async def test_the_environment_reads_as_attributes_and_as_items() -> None:
    """Bindings and variables; what is missing is named, with what there is."""
    async with host_for(app, clock=ManualClock()) as host:
        env = host.env
        assert env.GREETING == env["GREETING"] == "hello"
        assert await env["GREETER"].get_by_name("ann").greet() == "hello ann"
        assert set(env) == {"GREETING", "GREETER", "SNAKE_CASE"}
        assert "GREETER" in env
        with pytest.raises(AttributeError, match="no binding 'NOPE'; there are GREETING, GREETER"):
            _ = env.NOPE
        with pytest.raises(KeyError, match="NOPE"):
            _ = env["NOPE"]


async def test_two_bindings_of_one_class_are_two_sets_of_objects() -> None:
    """Other ids, other storage; an id of one is refused by the other."""
    async with host_for(app, clock=ManualClock()) as host:
        one, other = host.env.GREETER, host.env.SNAKE_CASE
        assert one.id_from_name("a") != other.id_from_name("a")
        with pytest.raises(TypeError, match="not valid for this namespace"):
            other.get(one.id_from_name("a"))
        with pytest.raises(TypeError, match="not valid for this namespace"):
            other.id_from_string(str(one.id_from_name("a")))
        with pytest.raises(TypeError, match="takes a DurableObjectId, not str"):
            one.get("a")
        with pytest.raises(TypeError, match="name is a string"):
            one.get_by_name(5)


async def test_jurisdictions_are_sets_of_their_own() -> None:
    """The same name is another object; an unknown one is refused."""
    async with host_for(app, clock=ManualClock()) as host:
        namespace = host.env.GREETER
        eu = namespace.jurisdiction("eu")
        assert eu.id_from_name("a") != namespace.id_from_name("a")
        assert eu.new_unique_id().jurisdiction == "eu"
        assert await eu.get_by_name("a").greet() == "hello a"
        assert await namespace.get(eu.id_from_name("a")).greet() == "hello a"
        assert namespace.jurisdiction(None).id_from_name("a") == namespace.id_from_name("a")
        with pytest.raises(TypeError, match="from a different jurisdiction"):
            eu.get(namespace.id_from_name("a"))
        with pytest.raises(TypeError, match="one of eu, fedramp, us"):
            namespace.new_unique_id("mars")
        assert namespace.new_unique_id(jurisdiction=None).jurisdiction is None


async def test_ids_derive_from_a_key_that_can_be_given() -> None:
    """The vectors of semantics.md 1.1, through an application."""
    ours = App(name="ids", bindings={"OBJECT": Greeter}, unique_keys={"OBJECT": "mykey"})
    async with host_for(ours, clock=ManualClock()) as host:
        digits = "3652ef6221834806dc8df802d1d216e27b7d07e0a6b7adf6cfdaeec90f06459a"
        assert str(host.env.OBJECT.id_from_name("name")) == digits


async def test_stored_objects_are_listed_with_their_names() -> None:
    """Only those that have stored something; in pages."""
    async with host_for(app, clock=ManualClock()) as host:
        for name in ("a", "b", "c"):
            async with client_of(host.asgi) as client:
                await client.get(f"/greeter/{name}/stream")
        await host.env.GREETER.get_by_name("silent").greet()
        listed = host.list_objects("GREETER")
        assert {object_id.name for object_id in listed} == {"a", "b", "c"}
        assert listed == sorted(listed, key=str)
        assert host.list_objects("GREETER", after=listed[0], limit=1) == [listed[1]]
        assert host.list_objects("SNAKE_CASE") == []
        with pytest.raises(KeyError):
            host.list_objects("NOPE")


async def test_without_main_the_path_names_the_object() -> None:
    """A binding in lower case, `-` for `_`, then the name."""
    async with host_for(app, clock=ManualClock()) as host, client_of(host.asgi) as client:
        assert (await client.get("/greeter/ann/any/path")).text == "hello ann /greeter/ann/any/path"
        assert (await client.get("/snake-case/a%2Fb")).text.startswith("hello a/b ")
        assert (await client.get("/snake_case/a")).status_code == 404


async def test_a_stream_of_an_actor_comes_through() -> None:
    """Chunk by chunk, to its end."""
    async with host_for(app, clock=ManualClock()) as host, client_of(host.asgi) as client:
        text = (await client.get("/greeter/a/stream")).text
        assert text == "".join(f"{number} " for number in range(20))
        assert await host.evict(host.env.GREETER.get_by_name("a"))


async def greet(request: PageRequest) -> JSONResponse:
    """A route that reaches an object."""
    stub = request.state.env.GREETER.get_by_name(request.path_params["name"])
    return JSONResponse(await stub.greet())


async def test_main_answers_instead_and_finds_the_environment() -> None:
    """In `request.state.env`."""
    main = Starlette(routes=[Route("/hi/{name}", greet)])
    ours = App(name="main", bindings={"GREETER": Greeter}, vars={"GREETING": "hi"}, main=main)
    async with host_for(ours, clock=ManualClock()) as host, client_of(host.asgi) as client:
        assert (await client.get("/hi/ann")).json() == "hi ann"
        assert (await client.get("/greeter/ann")).status_code == 404


async def test_a_host_can_be_mounted() -> None:
    """Below a path of another application."""
    async with host_for(app, clock=ManualClock()) as host:
        outer = Starlette(routes=[Mount("/objects", host.asgi)])
        async with client_of(outer) as client:
            answer = await client.get("/objects/greeter/ann")
            assert answer.text == "hello ann /objects/greeter/ann"


async def test_an_app_needs_its_lifespan_and_passes_it_on(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The host opens before `main` starts and closes after it has stopped."""
    events: list[str] = []

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        events.append("starts")
        yield
        events.append("stops")

    main = Starlette(routes=[Route("/hi/{name}", greet)], lifespan=lifespan)
    ours = App(name="main", bindings={"GREETER": Greeter}, vars={"GREETING": "hi"}, main=main)
    monkeypatch.setenv("ROOMHOST_DATA_DIR", str(tmp_path / "state"))
    with pytest.raises(RuntimeError, match="needs the server's lifespan"):
        async with client_of(ours) as client:
            await client.get("/hi/ann")

    async def receive() -> dict[str, Any]:
        if not events:
            return {"type": "lifespan.startup"}
        async with client_of(ours) as client:
            events.append((await client.get("/hi/ann")).json())
        seen.append(local.exists())
        return {"type": "lifespan.shutdown"}

    async def send(message: Any) -> None:
        events.append(message["type"])

    # Commands reach it there: `roomhost objects`.
    local, seen = tmp_path / "state" / SOCKET_FILE, list[bool]()
    await ours({"type": "lifespan", "asgi": {}, "state": {}}, receive, send)
    assert events == [
        "starts",
        "lifespan.startup.complete",
        "hi ann",
        "stops",
        "lifespan.shutdown.complete",
    ]
    assert seen == [isinstance(current_backend(), AsyncioBackend)]
    assert not local.exists()


async def test_a_host_that_is_stopping_lives_and_is_not_ready() -> None:
    """So that a balancer sends its requests elsewhere, and nobody kills it."""
    async with host_for(app) as host, client_of(host.asgi) as client:
        assert (await client.get("/readyz")).text == "ok"
        host.refuse()
        answer = await client.get("/readyz")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert (await client.get("/healthz")).text == "ok"


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"name": "", "bindings": {}}, ValueError, "has a name"),
        ({"name": "x", "bindings": {"a-b": Greeter}}, ValueError, "letters, digits and _"),
        ({"name": "x", "bindings": {"A": object}}, TypeError, "subclass of DurableObject"),
        (
            {"name": "x", "bindings": {"A": Greeter}, "vars": {"A": 1}},
            ValueError,
            "a binding and a variable",
        ),
        (
            {"name": "x", "bindings": {}, "unique_keys": {"A": "k"}},
            ValueError,
            "which is no binding",
        ),
    ],
)
def test_what_cannot_be_bound_is_refused(arguments: Any, error: Any, match: str) -> None:
    """When the application is made, not when it is called."""
    with pytest.raises(error, match=match):
        App(**arguments)


def test_a_host_that_does_not_run_says_so() -> None:
    """Instead of failing somewhere inside."""
    host = Host(app, data_dir="nowhere")
    with pytest.raises(HostError, match="async with Host"):
        host.statistics()
