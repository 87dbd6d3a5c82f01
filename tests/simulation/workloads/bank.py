"""The actor of `workloads.transfers`: accounts in one object, and a wallet that pays others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import anyio

from roomhost.runtime import DurableObject, DurableObjectState, DurableObjectTransaction

from ..checks.events import Began, Constructed, Resumed
from ..checks.money import ARRIVED, OUT, SENT
from .ledger import Ledger
from .transfer_model import (
    ACCOUNTS,
    START,
    WALLET,
    Deliver,
    Ending,
    Pay,
    Transfer,
    balances_of,
)

STAMP = "stamp"


class RolledBack(Exception):
    """Raised in a transaction, to be caught around it."""


class Bank(DurableObject):
    """`seen` is the last write that an output of this instance waits for."""

    ledger: ClassVar[Ledger]

    def __init__(self, ctx: DurableObjectState, env: Any) -> None:
        super().__init__(ctx, env)
        self.name = ctx.id.name or ""
        self.instance = next(self.ledger.instances)
        found = ctx.storage.kv.list()
        self.seen = int(found.get(STAMP, 0))
        self.ledger.record(Constructed(self.name, self.instance, self.seen, found))

    async def run(self, call: int) -> tuple[Any, int]:
        """A call: what it answers, and the write that its caller hears of."""
        await self.ctx.storage.get(STAMP)  # it raises in an instance that has ended
        self.ledger.record(Began(self.name, self.instance, call))
        output: Any = None
        match self.ledger.ops[call]:
            case Transfer() as op:
                output = await self._transfer(op)
            case Pay() as op:
                await self._pay(op, f"{self.name}-{call}")
            case Deliver():
                await self._deliver()
            case _:
                output = await self.ctx.storage.list()
        return output, self.seen

    async def credit(self, payment: str, amount: int) -> None:
        """A payment arrives, maybe again."""
        storage = self.ctx.storage
        if await storage.get(ARRIVED + payment) is None:
            await storage.put(WALLET, await storage.get(WALLET, START) + amount)
            await self._stamp()
            await storage.put(ARRIVED + payment, amount)

    async def _transfer(self, op: Transfer) -> tuple[int, ...]:
        balances: tuple[int, ...] = ()
        seen = 0

        async def body(transaction: DurableObjectTransaction) -> None:
            nonlocal balances, seen
            seen = self.seen
            await self._move(op.source, -op.amount)
            await self._pause(op.pause_ms)
            if op.inner is not None:
                await self._transact(lambda _: self._move_both(op.target, op.source, 1), op.inner)
                await self._pause(op.pause_ms)
            await self._move(op.target, op.amount)
            await self._stamp()
            if op.ending == "keeps":
                balances = balances_of(await transaction.list())

        before = balances_of(await self.ctx.storage.list())
        await self._transact(body, op.ending)
        if op.ending == "keeps":
            return balances

        self.seen = seen
        return before

    async def _transact(self, body: Callable[[DurableObjectTransaction], Any], how: Ending) -> None:
        async def run(transaction: DurableObjectTransaction) -> None:
            await body(transaction)
            if how == "rolls back":
                transaction.rollback()
            elif how == "raises":
                raise RolledBack

        try:
            await self.ctx.storage.transaction(run)
        except RolledBack:
            pass
        self._resumed()

    async def _move_both(self, source: int, target: int, amount: int) -> None:
        await self._move(source, -amount)
        await self._move(target, amount)

    async def _move(self, account: int, amount: int) -> None:
        storage, key = self.ctx.storage, ACCOUNTS[account]
        await storage.put(key, await storage.get(key, START) + amount)

    async def _pay(self, op: Pay, payment: str) -> None:
        storage = self.ctx.storage
        await storage.put(WALLET, await storage.get(WALLET, START) - op.amount)
        await storage.put(SENT + payment, op.amount)
        await self._stamp()
        await storage.put(OUT + payment, (op.to, op.amount))
        await self._pause(op.pause_ms)
        await self._tell(payment, op.to, op.amount)

    async def _deliver(self) -> None:
        for key, (to, amount) in (await self.ctx.storage.list(prefix=OUT)).items():
            await self._tell(key[len(OUT) :], to, amount)

    async def _tell(self, payment: str, to: str, amount: int) -> None:
        await self.env.BANK.get_by_name(to).credit(payment, amount)
        await self.ctx.storage.delete(OUT + payment)
        await self._stamp()
        self._resumed()

    async def _stamp(self) -> None:
        self.seen = next(self.ledger.stamps)
        await self.ctx.storage.put(STAMP, self.seen)

    async def _pause(self, pause_ms: int) -> None:
        if pause_ms:
            await anyio.sleep(pause_ms / 1_000)
            self._resumed()

    def _resumed(self) -> None:
        self.ledger.record(Resumed(self.name, self.instance))
