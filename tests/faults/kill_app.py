"""What the host that is killed serves: a copy of this file, in which `VERSION` may be another number.

Each version is deployed over the one before: it renames the class of the ledgers, and deletes the
scraps of the version before it.
"""

from __future__ import annotations

import os
import time
from typing import Any

import anyio

from roomhost.actors import realtime
from roomhost.bindings import App, Migration
from roomhost.runtime import AlarmInfo, DurableObject, Request, Response
from tests.faults import kill_broken, kill_seams

VERSION = 1
BEAT_MS = 25  # from one alarm of a ticker to its next
WAIT_SECONDS = 0.1  # that a call waits for an alarm: a deploy waits for calls


def now_ms() -> int:
    """The time that alarms are set by."""
    return time.time_ns() // 1_000_000


class Ledger(DurableObject):
    """Appends numbers. Three entries are of one turn: the count, and the number, twice."""

    async def append(self, number: int) -> int:
        """The place that it got; every other one is written in a transaction."""
        if number % 2:
            return await self._append(number)

        async def append(_transaction: Any) -> int:
            return await self._append(number)

        place: int = await self.ctx.storage.transaction(append)
        return place

    async def _append(self, number: int) -> int:
        place: int = await self.ctx.storage.get("count", 0)
        await self.ctx.storage.put("count", place + 1)
        await self.ctx.storage.put(f"a:{place:06}", number)
        await self.ctx.storage.put(f"b:{place:06}", number)
        return place

    async def read(self) -> tuple[int, list[int], list[int]]:
        """The count, and all numbers in their order, as they were written first and last."""
        first = await self.ctx.storage.list(prefix="a:")
        last = await self.ctx.storage.list(prefix="b:")
        return await self.ctx.storage.get("count", 0), list(first.values()), list(last.values())

    async def fetch(self, request: Request) -> Response:
        """`?number=`: append it."""
        return Response(str(await self.append(int(request.query_params["number"]))))


class Scrap(DurableObject):
    """Something that the next version has no use for."""

    async def put(self, number: int) -> None:
        """Store it."""
        await self.ctx.storage.put("number", number)

    async def get(self) -> int | None:
        """What is stored."""
        number: int | None = await self.ctx.storage.get("number")
        return number


class Ticker(DurableObject):
    """Its alarm re-arms itself for ever. `early`: how often it rang before its time."""

    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self._beaten = anyio.Event()

    async def start(self) -> int:
        """The first beat, unless there was one; how many beats there were."""
        if await self.ctx.storage.get("due") is None:
            await self._arm()
        beats: int = await self.ctx.storage.get("beats", 0)
        return beats

    async def alarm(self, info: AlarmInfo) -> None:
        """One beat, and the next is armed in the same turn."""
        early = now_ms() < await self.ctx.storage.get("due")
        await self.ctx.storage.put(
            {
                "beats": await self.ctx.storage.get("beats", 0) + 1,
                "early": await self.ctx.storage.get("early", 0) + early,
            }
        )
        await self._arm()
        self._beaten.set()
        self._beaten = anyio.Event()

    async def reach(self, beats: int) -> tuple[int, int]:
        """Return after so many beats, or a while: how many there were, and how many of them too
        early."""
        with anyio.move_on_after(WAIT_SECONDS):
            while await self.ctx.storage.get("beats", 0) < beats:
                await self._beaten.wait()
        return await self.ctx.storage.get("beats", 0), await self.ctx.storage.get("early", 0)

    async def _arm(self) -> None:
        due = now_ms() + BEAT_MS
        await self.ctx.storage.put("due", due)
        await self.ctx.storage.set_alarm(due)


class Reminder(DurableObject):
    """Its alarm is set once. `rang`: when, for each number that it was set for."""

    def __init__(self, ctx: Any, env: Any) -> None:
        super().__init__(ctx, env)
        self._rung = anyio.Event()

    async def arm(self, number: int, due_ms: int) -> None:
        """Have it ring."""
        await self.ctx.storage.put("armed", (number, due_ms))
        await self.ctx.storage.set_alarm(due_ms)

    async def alarm(self, info: AlarmInfo) -> None:
        """Note that it rang, and when."""
        number, due_ms = await self.ctx.storage.get("armed")
        await self.ctx.storage.put("rang", (number, due_ms, now_ms()))
        self._rung.set()
        self._rung = anyio.Event()

    async def rang(self, number: int) -> tuple[int, int, int]:
        """Return when it rang for this number, or one after it, or after a while: which number it
        rang for last, 0 for none, when that was due, and when it rang."""
        nothing: tuple[int, int, int] = (0, 0, 0)
        with anyio.move_on_after(WAIT_SECONDS):
            while (await self.ctx.storage.get("rang", nothing))[0] < number:
                await self._rung.wait()
        rang: tuple[int, int, int] = await self.ctx.storage.get("rang", nothing)
        return rang


class Control(DurableObject):
    """The process itself."""

    async def arm(self, spec: str) -> None:
        """Have it killed at a seam: see `kill_seams`."""
        kill_seams.arm(spec)

    async def version(self) -> int:
        """Of the code."""
        return VERSION


def migrations(version: int) -> list[Migration]:
    """The history of a version."""
    made = Migration(tag="v1", new_classes=("Ledger1", "Scrap1"))
    return [made] + [
        Migration(
            tag=f"v{number}",
            new_classes=(f"Scrap{number}",),
            renamed_classes={f"Ledger{number - 1}": f"Ledger{number}"},
            deleted_classes=(f"Scrap{number - 1}",),
        )
        for number in range(2, version + 1)
    ]


def make_app(version: int) -> App:
    """The application of a version."""
    return App(
        name="killed",
        bindings={
            "LEDGER": type(f"Ledger{version}", (Ledger,), {}),
            f"SCRAP{version}": type(f"Scrap{version}", (Scrap,), {}),
            "TICKER": Ticker,
            "REMINDER": Reminder,
            "CONTROL": Control,
            "COLLAB": realtime(name="collab", presence_ttl_seconds=3_600),
        },
        migrations=migrations(version),
    )


app = make_app(VERSION)
if kill_seams.VARIABLE in os.environ:  # in the process that is to be killed
    kill_seams.install(os.environ[kill_seams.VARIABLE])
    kill_broken.install(os.environ.get(kill_broken.VARIABLE, ""))
