"""The servers of documents that are measured beside each other, and how each is started.

`python -m benchmarks.yjs_peers NAME DIRECTORY` is one in a process of its own, on a free port of
127.0.0.1: it says which, as a line of JSON. All are served by uvicorn on uvloop, but y-websocket.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import shutil
import socket
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import anyio
import uvicorn
import uvloop

from roomhost.actors import realtime
from roomhost.bindings import App
from roomhost.runtime import Host
from roomhost.runtime.server import Server
from roomhost.runtime.settings import make_settings

from . import children
from .serve_ours import KEY

NEVER_SECONDS = 86_400  # that a room may be idle: it is evicted when the benchmark says so
HERE = Path(__file__).parent
Y_WEBSOCKET = HERE / "y_websocket.mjs"

app = App(name="bench", bindings={"COLLAB": realtime(name="collab")})


@dataclass(frozen=True, slots=True)
class Peer:
    """A server. `path`: what comes before the name of a document. `missing`: why it cannot be
    started here, or nothing."""

    name: str
    path: str
    missing: Callable[[], str]
    command: Callable[[Path], list[str]]


def with_pycrdt() -> str:
    """Why pycrdt-websocket cannot be started."""
    if find_spec("pycrdt.websocket") and find_spec("pycrdt.store"):
        return ""

    return "pycrdt-websocket is not installed: pip install --group bench"


def with_node() -> str:
    """Why y-websocket cannot be started."""
    if shutil.which("node") is None:
        return "node is not installed"

    if not (HERE / "node_modules/@y/websocket-server").exists():
        return "@y/websocket-server is not installed: npm install --prefix benchmarks"

    return ""


def own(name: str) -> Callable[[Path], list[str]]:
    """The command that starts one of Python's."""
    return lambda directory: children.module("yjs_peers", name, str(directory))


def as_served(directory: Path) -> list[str]:
    """The command that starts ours as `roomhost serve` does."""
    return children.module("serve_ours", str(directory))


OURS, PYCRDT, PYCRDT_SQLITE, Y_WEBSOCKET_NAME = (
    "ours",
    "pycrdt-websocket",
    "pycrdt-websocket, SQLite",
    "y-websocket",
)
EVICTABLE = own(OURS)  # ours, which drops its rooms when it is told to
PEERS = (
    Peer(OURS, "/realtime/collab/yjs/", lambda: "", as_served),
    Peer(PYCRDT, "/", with_pycrdt, own(PYCRDT)),
    Peer(PYCRDT_SQLITE, "/", with_pycrdt, own(PYCRDT_SQLITE)),
    Peer(Y_WEBSOCKET_NAME, "/", with_node, lambda directory: ["node", str(Y_WEBSOCKET)]),
)


async def serve_ours(directory: Path) -> None:
    """A host: what it sends is on disk."""
    settings = make_settings(
        {"data_dir": str(directory), "api_keys": [KEY], "idle_eviction_seconds": NEVER_SECONDS}
    )
    with listening() as listener:
        async with Host(app, settings=settings) as host:

            async def answer(command: dict[str, Any]) -> dict[str, Any]:
                assert command == {"do": "evict"}
                return {"evicted": await evict_all(host)}

            server = Server(host, lambda: say_port(listener))
            await serve(server, listener, answer)


async def evict_all(host: Host) -> int:
    """Drop every room from memory, its sockets stay; how many. What is free then goes back to the
    system, which the allocator would keep for the next rooms."""
    evicted = 0
    for found in host.list_objects("COLLAB.rooms"):
        evicted += await host.evict(host.env.COLLAB.stub("room", found.name))
    gc.collect()
    with contextlib.suppress(AttributeError):  # of another C library
        ctypes.CDLL(None).malloc_trim(0)
    return evicted


async def serve_pycrdt(directory: Path, stored: bool) -> None:
    """pycrdt-websocket as its documentation shows it; or with its store, which writes beside."""
    package: Any = importlib.import_module("pycrdt.websocket")
    websocket_server = package.WebsocketServer()
    if stored:
        store = await sqlite_store(directory)
        websocket_server.get_room = stored_rooms(websocket_server, store)

    config = uvicorn.Config(
        package.ASGIServer(websocket_server), ws_per_message_deflate=False, log_level="warning"
    )
    with listening() as listener:
        async with websocket_server:
            say_port(listener)
            await serve(uvicorn.Server(config), listener, nothing)


async def sqlite_store(directory: Path) -> Callable[[str], Any]:
    """SQLiteYStore with its defaults, over a database that is there: made by two rooms at once, it
    takes what the other one does for an older version."""
    stores: Any = importlib.import_module("pycrdt.store")
    kind: Any = type("Store", (stores.SQLiteYStore,), {"db_path": str(directory / "updates.db")})
    async with kind("none") as store:
        await store.db_initialized.wait()
    made: Callable[[str], Any] = kind
    return made


def stored_rooms(
    websocket_server: Any, store: Callable[[str], Any]
) -> Callable[[str], Awaitable[Any]]:
    """How its server finds a room, with a store of each."""
    package: Any = importlib.import_module("pycrdt.websocket")

    async def get_room(name: str) -> Any:
        room = websocket_server.rooms.get(name)
        if room is None:
            room = websocket_server.rooms[name] = package.YRoom(ystore=store(name))
        await websocket_server.start_room(room)
        return room

    return get_room


def listening() -> socket.socket:
    """A socket on a free port."""
    return socket.create_server(("127.0.0.1", 0), backlog=2_048)


def say_port(listener: socket.socket) -> None:
    """It can be connected to."""
    children.say({"port": listener.getsockname()[1]})


async def serve(server: uvicorn.Server, listener: socket.socket, answer: children.Answer) -> None:
    """Until there are no more commands."""
    async with anyio.create_task_group() as group:
        group.start_soon(server.serve, [listener])
        await children.serve(answer)
        server.force_exit = server.should_exit = True


async def nothing(command: dict[str, Any]) -> dict[str, Any]:
    """It obeys no command."""
    raise ValueError(f"there is no command {command}")


async def main(name: str, directory: Path) -> None:
    """Serve that one."""
    if name == OURS:
        await serve_ours(directory)
    else:
        await serve_pycrdt(directory, stored=name == PYCRDT_SQLITE)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], Path(sys.argv[2])))
