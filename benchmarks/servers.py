"""The servers that the rows of the network measure beside each other, each a process of its own."""

from __future__ import annotations

import shutil
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from . import children, workerd

HERE = Path(__file__).parent
SOCKET_IO_SCRIPT = HERE / "socket_io.mjs"
ACTORS = workerd.Script("workerd_network.js", {"ECHO": "Echo", "FAN_OUT": "FanOut"})


@dataclass(frozen=True, slots=True)
class Serving:
    """A server that runs: its process, its port of 127.0.0.1."""

    pid: int
    port: int


@dataclass(frozen=True, slots=True)
class Server:
    """A server. `missing()`: why it cannot be started here, or nothing. `started(directory)`: it, in
    that directory, until the block ends."""

    name: str
    missing: Callable[[], str]
    started: Callable[[Path], AbstractAsyncContextManager[Serving]]


def nothing_missing() -> str:
    """What comes with us is here."""
    return ""


def without_socket_io() -> str:
    """Why Socket.IO cannot be started."""
    if shutil.which("node") is None:
        return "node is not installed"

    if not (HERE / "node_modules/socket.io").exists():
        return "socket.io is not installed: npm install --prefix benchmarks"

    return ""


@asynccontextmanager
async def ours(directory: Path) -> AsyncGenerator[Serving]:
    """Ours, with its data there."""
    async with by_command(children.module("serve_ours", str(directory))) as serving:
        yield serving


@asynccontextmanager
async def raw_uvicorn(directory: Path) -> AsyncGenerator[Serving]:
    """The floor."""
    async with by_command(children.module("raw_uvicorn")) as serving:
        yield serving


@asynccontextmanager
async def socket_io(directory: Path) -> AsyncGenerator[Serving]:
    """Socket.IO, which keeps nothing."""
    async with by_command(["node", str(SOCKET_IO_SCRIPT)]) as serving:
        yield serving


@asynccontextmanager
async def by_workerd(directory: Path) -> AsyncGenerator[Serving]:
    """workerd, with its objects there."""
    async with workerd.started(directory, script=ACTORS) as process:
        yield Serving(process.pid, process.port)


@asynccontextmanager
async def by_command(command: list[str]) -> AsyncGenerator[Serving]:
    """What says its port first."""
    async with children.started(command) as child:
        yield Serving(child.pid, (await child.answer())["port"])


OURS = Server("ours", nothing_missing, ours)
WORKERD = Server(workerd.NAME, workerd.missing, by_workerd)
RAW = Server("raw uvicorn", nothing_missing, raw_uvicorn)
SOCKET_IO = Server("Socket.IO", without_socket_io, socket_io)
