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

DEFAULT_START_MS = 1_700_000_000_000


class ManualClock(Clock):
    """A clock that stands still until `advance`. One task moves it, no other."""

    def __init__(self, start_ms: int = DEFAULT_START_MS) -> None:
        self._now_ms = start_ms
        self._sleepers: list[tuple[int, int, Waiter]] = []
        self._order = itertools.count()
        self._settles: list[Callable[[], Awaitable[None]]] = []

    def now_ms(self) -> int:
        return self._now_ms

    async def sleep_until(self, when_ms: int) -> None:
        if when_ms <= self._now_ms:
            return

        waiter = current_backend().waiter()
        heapq.heappush(self._sleepers, (when_ms, next(self._order), waiter))
        await waiter

    async def advance(self, seconds: float) -> None:
        """Move time forward, waking sleepers in the order of their deadlines.

        Returns once everything that was due has run to its next wait, its writes on disk.
        ValueError: a negative number.
        """
        if seconds < 0:
            raise ValueError(
                f"time moves forward: advance() takes 0 or more seconds, not {seconds}"
            )

        target_ms = self._now_ms + round(seconds * 1000)
        await self._settle()
        while (sleeper := self._next_sleeper(target_ms)) is not None:
            when_ms, waiter = sleeper
            self._now_ms = max(self._now_ms, when_ms)
            waiter.set_result(None)
            await self._settle()
        self._now_ms = target_ms
        await self._settle()

    def attach(self, settle: Callable[[], Awaitable[None]]) -> None:
        self._settles.append(settle)

    def detach(self, settle: Callable[[], Awaitable[None]]) -> None:
        if settle in self._settles:
            self._settles.remove(settle)

    def _next_sleeper(self, until_ms: int) -> tuple[int, Waiter] | None:
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)  # cancelled
        if not self._sleepers or self._sleepers[0][0] > until_ms:
            return None

        when_ms, _, waiter = heapq.heappop(self._sleepers)
        return when_ms, waiter

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
