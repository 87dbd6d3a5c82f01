"""`python -m benchmarks.host_child LOOP DIRECTORY SHIFT_MS [serve]`: our host in a process of its
own, with its callers, which does what it is told; its clock is so much ahead. With `serve`, it is
reached by HTTP too."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import itertools
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import anyio

from roomhost.runtime import Host
from roomhost.runtime.server import Server, own_process
from roomhost.runtime.settings import make_settings

from . import children
from .loops import LOOPS
from .measure import quantile, rate
from .work import Work
from .workloads import app, clock, key_of, lateness_ms
from .yjs_peers import listening, say_port, serve

NEVER_SECONDS = 86_400  # that an actor may be idle: it is evicted when the benchmark says so

Call = Callable[[Any, int], Awaitable[object]]  # one step, of a stub; steps are numbered


class Steps:
    """Steps over some objects, one after the other."""

    def __init__(self, stubs: Sequence[Any], call: Call, count: int = 0) -> None:
        self._stubs = itertools.cycle(stubs)
        self._numbers = iter(range(count)) if count else itertools.count()
        self._call = call
        self.done = 0

    def __call__(self) -> Awaitable[object]:
        """The next one, begun."""
        return self._call(next(self._stubs), next(self._numbers))

    async def finish(self) -> None:
        """Do one after the other until none is left."""
        for number in self._numbers:
            await self._call(next(self._stubs), number)
            self.done += 1


class HostChild:
    """What a host is told to do."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._commands = {
            "commits": self._commits,
            "evict": self._evict,
            "late": self._late,
            "rung": self._rung,
            "trim": self._trim,
        }

    async def answer(self, command: dict[str, Any]) -> dict[str, Any]:
        """The answer to one command."""
        special = self._commands.get(command["do"])
        return await (self._run(command) if special is None else special())

    async def _run(self, query: dict[str, Any]) -> dict[str, Any]:
        """Callers that each do one step after the other: for some seconds or, with a count, that
        many."""
        work = Work(**query)
        namespace = self._host.env.COUNTER
        names = range(work.first, work.first + work.rooms * work.stride, work.stride)
        stubs = [namespace.get_by_name(str(name)) for name in names]
        steps = Steps(stubs, call_of(work), work.count)
        if not work.count:
            return {"done": (await rate(steps, work.callers, work.seconds))[1]}

        async with anyio.create_task_group() as group:
            for _ in range(work.callers):
                group.start_soon(steps.finish)
        return {"done": steps.done}

    async def _evict(self) -> dict[str, Any]:
        """Drop every instance; the sockets stay."""
        evicted = 0
        for slot in list(self._host.engine.resident):
            if slot.activation is not None:
                evicted += slot.activation.evict()
        return {"evicted": evicted, "left": self._host.statistics().activations}

    async def _trim(self) -> dict[str, Any]:
        """Give back to the system what is free, which the allocator would keep for later."""
        gc.collect()
        with contextlib.suppress(AttributeError):  # of another C library
            ctypes.CDLL(None).malloc_trim(0)
        return {}

    async def _rung(self) -> dict[str, Any]:
        """How many alarms have run."""
        return {"count": len(lateness_ms)}

    async def _late(self) -> dict[str, Any]:
        """How late they were, in milliseconds."""
        p50, p99 = (quantile(lateness_ms, share) for share in (0.5, 0.99))
        return {"count": len(lateness_ms), "p50": p50, "p99": p99, "last": max(lateness_ms)}

    async def _commits(self) -> dict[str, Any]:
        """How many there were."""
        return {"commits": self._host.statistics().commits}


def call_of(work: Work) -> Call:
    """What one step does."""
    match work.do:
        case "increment":
            return lambda stub, number: stub.increment()
        case "store":
            return lambda stub, number: stub.store(key_of(number // work.rooms))
        case "read":
            return lambda stub, number: stub.read(key_of(0))
        case "ring":
            return lambda stub, number: stub.ring(work.due_of(number))


async def main(directory: str, shift_ms: int, serving: bool) -> None:
    """Do what is told until there are no more commands."""
    settings = make_settings({"data_dir": directory, "idle_eviction_seconds": NEVER_SECONDS})
    own_process()
    clock.shift_ms = shift_ms
    async with Host(app, settings=settings, clock=clock) as host:
        child = HostChild(host)
        if serving:
            with listening() as listener:
                server = Server(host, lambda: say_port(listener))
                await serve(server, listener, child.answer)
        else:
            children.say({"port": None})
            await children.serve(child.answer)


if __name__ == "__main__":
    loop, directory, shift_ms, *rest = sys.argv[1:]
    anyio.run(main, directory, int(shift_ms), "serve" in rest, **LOOPS[loop])
