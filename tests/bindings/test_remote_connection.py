"""`connect`: who may, what happens when the connection or the host is gone, and its ends."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from roomhost.bindings import connect
from roomhost.runtime import DurableObjectError, HostError, OverloadedError, limits
from roomhost.runtime.testing import host_for

from ..helpers.host_process import REPOSITORY, HostProcess
from ..helpers.remote_app import app, connected
from ..helpers.scripted import script
from ..helpers.served import served, serving

pytestmark = pytest.mark.anyio
APPLICATION = "tests.helpers.remote_app:app"
KEY = {"ROOMHOST_API_KEYS": "old,key"}


@pytest.fixture(scope="module", params=[False, True], ids=["asyncio", "asyncio+uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """A server has asyncio alone."""
    return ("asyncio", {"use_uvloop": request.param})


def link_of(env: Any) -> Any:
    """The connection that is in use."""
    return env.STATION.get_by_name("any").__channel__._find_link()


async def cut(env: Any) -> None:
    """Lose the connection as a network does: without a close frame."""
    link = link_of(env)
    link.socket.transport.abort()
    await asyncio.wait((link._main,))


@pytest.mark.parametrize("key", ["old", "new"])
async def test_any_of_the_keys_will_do(key: str) -> None:
    """So that one can be replaced while the other is in use."""
    async with (
        served(app, api_keys=("old", "new")) as (url, _),
        connect(url, api_key=key) as env,
    ):
        assert await env.STATION.get_by_name("a").note(1) == 1


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (("key", "other"), "refuses this API key: an API key of this host is needed"),
        ((), "it has no API key: set api_keys in roomhost.toml, or the variable ROOMHOST_API_KEYS"),
        (("",), "it has no API key"),
    ],
    ids=["wrong", "none", "empty"],
)
async def test_a_wrong_key_is_told_what_to_do(
    keys: tuple[str, ...], message: str, caplog: pytest.LogCaptureFixture
) -> None:
    """When connecting, and it is no error of the host."""
    caplog.set_level(logging.WARNING)
    async with served(app, api_keys=keys) as (url, _):
        with pytest.raises(HostError, match=message):
            async with connect(url, api_key="wrong"):
                pass
    assert caplog.records == []


@pytest.mark.parametrize(
    ("path", "headers", "status", "text"),
    [
        ("/_rpc/v1", {}, 401, "an API key of this host is needed"),
        ("/_rpc/v1", {"authorization": "Bearer nope"}, 401, "an API key"),
        ("/_rpc/v1", {"authorization": "Basic key"}, 401, "an API key"),
        ("/_rpc/v1", {"authorization": "Bearer key"}, 426, "use connect"),
        ("/_rpc/v2", {"authorization": "Bearer key"}, 404, "go to /_rpc/v1"),
        ("/_rpc/", {}, 401, "an API key"),
    ],
)
async def test_a_plain_request_is_refused_with_a_problem(
    path: str, headers: dict[str, str], status: int, text: str
) -> None:
    """As RFC 9457 has it; nothing under the prefix reaches the application."""
    async with host_for(app, api_keys=("key",)) as host:
        transport = httpx.ASGITransport(host.asgi)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            answer = await client.post(path, headers=headers, content=b"anything")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert ("www-authenticate" in answer.headers) == (status == 401)
    problem = answer.json()
    assert (problem["status"], problem["retryable"]) == (status, False)
    assert text in problem["message"]
    assert problem["message"] == problem["detail"]


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("127.0.0.1:8787", "key"),
        ("ftp://host", "key"),
        ("http://", "key"),
        ("http://user:secret@host", "key"),
        ("http://host/?a=b", "key"),
        ("http://host", ""),
        ("http://host", "two\r\nlines"),
        ("http://host", "größe"),
    ],
)
def test_what_is_no_url_or_no_key_is_refused_at_once(url: str, key: str) -> None:
    """A ValueError, before anything is sent."""
    with pytest.raises(ValueError, match=r"URL of a host|an API key is"):
        connect(url, api_key=key)


def test_it_needs_asyncio() -> None:
    """And says so on trio."""

    async def main() -> None:
        with pytest.raises(HostError, match="needs asyncio"):
            await connect("http://127.0.0.1:1", api_key="key").open()

    anyio.run(main, backend="trio")


async def test_it_works_without_a_with() -> None:
    """`open` and `close`; closed, its stubs say so; it can be opened again."""
    async with served(app) as (url, _):
        remote = connect(url, api_key="key")
        assert repr(remote) == f"<RemoteHost {url} [closed]>"
        env: Any = await remote.open()
        with pytest.raises(HostError, match="open already"):
            await remote.open()
        stub = env.STATION.get_by_name("a")
        assert await stub.note(1) == 1
        await remote.close()
        await remote.close()
        with pytest.raises(HostError, match="connection is closed"):
            await stub.note(2)
        env = await remote.open()
        assert await stub.notes() == [1]
        await remote.close()


async def test_what_was_called_is_sent_before_the_end() -> None:
    """Leaving the block does not swallow a call; whoever still waits gets a retryable error."""
    done = anyio.Event()

    @script
    async def last(actor: Any) -> None:
        done.set()
        await anyio.sleep_forever()

    async with served(app) as (url, host):
        async with connect(url, api_key="key") as env:
            call = asyncio.ensure_future(env.STATION.get_by_name("a").run("last"))
        with pytest.raises(DurableObjectError, match="connection lost") as lost:
            await call
        assert lost.value.retryable
        await done.wait()
        await host.abort_all()


async def test_a_host_below_a_path_is_found_there() -> None:
    """The URL has the path that it is mounted at."""
    from starlette.applications import Starlette
    from starlette.routing import Mount

    async with host_for(app, api_keys=("key",)) as host:
        host._asgi = Starlette(routes=[Mount("/objects", host.asgi)])
        async with (
            serving(host) as (url, _),
            connect(f"{url}/objects/", api_key="key") as env,
        ):
            assert await env.STATION.get_by_name("a").note(1) == 1


async def test_a_lost_connection_fails_what_is_in_flight_and_the_next_call_connects_again() -> None:
    """The error is retryable: it may have run. The handler runs on; the same stub works."""
    begun, go_on, ended = anyio.Event(), anyio.Event(), anyio.Event()

    @script
    async def slow(actor: Any) -> None:
        begun.set()
        await go_on.wait()
        actor.seen.append("went on")
        ended.set()

    async with connected() as (env, _):
        stub = env.STATION.get_by_name("a")
        calls = [asyncio.ensure_future(stub.run("slow")), asyncio.ensure_future(stub.note(1))]
        await begun.wait()
        assert await calls[1] == 1
        await cut(env)
        with pytest.raises(DurableObjectError, match="Network connection lost") as lost:
            await calls[0]
        assert (lost.value.retryable, lost.value.durable_object_reset) == (True, False)
        go_on.set()
        await ended.wait()
        assert await stub.notes() == [1, "went on"]


async def test_a_broken_stub_stays_broken_over_a_new_connection() -> None:
    """A lost connection heals nothing."""
    async with connected() as (env, _):
        stub = env.STATION.get_by_name("a")
        with pytest.raises(DurableObjectError, match="told to"):
            await stub.abort()
        await cut(env)
        with pytest.raises(DurableObjectError, match="told to") as again:
            await stub.notes()
        assert again.value.durable_object_reset
        assert await env.STATION.get_by_name("a").notes() == []


async def test_a_host_that_is_down_is_a_retryable_error_until_it_is_back(tmp_path: Path) -> None:
    """Calls fail one by one, each connects anew; so does connecting."""
    async with host_for(app, data_dir=tmp_path, api_keys=("key",)) as host:
        async with serving(host) as (url, _):
            remote = connect(url, api_key="key")
            env: Any = await remote.open()
            stub = env.STATION.get_by_name("a")
            assert await stub.increment() == 1
    for call in (stub.increment(), stub.increment(), connect(url, api_key="key").open()):
        with pytest.raises(DurableObjectError, match="cannot reach") as refused:
            await call
        assert refused.value.retryable
    port = int(url.rpartition(":")[2])
    async with host_for(app, data_dir=tmp_path, api_keys=("other",)) as host:
        async with serving(host, port):
            with pytest.raises(HostError, match="refuses this API key"):
                await stub.increment()
    async with host_for(app, data_dir=tmp_path, api_keys=("key",)) as host:
        async with serving(host, port):
            assert await stub.increment() == 2
            await remote.close()


async def test_a_host_that_stops_answers_what_is_in_flight() -> None:
    """Then it closes; what is called meanwhile is refused, retryable."""
    begun, go_on = anyio.Event(), anyio.Event()

    @script
    async def slow(actor: Any) -> str:
        begun.set()
        await go_on.wait()
        return "done"

    async with host_for(app, api_keys=("key",)) as host, serving(host) as (url, server):
        async with connect(url, api_key="key") as env:
            stub = env.STATION.get_by_name("a")
            slow_call = asyncio.ensure_future(stub.run("slow"))
            await begun.wait()
            server.stop()
            with pytest.raises(DurableObjectError, match="host is stopping") as refused:
                await stub.note(1)
            assert refused.value.retryable
            go_on.set()
            assert await slow_call == "done"
            await asyncio.wait((link_of(env)._main,))


async def test_too_many_calls_at_once_are_refused_and_the_rest_is_answered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`OverloadedError`, on either side, and nothing of that call runs."""
    async with connected() as (env, _):
        stub = env.STATION.get_by_name("a")
        monkeypatch.setattr(limits, "MAX_REMOTE_CALLS", 5)
        calls = [stub.note(number) for number in range(7)]
        for call in calls[5:]:
            with pytest.raises(OverloadedError, match="too many calls are in flight"):
                await call
        assert [await call for call in calls[:5]] == [0, 1, 2, 3, 4]
        monkeypatch.setattr(limits, "MAX_REMOTE_ARGUMENT_BYTES", 100)
        with pytest.raises(OverloadedError, match="too many calls are in flight") as refused:
            await stub.note(bytes(101))
        assert refused.value.overloaded
        assert await stub.notes() == [0, 1, 2, 3, 4]


