"""The actor of `workloads.alarms`: it sets, moves and deletes its alarm, and says when it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import anyio

from roomhost.runtime import AlarmInfo, DurableObject, DurableObjectState

from ..checks.alarms import ALARM, ARMED, DUE, STAMP
from ..checks.events import Began, Constructed, Fired, Ran, Resumed
from .ledger import Ledger


@dataclass(frozen=True, slots=True)
class Plan:
    """How the runs of one alarm go: the first so many fail, each waits, and sets the next alarm
    before or after that."""

    failures: int = 0
    pause_ms: int = 0
    again: Literal["", "first", "last"] = ""


@dataclass(frozen=True, slots=True)
class Arm:
    """Set the alarm, or move it."""

    delay_ms: int
    plan: Plan


@dataclass(frozen=True, slots=True)
class Disarm:
    """Delete it."""


@dataclass(frozen=True, slots=True)
class Look:
    """What is stored."""


@dataclass(frozen=True, slots=True)
class Abort:
    """Reset the object, after a pause."""


class Book(Ledger):
    """The ledger, and of each alarm by its token the time for which it was set, how its runs go, and
    how many of them have failed. `now_ms`: the wall clock."""

    def __init__(self) -> None:
        super().__init__()
        self.now_ms: Callable[[], int] = int
        self.due: dict[int, int] = {}
        self.plans: dict[int, Plan] = {}
        self.failed: dict[int, int] = {}


class PlannedFailure(Exception):
    """What a run raises that is to fail."""


class Clockwork(DurableObject):
    """`seen` is the last write that an output of this instance waits for."""

    ledger: ClassVar[Book]

    def __init__(self, ctx: DurableObjectState, env: Any) -> None:
        super().__init__(ctx, env)
        self.name = ctx.id.name or ""
        self.instance = next(self.ledger.instances)
        self.seen = 0
        ctx.block_concurrency_while(self._start)

    async def _start(self) -> None:
        found = await self._found()
        self.seen = int(found.get(STAMP, 0))
        self.ledger.record(Constructed(self.name, self.instance, self.seen, found))

    async def run(self, call: int) -> tuple[Any, int]:
        """A call: what it answers, and the write that its caller hears of."""
        await self.ctx.storage.get(STAMP)  # it raises in an instance that has ended
        self.ledger.record(Began(self.name, self.instance, call))
        output: Any
        match self.ledger.ops[call]:
            case Arm(delay_ms, plan):
                output = await self._arm(delay_ms, plan)
            case Disarm():
                output = await self._disarm()
            case Abort():
                await self._pause(1)
                self.ctx.abort("scripted")
            case _:
                output = await self._found()
        return output, self.seen

    async def alarm(self, info: AlarmInfo) -> None:
        """As its plan says. What it writes last says that it has run."""
        book, storage = self.ledger, self.ctx.storage
        token = int(await storage.get(ARMED) or 0)
        due_ms, retry = info.scheduled_time, info.retry_count
        book.record(Fired(self.name, self.instance, token, due_ms, book.now_ms(), retry))
        plan = book.plans.get(token, Plan())
        fails = book.failed.setdefault(token, 0) < plan.failures
        if plan.again == "first":
            await self._arm(plan.pause_ms, Plan())
        await self._pause(plan.pause_ms)
        if fails:
            book.failed[token] += 1
            await self._stamp()
            book.record(Ran(self.name, self.instance, token, failed=True))
            raise PlannedFailure

        if plan.again == "last":
            await self._arm(plan.pause_ms, Plan())
        elif await storage.get(ARMED) == token:
            await storage.put(ARMED, None)
        await self._stamp()
        book.record(Ran(self.name, self.instance, token, failed=False))

    async def _arm(self, delay_ms: int, plan: Plan) -> int:
        book, storage = self.ledger, self.ctx.storage
        token = await self._stamp()
        now_ms = book.now_ms()
        book.plans[token] = plan
        book.due[token] = max(now_ms, now_ms + delay_ms)
        await storage.put(ARMED, token)
        await storage.set_alarm(now_ms + delay_ms)
        await storage.put(DUE, book.due[token])
        return token

    async def _disarm(self) -> int:
        await self.ctx.storage.put(ARMED, None)
        await self.ctx.storage.delete_alarm()
        return await self._stamp()

    async def _found(self) -> dict[str, Any]:
        found = await self.ctx.storage.list()
        return found | {ALARM: await self.ctx.storage.get_alarm()}

    async def _stamp(self) -> int:
        self.seen = next(self.ledger.stamps)
        await self.ctx.storage.put(STAMP, self.seen)
        return self.seen

    async def _pause(self, pause_ms: int) -> None:
        if pause_ms:
            await anyio.sleep(pause_ms / 1_000)
            self.ledger.record(Resumed(self.name, self.instance))
