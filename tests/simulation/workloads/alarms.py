"""Alarms that are set, moved, deleted, that fail and set the next: they run, and never early."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import anyio

from roomhost.bindings import App

from ..checks import named
from ..checks.activations import begin_in_order, one_at_a_time
from ..checks.alarms import (
    ALARM,
    all_ran,
    never_after_deletion,
    never_early,
    one_run_at_a_time,
    retries_wait,
    whole_alarms,
)
from ..checks.events import Looked
from ..checks.outputs import outputs_are_durable
from ..faults import Fault, Faults
from ..world import World
from .clockwork import Abort, Arm, Book, Clockwork, Disarm, Look, Plan

NAMES = ("a", "b")
CLIENTS = 2
STEPS = 5  # of each client
MAX_PAUSE_MS = 60
MAX_DELAY_MS = 100
LONG_MS = 3_000  # longer than the first retry waits
# At the end: longer than all retries of an alarm, and a step of the clock, take.
LAST_SECONDS = 4_000
LAST_LOOKS = 4


class Alarms:
    """The workload."""

    name = "alarms"
    faults = Faults(clock_step=1.0)

    def __init__(self) -> None:
        self.settings: dict[str, Any] = {"idle_eviction_seconds": 0.02}
        self._book = Book()

    def app(self) -> App:
        """Objects that record in this run."""
        actor = type("Clockwork", (Clockwork,), {"ledger": self._book})
        return App(name="alarms", bindings={"CLOCK": actor})

    async def run(self, world: World) -> None:
        """Everything at once."""
        self._book.record = world.observe
        self._book.now_ms = world.clock.now_ms
        for _ in range(CLIENTS):
            world.spawn(self._client, world)

    async def settle(self, world: World) -> None:
        """Wait until every alarm must have run, and look."""
        for _ in range(LAST_LOOKS):
            await anyio.sleep(LAST_SECONDS)
            found = [await self._look(world, name) for name in NAMES]
            if not any(each.get(ALARM) for each in found):
                return

    def check(self, world: World) -> Iterator[str]:
        """What is wrong."""
        history = world.history
        yield from named(
            never_early(history, self._book.due),
            never_after_deletion(history),
            one_run_at_a_time(history),
            whole_alarms(history),
            all_ran(history),
            outputs_are_durable(history),
            one_at_a_time(history),
            begin_in_order(history),
        )
        if not world.faults[Fault.CLOCK_STEP]:
            yield from named(retries_wait(history))

    async def _client(self, world: World) -> None:
        for _ in range(STEPS):
            await world.pause(most_ms=world.rng.choice((MAX_PAUSE_MS, LONG_MS)))
            name = world.rng.choice(NAMES)
            host = await world.host()
            await self._book.send(host.env.CLOCK.get_by_name(name), name, [drawn(world.rng)])

    async def _look(self, world: World, name: str) -> dict[str, Any]:
        host = await world.host()
        found = await self._book.send(host.env.CLOCK.get_by_name(name), name, [Look()])
        world.observe(Looked(name, found[0]))
        return dict(found[0])


def drawn(rng: Random) -> Arm | Disarm | Look | Abort:
    """One call of a client."""
    match rng.randrange(10):
        case 0 | 1:
            return Disarm()
        case 2:
            return Abort()
        case _:
            plan = Plan(
                failures=rng.choice((0, 0, 0, 1, 2, 7)),
                pause_ms=rng.choice((0, 5, 20)),
                again=rng.choice(("", "", "first", "last")),
            )
            return Arm(rng.choice((-5, 0, 1, rng.randrange(MAX_DELAY_MS), LONG_MS)), plan)
