"""The current request and the current `env`: where they hold, and where they must not."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, ClassVar

import anyio
import anyio.to_thread
import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request as PageRequest
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.websockets import WebSocket as Socket

from roomhost.bindings import App, RequestContext, current_env, current_request
from roomhost.runtime import DurableObject, Host, HostError, Request, Response
from roomhost.runtime.testing import ManualClock, host_for

from ..helpers.tally import Tally

pytestmark = pytest.mark.anyio
ABSENT = RuntimeError("no request is current here")


def seen() -> list[str]:
    """The path of the current request, and the name in the current environment."""
    request = current_request()
    return ["" if request is None else request.scope["path"], current_env().NAME]


class Watcher(DurableObject):
    """Says what is current in its own code, at every place where code of its runs."""

    noted: ClassVar[list[Any]] = []

    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self.at_start = seen()

    async def look(self) -> list[list[str]]:
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.lowlevel.checkpoint)
        await self.ctx.storage.put("n", 1)
        self.ctx.wait_until(self.later())
        return [self.at_start, seen(), await anyio.to_thread.run_sync(seen)]

    async def later(self) -> None:
        Watcher.noted.append(seen())

    async def fetch(self, request: Request) -> Response:
        return Response(self.chunks())

    async def chunks(self) -> AsyncIterator[bytes]:
        for _ in range(2):
            yield f"{seen()} ".encode()
            await self.ctx.storage.put("n", 2)


@pytest.fixture(autouse=True)
def nothing_noted() -> None:
    """Nothing of another test."""
    Watcher.noted.clear()


async def look(_: PageRequest) -> JSONResponse:
    """What is current in a handler, its tasks and its threads, and what the actor it asks sees."""
    found = [seen(), await anyio.to_thread.run_sync(seen)]

    async def child() -> None:
        await anyio.lowlevel.checkpoint()
        found.append(seen())

    async with anyio.create_task_group() as group:
        group.start_soon(child)
    actor = await current_env().WATCHER.get_by_name("a").look()
    return JSONResponse({"main": found, "actor": actor, "after": seen()})


def look_in_thread(_: PageRequest) -> JSONResponse:
    """A handler that Starlette runs in a thread."""
    return JSONResponse(seen())


async def stream(_: PageRequest) -> StreamingResponse:
    """A body that is made while it is sent, one half of it by an actor."""
    answer = await current_env().WATCHER.get_by_name("a").fetch("http://x/")

    async def chunks() -> AsyncIterator[bytes]:
        yield f"{seen()} ".encode()
        async for chunk in answer.stream():
            yield chunk
        yield f"{seen()} ".encode()

    return StreamingResponse(chunks())


async def socket(ws: Socket) -> None:
    """A WebSocket of `main`."""
    await ws.accept()
    await ws.send_json(seen())
    await ws.close()


def main_app() -> Starlette:
    """The `main` of the tests."""
    return Starlette(
        routes=[
            Route("/look", look),
            Route("/thread", look_in_thread),
            Route("/stream", stream),
            WebSocketRoute("/socket", socket),
        ]
    )


def app_of(main: Any, name: str = "one", **modules: Any) -> App:
    """An application with a `NAME` of its own."""
    return App(name=name, bindings={"WATCHER": Watcher, **modules}, vars={"NAME": name}, main=main)


def client_of(asgi: Any) -> httpx.AsyncClient:
    """A client without a network."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(asgi), base_url="http://test")


async def ask(asgi: Any, path: str) -> None:
    """Have a request answered by an application that says nothing."""
    await asgi({"type": "http", "path": path, "headers": []}, None, None)


async def test_a_handler_of_main_and_all_it_starts_are_in_the_request() -> None:
    """Tasks and threads too; the actor that it asks is in none; nothing is left afterwards."""
    async with host_for(app_of(main_app()), clock=ManualClock()) as host:
        async with client_of(host.asgi) as client:
            found = (await client.get("/look")).json()
            assert found["main"] == [["/look", "one"]] * 3
            assert found["actor"] == [["", "one"]] * 3
            assert found["after"] == ["/look", "one"]
            assert (await client.get("/thread")).json() == ["/thread", "one"]
        await host.settle()
        assert Watcher.noted == [["", "one"]]
        assert seen() == ["", "one"]


