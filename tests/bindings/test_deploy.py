"""A deploy as other processes, modules and `uvicorn demo:app` see it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest
from websockets.asyncio.client import connect as open_socket

from roomhost.actors import realtime
from roomhost.bindings import App, Migration, connect, current_env
from roomhost.runtime import DurableObject, DurableObjectError
from roomhost.runtime.running import running_hosts

from ..helpers.served import served
from ..helpers.versions import version

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend() -> Any:
    """A server has asyncio alone."""
    return ("asyncio", {"use_uvloop": True})


async def test_a_link_from_another_process_outlives_a_deploy() -> None:
    """Its stubs reach the new code, by whatever name it is bound; a name that is gone is an error of
    the call."""
    renamed = [Migration(tag="v1", renamed_classes={"Object": "Thing"})]
    async with served(version(1)) as (url, host), connect(url, api_key="key") as env:
        stub = env.OBJECT.get_by_name("a")
        assert await stub.note("one") == 1
        await host.deploy(version(2))
        assert await env.OBJECT.get_by_name("a").note("two") == 2
        await host.deploy(version(3, {"THING": "Thing"}, renamed))
        assert await stub.note("three") == 3
        with pytest.raises(DurableObjectError, match="this host has no binding 'OBJECT'"):
            await env.OBJECT.get_by_name("b").which()
        async with connect(url, api_key="key") as again:
            assert await again.THING.get_by_name("a").texts() == ["one@1", "two@2", "three@3"]


async def test_rooms_keep_members_messages_and_sockets_across_deploys() -> None:
    """A room's socket gets what is published after each; a module that is bound by another name keeps
    its rooms."""

    def app(binding: str) -> App:
        return App(name="rooms", bindings={binding: realtime(name="collab")})

    async with served(app("COLLAB")) as (url, host):
        path = f"{url.replace('http:', 'ws:')}/realtime/collab/rooms/lobby/ws"
        headers = {"authorization": "Bearer key"}
        async with open_socket(path, additional_headers=headers) as ws:
            await ws.recv()
            for number, binding in enumerate(("COLLAB", "COLLAB", "LIVE", "COLLAB")):
                deployed = await host.deploy(app(binding))
                assert deployed.resets == 0
                room = host.env[binding].room("lobby")
                await room.publish(type="chat", data={"number": number})
                assert f'"number":{number}' in str(await ws.recv())
            history = await room.history()
            assert [message.data["number"] for message in history.items] == [3, 2, 1, 0]


class Asking(DurableObject):
    """Looks for the `env` as a module's methods do, in code that runs while a deploy does."""

    seen: Any = None

    async def ask(self, opens: bool) -> tuple[bool, str]:
        if opens:
            GATES["begun"].set()
            await GATES["go"].wait()
        return current_env() is self.env, self.env.GREETING


GATES: dict[str, anyio.Event] = {}


async def test_code_of_an_old_instance_sees_the_env_that_it_was_made_with() -> None:
    """New instances and requests see the new one."""

    def app(greeting: str) -> App:
        bindings = {"ASKING": type("Asking", (Asking,), {})}
        return App(name="asking", bindings=bindings, vars={"GREETING": greeting})

    GATES.update(begun=anyio.Event(), go=anyio.Event())
    async with served(app("old")) as (_, host), anyio.create_task_group() as group:
        asked = host.env.ASKING.get_by_name("a").ask(True)
        await GATES["begun"].wait()
        group.start_soon(host.deploy, app("new"))
        while host.env.GREETING == "old":
            await anyio.lowlevel.checkpoint()
        GATES["go"].set()
        assert await asked == (True, "old")
        assert await host.env.ASKING.get_by_name("a").ask(False) == (True, "new")


@pytest.mark.parametrize("migrated", [False, True])
async def test_an_app_that_is_served_by_itself_refuses_orphans_and_takes_new_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, migrated: bool
) -> None:
    """As `uvicorn demo:app` runs it: the start fails with the line that cures it."""
    monkeypatch.setenv("ROOMHOST_DATA_DIR", str(tmp_path / "state"))

    async def live(app: App) -> list[str]:
        said: list[str] = []
        messages = [{"type": "lifespan.shutdown"}, {"type": "lifespan.startup"}]

        async def receive() -> Any:
            message = messages.pop()
            if message["type"] == "lifespan.shutdown":
                (host,) = running_hosts()
                binding = next(iter(host.namespaces))
                await host.env[binding].get_by_name("a").note("x")
                deployed = await host.deploy(app)
                said.append(f"deployed {deployed.instances}")
            return message

        async def send(message: Any) -> None:
            said.append(message.get("message") or message["type"])

        await app({"type": "lifespan", "asgi": {}, "state": {}}, receive, send)
        return said

    done = ["lifespan.startup.complete", "deployed 1", "lifespan.shutdown.complete"]
    assert await live(version(1)) == done
    migrations = [Migration(tag="v1", renamed_classes={"Object": "Other"})] if migrated else []
    said = await live(version(2, {"OBJECT": "Other"}, migrations))
    assert said == done if migrated else said[0].startswith("the class Object has 1 object here")
