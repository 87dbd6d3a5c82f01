"""The lifespan of an `App`: the host is open before the application starts, and closed after it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette

from roomhost.bindings import App
from roomhost.runtime import DurableObject
from roomhost.runtime.running import running_hosts

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def data_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where the host of a test stores."""
    monkeypatch.setenv("ROOMHOST_DATA_DIR", str(tmp_path / "state"))


def main_of(starts: Callable[[], object], stops: Callable[[], object]) -> Starlette:
    """An application that calls these when it starts and when it stops."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        starts()
        yield
        stops()

    return Starlette(lifespan=lifespan)


async def live(main: Any) -> list[tuple[str, int]]:
    """Run an `App` as a server does: what it says, and how many hosts run when it says that."""
    said: list[tuple[str, int]] = []
    messages = [{"type": "lifespan.shutdown"}, {"type": "lifespan.startup"}]

    async def receive() -> dict[str, Any]:
        return messages.pop()

    async def send(message: Any) -> None:
        said.append((message["type"].removeprefix("lifespan."), len(running_hosts())))

    app = App(name="app", bindings={"OBJECT": DurableObject}, main=main)
    try:
        await app({"type": "lifespan", "asgi": {}, "state": {}}, receive, send)
    except ZeroDivisionError:
        said.append(("raised", len(running_hosts())))
    return said


def fail() -> None:
    """An application's mistake."""
    raise ZeroDivisionError


async def without_lifespan(scope: Any, receive: Any, send: Any) -> None:
    """An application that raises when it is asked, as the specification allows."""
    raise NotImplementedError


@pytest.mark.parametrize(
    "main", [None, main_of(int, int), without_lifespan], ids=["none", "main", "unsupported"]
)
async def test_the_server_is_told_when_the_host_has_stopped(main: Any) -> None:
    """It ends the process then; everything is on disk."""
    assert await live(main) == [("startup.complete", 1), ("shutdown.complete", 0)]


async def test_the_host_stops_when_the_application_fails_to() -> None:
    """And the server is told of the failure."""
    assert await live(main_of(int, fail)) == [("startup.complete", 1), ("shutdown.failed", 0)]


async def test_an_application_that_does_not_start_stops_the_host() -> None:
    """The server hears it from the application."""
    assert await live(main_of(fail, int)) == [("startup.failed", 1), ("raised", 0)]


async def test_a_host_that_does_not_start_is_a_failed_start(tmp_path: Path) -> None:
    """The application is not asked."""
    (tmp_path / "state").touch()
    assert await live(main_of(fail, fail)) == [("startup.failed", 0)]
