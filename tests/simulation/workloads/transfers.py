"""Money between accounts of one object, in transactions, and between objects, by an outbox."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

from roomhost.bindings import App

from ..checks import named
from ..checks.activations import begin_in_order, one_at_a_time
from ..checks.events import Looked
from ..checks.linear import linearizable
from ..checks.money import books_balance, everything_arrived, sum_is_invariant
from ..checks.outputs import outputs_are_durable
from ..faults import Fault, Faults
from ..world import World
from .bank import Bank
from .ledger import Ledger
from .transfer_model import (
    ACCOUNTS,
    INITIAL,
    START,
    WALLET,
    Deliver,
    Ending,
    Look,
    Pay,
    Transfer,
    balances_of,
    bank,
)

NAMES = ("north", "south")
CLIENTS = 3
STEPS = 5  # of each client, each of up to so many calls over one stub
CALLS = 2
MAX_PAUSE_MS = 20
MOST = 20  # of one payment
ENDINGS: tuple[Ending, ...] = ("keeps", "keeps", "keeps", "raises", "rolls back")


class Transfers:
    """The workload."""

    name = "transfers"
    faults = Faults()

    def __init__(self) -> None:
        self.settings: dict[str, Any] = {"idle_eviction_seconds": 0.02}
        self._ledger = Ledger()

    def app(self) -> App:
        """Banks that record in this run."""
        actor = type("Bank", (Bank,), {"ledger": self._ledger})
        return App(name="transfers", bindings={"BANK": actor})

    async def run(self, world: World) -> None:
        """Everything at once."""
        self._ledger.record = world.observe
        for _ in range(CLIENTS):
            world.spawn(self._client, world)

    async def settle(self, world: World) -> None:
        """Deliver what is on its way, then look at everything."""
        for name in NAMES:
            await self._send(world, name, [Deliver()])
        for name in NAMES:
            await self._send(world, name, [Look()])

    def check(self, world: World) -> Iterator[str]:
        """What is wrong."""
        history = world.history
        if not world.faults[Fault.BROKEN_DISK]:
            yield from named(linearizable(history, INITIAL, bank, balances_of))
        yield from named(
            sum_is_invariant(history, NAMES, ACCOUNTS, START),
            books_balance(history, NAMES, WALLET, START),
            everything_arrived(history, NAMES, WALLET, START),
            outputs_are_durable(history),
            one_at_a_time(history),
            begin_in_order(history),
        )

    async def _client(self, world: World) -> None:
        for _ in range(STEPS):
            await world.pause(most_ms=MAX_PAUSE_MS)
            name = world.rng.choice(NAMES)
            ops = [drawn(world.rng, name) for _ in range(world.rng.randint(1, CALLS))]
            await self._send(world, name, ops)

    async def _send(self, world: World, name: str, ops: list[Any]) -> None:
        host = await world.host()
        for output in await self._ledger.send(host.env.BANK.get_by_name(name), name, ops):
            if isinstance(output, dict):
                world.observe(Looked(name, output))


def drawn(rng: Random, name: str) -> Transfer | Look | Pay | Deliver:
    """One call of a client."""
    pause_ms = rng.choice((0, 0, 1, 5))
    match rng.randrange(10):
        case 0 | 1:
            return Look()
        case 2 | 3 | 4:
            (other,) = (each for each in NAMES if each != name)
            return Pay(other, rng.randint(1, MOST), pause_ms)
        case 5:
            return Deliver()
        case _:
            source, target = rng.sample(range(len(ACCOUNTS)), 2)
            inner = rng.choice((None, *ENDINGS))
            amount = rng.randint(1, MOST)
            return Transfer(source, target, amount, rng.choice(ENDINGS), inner, pause_ms)
