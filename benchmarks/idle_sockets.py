"""`python -m benchmarks.idle_sockets`: opens WebSockets and holds them, in a process of its own."""

from __future__ import annotations

import asyncio
import resource
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import uvloop

from . import children, web_socket
from .load_run import all_of

FILES = 4_096  # that it may need to have open


@asynccontextmanager
async def held(urls: Sequence[str]) -> AsyncGenerator[None]:
    """A socket of each of these URLs is open, until the block ends."""
    async with children.started(children.module("idle_sockets")) as child:
        await child.ask(urls=list(urls))
        yield


async def answer(command: dict[str, Any]) -> dict[str, Any]:
    """Open them."""
    await all_of(partial(web_socket.connect, url, asyncio.Protocol()) for url in command["urls"])
    return {"open": len(command["urls"])}


def allow_files() -> None:
    """Let a process have many sockets, as far as it may; those it starts may too."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < FILES:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(FILES, hard), hard))


if __name__ == "__main__":
    allow_files()
    uvloop.run(children.serve(answer))