async def test_stubs_are_bounded_for_each_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only of those that somebody holds."""
    monkeypatch.setattr(limits, "MAX_REMOTE_STUBS", 2)
    async with connected() as (env, _):
        stubs = [env.STATION.get_by_name(f"{number}") for number in range(3)]
        assert [await stub.note(1) for stub in stubs[:2]] == [1, 1]
        with pytest.raises(OverloadedError, match="at most 2 stubs"):
            await stubs[2].note(1)
        del stubs
        await anyio.lowlevel.checkpoint()
        assert await env.STATION.get_by_name("another").note(1) == 1


async def test_an_actor_can_call_a_host_elsewhere() -> None:
    """Its call leaves once what it wrote before is on disk, in order with those after it."""
    async with served(app) as (url, _), connect(url, api_key="key") as far:

        @script
        async def forward(actor: Any) -> Any:
            stub = far.STATION.get_by_name("far")
            await actor.ctx.storage.put("n", 5)
            first = stub.note("after the write")
            second = stub.note("second")
            return [await first, await second]

        async with connected() as (env, _):
            near = env.STATION.get_by_name("near")
            assert await near.run("forward") == ["after the write", "second"]
            assert await near.increment() == 6
        assert await far.STATION.get_by_name("far").notes() == ["after the write", "second"]


def run_client(url: str) -> list[str]:
    """The lines that a client in a process of its own says."""
    command = [sys.executable, "-m", "tests.helpers.remote_client", url]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=30)
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_two_other_processes_meet_in_one_object(tmp_path: Path) -> None:
    """Client and host are processes of their own; values, errors and ids agree."""
    with HostProcess(APPLICATION, tmp_path / "state", KEY) as host:
        first, second = run_client(host.url), run_client(host.url)
    assert (first[0], second[0]) == ("2", "4")
    assert first[1:] == second[1:]
    assert "[(1, 2.5), {b'x'}]" in first[1]
    assert first[2:4] == ["Strange 1 and 2 2", "POST http://x/path body"]
    assert len(first[4]) == 64


async def test_a_call_in_flight_survives_sigterm_and_the_client_a_kill(tmp_path: Path) -> None:
    """The host drains and exits 0; after `kill -9` the same stub reaches the host that came back."""
    begun, until = tmp_path / "begun", tmp_path / "until"
    host = HostProcess(APPLICATION, tmp_path / "state", KEY).start()
    async with connect(host.url, api_key="key") as env:
        stub = env.STATION.get_by_name("a")
        slow = asyncio.ensure_future(stub.slow(str(begun), str(until)))
        while not begun.exists():
            await anyio.lowlevel.checkpoint()
        os.kill(host.pid, signal.SIGTERM)
        await asyncio.to_thread(until.touch)
        assert await slow == 1
        assert await asyncio.to_thread(host.wait) == 0
        with pytest.raises(DurableObjectError) as down:
            await stub.increment()
        assert down.value.retryable
        host.start()
        assert await stub.increment() == 2
        until.unlink()
        slow = asyncio.ensure_future(stub.slow(str(begun), str(until)))
        await stub.note("it has begun")
        await asyncio.to_thread(host.kill)
        with pytest.raises(DurableObjectError, match="Network connection lost") as killed:
            await slow
        assert killed.value.retryable
        host.start()
        assert await stub.increment() == 3
    assert await asyncio.to_thread(host.stop) == 0
