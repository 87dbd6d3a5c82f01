"""What a workload sees of a run: the host that runs now, time, chance, and the history.

A workload is a few clients of one application, and what must be true of what they saw. It is written
as if the host ran for ever: `World.host` waits between a crash and the next start, calls that were in
flight fail as they do when a connection is lost.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from random import Random
from typing import Any, Protocol

import anyio

from roomhost.bindings import App
from roomhost.runtime import Host

from .clock import SimulatedClock
from .disk import SimulatedDisk
from .faults import Fault, Faults
from .loop import SimulatedLoop

# Of the host in whose task something runs; 0 for clients.
GENERATION: ContextVar[int] = ContextVar("generation", default=0)


@dataclass(frozen=True, slots=True)
class Observed:
    """Something that somebody saw: at which step, when, and under which host (the one that ran, if a
    client saw it)."""

    step: int
    at_ms: float
    generation: int
    event: Any


class Serving(Protocol):
    """A server in front of the host that runs."""

    def crash(self) -> None:
        """Its process is gone."""
        ...

    async def stop(self) -> None:
        """Take nothing more, and return when every connection is closed; the host stops then."""
        ...


class Workload(Protocol):
    """What is run, and what must be true of it. One instance serves one run."""

    @property
    def name(self) -> str:
        """What it is called in reports and commands."""
        ...

    @property
    def faults(self) -> Faults:
        """Which faults it can bear, and how likely each is."""
        ...

    @property
    def settings(self) -> dict[str, Any]:
        """Fields of `HostSettings`."""
        ...

    def app(self) -> App:
        """The application, made anew for each host and each deploy."""
        ...

    async def run(self, world: World) -> None:
        """Be all clients, and return when they are done; faults come meanwhile."""
        ...

    async def settle(self, world: World) -> None:
        """Look at what is left, on a new host and a disk that is well, and `observe` it."""
        ...

    def check(self, world: World) -> Iterator[str]:
        """What is wrong with the history."""
        ...


class World:
    """One run. `rng` is the workload's own stream of chance; `generation` counts the hosts, from 1."""

    def __init__(
        self,
        seed: int,
        rng: Random,
        loop: SimulatedLoop,
        clock: SimulatedClock,
        disk: SimulatedDisk,
    ) -> None:
        self.seed = seed
        self.rng = rng
        self.loop = loop
        self.clock = clock
        self.disk = disk
        self.generation = 0
        self.history: list[Observed] = []
        self.faults: Counter[Fault] = Counter()
        self.serving: Serving | None = None
        self._host: Host | None = None
        self._alive: set[int] = set()  # generations
        self._changed = asyncio.Event()
        self._clients: list[asyncio.Task[None]] = []

    async def host(self) -> Host:
        """The host that runs; waits while none does."""
        while self._host is None:
            await self._changed.wait()
        return self._host

    def observe(self, event: Any) -> None:
        """Add something to the history, unless it is the host that says so, and that has crashed."""
        if not self.is_seen():
            return

        generation = GENERATION.get() or self.generation
        self.history.append(Observed(self.loop.steps, self.loop.time() * 1_000, generation, event))

    def is_seen(self) -> bool:
        """Whether what is said now can be seen: not if a host says it that has crashed."""
        said_by = GENERATION.get()
        return not said_by or said_by in self._alive

    def spawn(self, function: Callable[..., Awaitable[None]], *args: Any) -> asyncio.Task[None]:
        """Start one more client, which lives across crashes. It must end by itself."""

        async def client() -> None:
            await function(*args)

        task = self.loop.create_task(client(), name=getattr(function, "__qualname__", "a client"))
        self._clients.append(task)
        return task

    async def pause(self, least_ms: float = 0, most_ms: float = 20) -> None:
        """Let virtual time pass."""
        await anyio.sleep(self.rng.uniform(least_ms, most_ms) / 1_000)

    # For the frame.

    @property
    def running(self) -> Host | None:
        """The host that runs, if one does."""
        return self._host

    def begins(self) -> int:
        """A host is about to start: its generation."""
        self.generation += 1
        self._alive.add(self.generation)
        return self.generation

    def runs(self, host: Host | None) -> None:
        """Clients get this host from now on."""
        self._host = host
        if host is None:
            self._changed.clear()
        else:
            self._changed.set()

    def ended(self, generation: int) -> None:
        """What this host says from now on was never seen."""
        self._alive.discard(generation)

    async def clients_done(self) -> None:
        """Return when every client has ended. Whatever one of them raised."""
        while self._clients:
            await self._clients[0]
            self._clients.pop(0)