async def test_each_half_of_a_body_is_in_its_own() -> None:
    """What the actor makes of it in the actor's, what the handler makes in the request's."""
    async with host_for(app_of(main_app()), clock=ManualClock()) as host:
        async with client_of(host.asgi) as client:
            text = (await client.get("/stream")).text
    handler, actor = ["/stream", "one"], ["", "one"]
    assert text == f"{handler} {actor} {actor} {handler} "


async def test_a_web_socket_of_main_is_a_request() -> None:
    """As long as its handler runs."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message.get("text"))

    scope = {"type": "websocket", "path": "/socket", "headers": [], "subprotocols": []}
    async with host_for(app_of(main_app()), clock=ManualClock()) as host:
        await host.asgi(scope, receive, send)
        assert current_request() is None
    assert sent == [None, '["/socket","one"]', None]


async def test_the_context_has_the_scope_and_the_host() -> None:
    """The scope is that of the handler, with the environment in its state."""
    found: list[Any] = []

    async def main(scope: Any, receive: Any, send: Any) -> None:
        found.append((current_request(), scope))
        raise ABSENT

    async with host_for(app_of(main), clock=ManualClock()) as host:
        async with client_of(host.asgi) as client:
            with pytest.raises(RuntimeError, match="no request"):
                await client.get("/")
        assert current_request() is None
        ((request, scope),) = found
        assert isinstance(request, RequestContext)
        assert request.scope is scope
        assert request.host is host
        assert request.env is host.env is scope["state"]["env"]


async def test_requests_at_once_do_not_meet() -> None:
    """Each has its own, whatever runs in between; so have the requests of two hosts."""
    arrived: list[str] = []
    everyone = anyio.Event()
    found: dict[str, list[str]] = {}

    async def main(scope: Any, receive: Any, send: Any) -> None:
        arrived.append(scope["path"])
        if len(arrived) == 8:
            everyone.set()
        await everyone.wait()
        found[scope["path"]] = seen()

    async with (
        host_for(app_of(main), clock=ManualClock()) as one,
        host_for(app_of(main, "two"), clock=ManualClock()) as two,
    ):
        with anyio.fail_after(5):
            async with anyio.create_task_group() as group:
                for number in range(4):
                    group.start_soon(ask, one.asgi, f"/{number}/one")
                    group.start_soon(ask, two.asgi, f"/{number}/two")
    assert found == {
        f"/{n}/{name}": [f"/{n}/{name}", name] for n in range(4) for name in ("one", "two")
    }


async def test_a_host_that_starts_in_a_request_does_not_take_it_along() -> None:
    """Its actors have no request, and their own host's environment."""
    found: list[Any] = []

    async def main(scope: Any, receive: Any, send: Any) -> None:
        async with host_for(app_of(None, "inner"), clock=ManualClock()) as inner:
            found.append(await inner.env.WATCHER.get_by_name("a").look())
            found.append(seen())

    async with host_for(app_of(main, "outer"), clock=ManualClock()) as outer:
        await ask(outer.asgi, "/outer")
    assert found == [[["", "inner"]] * 3, ["/outer", "outer"]]


async def test_a_request_that_an_actor_sends_is_one() -> None:
    """Within the process; back in the actor it is over."""

    class Caller(DurableObject):
        async def look(self) -> list[Any]:
            async with client_of(host.asgi) as client:
                return [(await client.get("/look")).json()["main"][0], seen()]

    app = App(
        name="one",
        bindings={"WATCHER": Watcher, "CALLER": Caller},
        vars={"NAME": "one"},
        main=main_app(),
    )
    async with host_for(app, clock=ManualClock()) as host:
        found = await host.env.CALLER.get_by_name("a").look()
        assert found == [["/look", "one"], ["", "one"]]


