"""Stories told inside one object: what its code does with its storage, written in the test."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from roomhost.runtime import DurableObjectStorage, DurableObjectTransaction, Host
from roomhost.runtime.testing import ManualClock, host_for

from .actors import app, objects, within
from .disk import Disk

Calls = DurableObjectStorage | DurableObjectTransaction  # what storage and a transaction share
Story = Callable[[Any], Any]
Tell = Callable[[Story], Awaitable[Any]]

# Reads are the same before and after what they read is on disk: `for _ in STAGES: ...; await sync()`.
STAGES = ("written", "on disk")


async def in_storage(story: Story) -> Any:
    """Run `story(storage)` in a new object, as one call; what it returns."""
    async with host_for(app, clock=ManualClock()) as host:
        return await tell_to(objects(host), story)


async def in_transaction(story: Story) -> Any:
    """Run `story(txn)` in a transaction of a new object."""
    return await in_storage(lambda storage: storage.transaction(story))


async def in_storage_of_a_transaction(story: Story) -> Any:
    """Run `story(storage)` while a transaction is open, past its `txn`."""
    return await in_storage(lambda storage: storage.transaction(lambda txn: story(storage)))


everywhere = pytest.mark.parametrize(
    "tell",
    [in_storage, in_transaction, in_storage_of_a_transaction],
    ids=["storage", "txn", "storage-in-txn"],
)


async def tell_to(stub: Any, story: Story) -> Any:
    """Run `story(storage)` in the object of a stub."""
    return await within(stub, lambda actor: story(actor.ctx.storage))


async def stored(stub: Any) -> dict[str, Any]:
    """Everything in the object of a stub."""
    entries: dict[str, Any] = await tell_to(stub, lambda storage: storage.list())
    return entries


async def stored_afresh(host: Host, name: str = "a") -> dict[str, Any]:
    """Everything in an object, as a new instance finds it on disk."""
    await host.evict(objects(host, name))
    return await stored(objects(host, name))


class Outcomes(list[Any]):
    """What came of calls in progress: (label, result or error), in the order they ended."""

    def __init__(self, group: anyio.abc.TaskGroup) -> None:
        super().__init__()
        self._group = group
        self._ends: dict[str, anyio.Event] = {}

    def of(self, label: str, call: Awaitable[Any]) -> None:
        """Await a call in a task of its own."""
        self._ends[label] = anyio.Event()
        self._group.start_soon(self._await, label, call)

    async def ended(self, *labels: str) -> None:
        """Return when these calls have ended."""
        for label in labels:
            await self._ends[label].wait()

    async def _await(self, label: str, call: Awaitable[Any]) -> None:
        try:
            self.append((label, await call))
        except Exception as error:
            self.append((label, error))
        finally:
            self._ends[label].set()

    @property
    def labels(self) -> list[str]:
        """Which calls have ended."""
        return [label for label, _ in self]


@asynccontextmanager
async def held_host(disk: Disk) -> AsyncGenerator[tuple[Host, Outcomes]]:
    """A host whose disk is held from now on, and calls in progress to it. The end releases it."""
    async with host_for(app, clock=ManualClock(), wrap_commit=disk.wrap) as host:
        disk.hold()
        async with anyio.create_task_group() as group:
            try:
                yield host, Outcomes(group)
            finally:
                disk.release()
