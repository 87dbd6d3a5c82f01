"""Where the simulation takes the place of the system: the names in the product's modules."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any

import anyio
import anyio.to_thread
import lmdb
from anyio._backends import _asyncio as anyio_asyncio

from roomhost.runtime import limits as runtime_limits
from roomhost.runtime import running
from roomhost.storage import (
    applier,
    commit_log,
    data_directory,
    environment,
    files,
    log_segment,
    map_reader,
    partition,
    pending,
    writer,
)

from .disk import SimulatedDisk, SimulatedOS
from .loop import SimulatedLoop
from .threads import Threading

PAGES_OF_A_WRITE = 4 * 4_096  # as `HEAD_ROOM_BYTES` counts


@dataclass(frozen=True)
class Bounds:
    """The limits of a run: small, so that a short one gets to them."""

    segment_bytes: int
    apply_at_writes: int
    max_pending_writes: int
    apply_delay_seconds: float
    group_batches: int
    map_bytes: int
    events_at_once: int
    idle_tasks: int

    @classmethod
    def drawn(cls, rng: Random) -> Bounds:
        """One of many."""
        apply_at = rng.choice((4, 16, 64))
        return cls(
            segment_bytes=rng.choice((1_024, 4_096, 16_384)),
            apply_at_writes=apply_at,
            max_pending_writes=apply_at * rng.choice((2, 8)),
            apply_delay_seconds=rng.choice((0.002, 0.02, 0.1)),
            group_batches=rng.choice((1, 2, 4, 64)),
            map_bytes=rng.choice((128 * 1_024, 1024 * 1_024)),
            events_at_once=rng.choice((1, 2, 64)),
            idle_tasks=rng.choice((0, 1, 64)),
        )


class VirtualTime:
    """What stands in for the module `time`."""

    def __init__(self, loop: SimulatedLoop) -> None:
        self.monotonic = loop.time


@contextmanager
def simulated(loop: SimulatedLoop, disk: SimulatedDisk, bounds: Bounds) -> Generator[None]:
    """While the block runs, the product's threads, disk and time are those of the simulation."""
    with ExitStack() as stack:
        put = partial(_put, stack)
        threading, system = Threading(loop.threads), SimulatedOS(disk)
        for module in (writer, applier, environment, pending, map_reader):
            put(module, "threading", threading)
        for module in (log_segment, files, environment, data_directory):
            put(module, "os", system)
        put(applier, "time", VirtualTime(loop))
        put(writer, "monotonic", loop.time)
        put(anyio.to_thread, "run_sync", partial(_run_sync, loop))
        put(environment.Environment, "_commit", _commit_on(disk))
        put(environment, "lmdb", LMDB(disk))
        put(running, "_running", {})
        scope = anyio_asyncio.CancelScope
        put(scope, "__init__", _with_ordered_children(scope.__init__))
        _bound(put, bounds)
        yield


def _bound(put: Callable[[Any, str, Any], None], bounds: Bounds) -> None:
    put(applier, "APPLY_AT_WRITES", bounds.apply_at_writes)
    put(applier, "MAX_PENDING_WRITES", bounds.max_pending_writes)
    put(environment, "HEAD_ROOM_BYTES", bounds.max_pending_writes * PAGES_OF_A_WRITE)
    put(writer, "MAX_GROUP_BATCHES", bounds.group_batches)
    put(runtime_limits, "MAX_EVENTS_AT_ONCE", bounds.events_at_once)
    put(runtime_limits, "MAX_IDLE_TASKS", bounds.idle_tasks)
    log: Any = commit_log.CommitLog.__init__
    sizes = {
        "initial_segment_bytes": bounds.segment_bytes,
        "max_segment_bytes": 4 * bounds.segment_bytes,
        "max_bytes": 12 * bounds.segment_bytes,
    }
    put(log, "__kwdefaults__", log.__kwdefaults__ | sizes)
    opening: Any = partition.Partition.open
    opening = opening.__func__
    sizes_of_map = {
        "map_bytes": bounds.map_bytes,
        "apply_delay_seconds": bounds.apply_delay_seconds,
    }
    put(opening, "__kwdefaults__", opening.__kwdefaults__ | sizes_of_map)


class LMDB:
    """What stands in for the module `lmdb`: the disk closes what a crash has left open."""

    def __init__(self, disk: SimulatedDisk) -> None:
        self._disk = disk

    def open(self, *args: Any, **keywords: Any) -> Any:
        """`lmdb.open`."""
        opened = lmdb.open(*args, **keywords)
        self._disk.on_close(opened.close)
        return opened

    def __getattr__(self, name: str) -> Any:
        return getattr(lmdb, name)


class Ordered(dict[Any, None]):
    """A set that is iterated in the order of arrival: the address of what is in it counts for nothing."""

    def add(self, item: Any) -> None:
        """`set.add`."""
        self[item] = None

    def remove(self, item: Any) -> None:
        """`set.remove`."""
        del self[item]

    def discard(self, item: Any) -> None:
        """`set.discard`."""
        self.pop(item, None)


def _with_ordered_children(init: Callable[..., None]) -> Callable[..., None]:
    """A cancel scope that cancels those within it in the order in which they began."""

    def make(self: Any, *args: Any, **keywords: Any) -> None:
        init(self, *args, **keywords)
        self._child_scopes = Ordered()

    return make


async def _run_sync(
    loop: SimulatedLoop,
    function: Callable[..., Any],
    *args: Any,
    abandon_on_cancel: bool = False,
    cancellable: bool | None = None,
    limiter: object = None,
) -> Any:
    """`anyio.to_thread.run_sync`."""
    await anyio.lowlevel.checkpoint()
    with anyio.CancelScope(shield=not abandon_on_cancel):
        return await loop.run_in_thread(partial(function, *args))


def _commit_on(disk: SimulatedDisk) -> Callable[..., None]:
    original = environment.Environment._commit

    def commit(
        self: environment.Environment, write: Callable[[Any], object], **options: Any
    ) -> None:
        def write_slowly(transaction: Any) -> None:
            write(transaction)
            disk.commit()

        original(self, write_slowly, **options)

    return commit


def _put(stack: ExitStack, owner: Any, name: str, value: Any) -> None:
    if name in vars(owner) or name.startswith("__kw"):
        stack.callback(setattr, owner, name, getattr(owner, name))
    else:
        stack.callback(delattr, owner, name)
    setattr(owner, name, value)
