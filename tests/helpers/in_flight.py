"""Calls on their way, so that a test can look at what has happened while they wait."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable
from contextlib import asynccontextmanager
from typing import Any

import anyio
from anyio.abc import TaskGroup


class InFlight:
    """What each call ended with, its result or its exception, by label and in the order they did."""

    def __init__(self, group: TaskGroup) -> None:
        self._group = group
        self.ended: dict[str, Any] = {}

    async def start(self, label: str, call: Awaitable[Any]) -> None:
        """Wait for `call` aside, and return when nothing moves any more."""
        self._group.start_soon(self._wait, label, call)
        await anyio.wait_all_tasks_blocked()

    async def _wait(self, label: str, call: Awaitable[Any]) -> None:
        try:
            self.ended[label] = await call
        except Exception as error:
            self.ended[label] = error


@asynccontextmanager
async def in_flight() -> AsyncGenerator[InFlight]:
    """Calls that have all ended when the block is left."""
    async with anyio.create_task_group() as group:
        yield InFlight(group)
