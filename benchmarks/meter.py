"""How much the load generator and the server it drives computed while something was measured."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from . import children

LIMITED = 0.9  # share of the time at which the generator, not the server, is the limit
QUIET_SECONDS = 0.05  # between two looks at a server that has little left to do
QUIET_SHARE = 0.1  # of the time, that a server computes which has nothing to do
QUIET_TRIES = 60


class Meter:
    """From when it is made until `result`."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._own = time.process_time()
        self._server = children.cpu_seconds(pid)
        self._begun = time.perf_counter()

    def result(self, count: int) -> dict[str, Any]:
        """`rate`: a second, of so many things that happened in `seconds`. `busy`, `server`: processor
        time of either side, of the time that passed; the server's of all its threads. `limited`: it
        was the generator that could do no more."""
        elapsed = time.perf_counter() - self._begun
        busy = (time.process_time() - self._own) / elapsed
        return {
            "rate": count / elapsed,
            "seconds": elapsed,
            "busy": busy,
            "server": (children.cpu_seconds(self._pid) - self._server) / elapsed,
            "limited": busy >= LIMITED,
        }


async def quiet(pid: int) -> None:
    """Wait until a server has done what its clients left to do, so that it takes no time of what is
    measured next."""
    for _ in range(QUIET_TRIES):
        used = children.cpu_seconds(pid)
        await asyncio.sleep(QUIET_SECONDS)
        if children.cpu_seconds(pid) - used < QUIET_SECONDS * QUIET_SHARE:
            return