async def test_a_mounted_host_is_the_one_of_its_requests() -> None:
    """In a bigger application, beside a host of its own; the rest of that is in no request."""
    outside: list[Any] = []

    async def elsewhere(_: PageRequest) -> JSONResponse:
        outside.append(current_request())
        return JSONResponse(seen())

    async with (
        host_for(app_of(main_app()), clock=ManualClock()) as one,
        host_for(app_of(main_app(), "two"), clock=ManualClock()) as two,
    ):
        routes = [Mount("/1", one.asgi), Mount("/2", two.asgi), Route("/look", elsewhere)]
        async with client_of(Starlette(routes=routes)) as client:
            assert (await client.get("/1/look")).json()["after"] == ["/1/look", "one"]
            assert (await client.get("/2/look")).json()["actor"][1] == ["", "two"]
            with pytest.raises(HostError, match="several hosts run here"):
                await client.get("/look")
    assert outside == [None]


async def test_a_module_answers_in_no_request() -> None:
    """Not even in that of a `main` which its host is mounted in."""
    found: list[Any] = []

    class Looking(Tally):
        def asgi(self, host: Host, bound: Any) -> Any:
            async def answer(scope: Any, receive: Any, send: Any) -> None:
                found.append(current_request())

            return answer

    async with host_for(app_of(None, TALLY=Looking("a")), clock=ManualClock()) as inner:
        async with host_for(app_of(inner.asgi, "outer"), clock=ManualClock()) as outer:
            await ask(outer.asgi, "/tally/a")
    assert found == [None]


async def test_outside_of_everything_it_is_the_only_host(tmp_path: Path) -> None:
    """From its start to its end, also when that is a crash; of an application with bindings."""

    def refused(match: str) -> None:
        with pytest.raises(HostError, match=match):
            current_env()

    refused("no host runs here: use this inside")
    async with host_for(App(name="bare", bindings={}, vars={"NAME": "x"}), clock=ManualClock()):
        refused("no host runs here")
        async with host_for(app_of(None), clock=ManualClock()) as one:
            assert current_env() is one.env
            assert await anyio.to_thread.run_sync(current_env) is one.env
            async with host_for(app_of(None, "two"), clock=ManualClock()):
                refused("several hosts run here: use the env of the one that is meant")
            assert seen() == ["", "one"]
        refused("no host runs here")
        async with host_for(app_of(None), clock=ManualClock()) as one:
            await one.crash()
            refused("no host runs here")


def test_a_host_of_another_event_loop_is_not_meant() -> None:
    """Its objects cannot be called from here."""

    async def inside() -> None:
        async with host_for(app_of(None), clock=ManualClock()):

            async def other() -> str:
                with pytest.raises(HostError, match="no host runs here"):
                    current_env()
                return "refused"

            assert await anyio.to_thread.run_sync(anyio.run, other) == "refused"

    anyio.run(inside)


def test_any_asgi_server_can_run_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As in `uvicorn demo:app`: the host starts and stops with the server."""
    monkeypatch.setenv("ROOMHOST_DATA_DIR", str(tmp_path / "state"))
    config = uvicorn.Config(
        app_of(main_app(), TALLY=Tally("a")), port=0, log_level="error", lifespan="on"
    )

    class QuietServer(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Any:
            yield

        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            started.set()

    async def use() -> None:
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(server.serve())
            await started.wait()
            port = server.servers[0].sockets[0].getsockname()[1]
            try:
                async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
                    found = (await client.get("/look")).json()
                    assert found["main"] == [["/look", "one"]] * 3
                    assert found["actor"] == [["", "one"]] * 3
                    assert (await client.get("/thread")).json() == ["/thread", "one"]
                    assert (await client.get("/tally/a/x")).json()["n"] == 1
            finally:
                server.should_exit = True
            await serving
        with pytest.raises(HostError, match="no host runs here"):
            current_env()

    server = QuietServer(config)
    started = asyncio.Event()
    asyncio.run(use())
