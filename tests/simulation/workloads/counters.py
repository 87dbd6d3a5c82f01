"""Counters under keys: increments, reads, unconfirmed writes, deletions, over stubs and sockets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from random import Random
from typing import Any

from roomhost.bindings import App
from roomhost.runtime.web_socket import ReadyState

from ..checks import named
from ..checks.activations import begin_in_order, one_at_a_time
from ..checks.events import Told
from ..checks.linear import linearizable
from ..checks.outputs import outputs_are_durable, turns_are_whole
from ..faults import Fault, Faults
from ..world import World
from .counter import Counter
from .counter_model import EMPTY, PAD, Op, counters, entries_of
from .ledger import LOST, Ledger

NAMES = ("a", "b")
KEYS = ("x", "y")
CLIENTS = 3
STEPS = 5  # of each client, each of up to so many calls over one stub
CALLS = 3
MAX_PAUSE_MS = 20
EVENTS = 8  # of the two that listen at sockets


class Counters:
    """The workload."""

    name = "counters"
    faults = Faults()
    pads: Sequence[int] = (0, 0, 100, 700)  # of the writes
    pauses_ms: Sequence[int] = (0, 0, 1, 5)  # of the handlers
    evictions = 4

    def __init__(self) -> None:
        self.settings: dict[str, Any] = {"idle_eviction_seconds": 0.02}
        self._ledger = Ledger()

    def app(self) -> App:
        """Counters that record in this run."""
        actor = type("Counter", (Counter,), {"ledger": self._ledger})
        return App(name="counters", bindings={"COUNTER": actor})

    async def run(self, world: World) -> None:
        """Everything at once."""
        self._ledger.record = world.observe
        for _ in range(CLIENTS):
            world.spawn(self._client, world)
        world.spawn(self._evictor, world)
        for name in NAMES:
            world.spawn(self._listener, world, name)

    async def settle(self, world: World) -> None:
        """Read everything."""
        host = await world.host()
        for name in NAMES:
            await self._ledger.send(host.env.COUNTER.get_by_name(name), name, [Op("list")])

    def check(self, world: World) -> Iterator[str]:
        """What is wrong."""
        history = world.history
        if not world.faults[Fault.BROKEN_DISK]:
            yield from named(linearizable(history, EMPTY, counters, entries_of))
        yield from named(
            turns_are_whole(history, PAD),
            outputs_are_durable(history),
            one_at_a_time(history),
            begin_in_order(history),
        )

    async def _client(self, world: World) -> None:
        for _ in range(STEPS):
            await world.pause(most_ms=MAX_PAUSE_MS)
            name = world.rng.choice(NAMES)
            ops = [
                drawn(world.rng, self.pads, self.pauses_ms)
                for _ in range(world.rng.randint(1, CALLS))
            ]
            host = await world.host()
            await self._ledger.send(host.env.COUNTER.get_by_name(name), name, ops)

    async def _evictor(self, world: World) -> None:
        for _ in range(self.evictions):
            await world.pause(most_ms=2 * MAX_PAUSE_MS)
            host = await world.host()
            stub = host.env.COUNTER.get_by_name(world.rng.choice(NAMES))
            with suppress(*LOST):  # it stops meanwhile
                await host.evict(stub)

    async def _listener(self, world: World, name: str) -> None:
        heard = 0
        while heard < EVENTS:
            await world.pause(most_ms=MAX_PAUSE_MS)
            host = await world.host()
            try:
                response = await host.env.COUNTER.get_by_name(name).fetch("http://counter/")
            except LOST:
                heard += 1
                continue

            ws = response.web_socket
            assert ws is not None
            ws.accept()
            while heard < EVENTS and ws.ready_state is ReadyState.OPEN:
                heard += 1
                ws.send("what have you seen?")
                try:
                    message = await ws.receive()
                except LOST:
                    break

                world.observe(Told(name, int(message), "a message"))
                await world.pause(most_ms=MAX_PAUSE_MS)
            ws.close()


def drawn(rng: Random, pads: Sequence[int], pauses_ms: Sequence[int]) -> Op:
    """One call of a client."""
    what = rng.choice(("add", "add", "add", "add", "get", "list", "delete", "clear"))
    then = rng.choice(("", "", "", "tell", "push", "sync", "abort" if rng.random() < 0.5 else ""))
    return Op(
        what,  # type: ignore[arg-type]
        key=rng.choice(KEYS),
        by=rng.randint(1, 3),
        confirmed=what == "clear" or rng.random() < 0.7,
        within=what == "add" and rng.random() < 0.2,
        then=then,  # type: ignore[arg-type]
        pause_ms=rng.choice(pauses_ms),
        pad=rng.choice(pads),
    )
