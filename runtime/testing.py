"""For the tests of your own actors: a clock moved by hand, and a host on a temporary directory."""

from __future__ import annotations

import heapq
import itertools
from contextlib import asynccontextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import anyio

from .backend import current_backend
from .clock import Clock
from .host import Host
from .settings import make_settings
from .temporary import temporary_directory

__all__ = ("ManualClock", "host_for")

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
    from pathlib import Path

    from ..storage import Batch
    from .application import Application
    from .backend import Waiter

    CommitFunction = Callable[[Sequence[Batch]], None]
    Sleeper = tuple[int, int, Waiter]  # when, in which order they came, and who

DEFAULT_START_MS = 1_700_000_000_000


class ManualClock(Clock):
    """A clock that stands still until `advance`, or `step`. One task moves it, no other."""

    def __init__(self, start_ms: int = DEFAULT_START_MS) -> None:
        self._monotonic_ms = start_ms
        self._ahead_ms = 0  # of the wall clock, by its steps
        self._sleepers: list[Sleeper] = []
        self._wall_sleepers: list[Sleeper] = []
        self._order = itertools.count()
        self._settles: list[Callable[[], Awaitable[None]]] = []

    def now_ms(self) -> int:
        return self._monotonic_ms + self._ahead_ms

    async def sleep_until(self, when_ms: int) -> None:
        if when_ms > self.now_ms():
            await self._sleep(self._wall_sleepers, when_ms)

    def monotonic_ms(self) -> int:
        return self._monotonic_ms

    async def sleep_until_monotonic(self, when_ms: int) -> None:
        if when_ms > self._monotonic_ms:
            await self._sleep(self._sleepers, when_ms)

    async def advance(self, seconds: float) -> None:
        """Move time forward, waking sleepers in the order of their deadlines.

        Returns once everything that was due has run to its next wait, its writes on disk.
        ValueError: a negative number.
        """
        if seconds < 0:
            raise ValueError(
                f"time moves forward: advance() takes 0 or more seconds, not {seconds}"
            )

        target_ms = self._monotonic_ms + round(seconds * 1000)
        await self._settle()
        while (sleeper := self._next_sleeper(target_ms)) is not None:
            when_ms, waiter = sleeper
            self._monotonic_ms = max(self._monotonic_ms, when_ms)
            waiter.set_result(None)
            await self._settle()
        self._monotonic_ms = target_ms
        await self._settle()

    async def step(self, seconds: float) -> None:
        """Set the wall clock by so many seconds, forward or back, while no time passes.

        Returns once everything that is due then has run to its next wait, as `advance`.
        """
        self._ahead_ms += round(seconds * 1000)
        await self.advance(0)

    def attach(self, settle: Callable[[], Awaitable[None]]) -> None:
        self._settles.append(settle)

    def detach(self, settle: Callable[[], Awaitable[None]]) -> None:
        if settle in self._settles:
            self._settles.remove(settle)

    async def _sleep(self, sleepers: list[Sleeper], when_ms: int) -> None:
        waiter = current_backend().waiter()
        heapq.heappush(sleepers, (when_ms, next(self._order), waiter))
        await waiter

    def _next_sleeper(self, until_ms: int) -> tuple[int, Waiter] | None:
        """Who wakes first until then, and when; both by monotonic time."""
        found: tuple[int, int, list[Sleeper]] | None = None
        for sleepers, ahead_ms in ((self._sleepers, 0), (self._wall_sleepers, self._ahead_ms)):
            while sleepers and sleepers[0][2].done():
                heapq.heappop(sleepers)  # cancelled
            if sleepers:
                first = (sleepers[0][0] - ahead_ms, sleepers[0][1], sleepers)
                if first[0] <= until_ms and (found is None or first[:2] < found[:2]):
                    found = first
        return None if found is None else (found[0], heapq.heappop(found[2])[2])

    async def _settle(self) -> None:
        await anyio.wait_all_tasks_blocked()
        for settle in list(self._settles):
            await settle()


@asynccontextmanager
async def host_for(
    app: Application,
    *,
    clock: Clock | None = None,
    data_dir: str | Path | None = None,
    wrap_commit: Callable[[CommitFunction], CommitFunction] | None = None,
    **settings: Any,
) -> AsyncGenerator[Host]:
    """A running host for `app`, on `data_dir` or on a directory that is deleted afterwards, and is in
    memory where there is plenty.

    Leaving it drains; after `await host.crash()` it just ends. `wrap_commit` gets the function that
    commits a group of batches, in the writer's thread, and returns the one to use: hold it, or let
    it raise. `settings` are fields of `HostSettings`.
    """
    # On a clock moved by hand, and beside a debugger, a loop that is held is nothing to tell of.
    checked = make_settings({"held_loop_seconds": 0} | settings)
    with temporary_directory() if data_dir is None else nullcontext(data_dir) as directory:
        host = Host(
            app,
            data_dir=directory,
            clock=clock,
            settings=checked,
            wrap_commit=wrap_commit,
        )
        async with host:
            yield host
