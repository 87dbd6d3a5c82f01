"""What a server and its callers are told to do: the same for all of them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class Work:
    """Steps of `callers` that each do one after the other, over `rooms` objects in turn, beginning
    with the one numbered `first`, `stride` apart: for so many seconds or, where it is given, this
    count.

    `increment` adds one in memory, `store` puts 100 bytes, `read` gets what the first `store` of an
    object put, `ring` sets its alarm: that of step n is due `spread_ms * n / count` after `due_ms`.
    """

    do: Literal["increment", "store", "read", "ring"]
    callers: int = 1
    rooms: int = 1
    seconds: float = 0.0
    count: int = 0
    first: int = 0
    stride: int = 1
    due_ms: int = 0
    spread_ms: int = 0

    def due_of(self, step: int) -> int:
        """When an alarm is due, in milliseconds since the epoch."""
        return self.due_ms + step * self.spread_ms // self.count


class Worker(Protocol):
    """A server with its callers."""

    @property
    def pid(self) -> int:
        """Of the process that was started."""
        ...

    async def run(self, work: Work) -> int:
        """Do it; how many steps that were."""
        ...


async def rate_of(worker: Worker, work: Work) -> tuple[float, int]:
    """Steps per second, and how many there were."""
    begun = time.perf_counter()
    done = await worker.run(work)
    return done / (time.perf_counter() - begun), done
