"""What ours is measured beside where callers are within the server: those that can be started."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

from . import durable_actors_peer, workerd
from .measure import Figure, skipped
from .work import Worker

WORKERD = workerd.NAME
DURABLE_ACTORS = durable_actors_peer.NAME
MAX_CALLERS = {DURABLE_ACTORS: 1}  # more of them measure its HTTP client


async def started(stack: AsyncExitStack, directory: Path) -> tuple[dict[str, Worker], list[Figure]]:
    """The ones that are there, until the stack ends, and figures that say why the others are not."""
    workers: dict[str, Worker] = {}
    absent: list[Figure] = []
    for peer in (workerd, durable_actors_peer):
        if reason := peer.missing():
            absent.append(skipped(peer.NAME, reason))
        else:
            workers[peer.NAME] = await stack.enter_async_context(
                peer.started(directory / peer.NAME)
            )
    return workers, absent
