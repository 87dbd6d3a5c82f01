"""The application that runs for an hour: rooms with documents, counters, alarms that re-arm, and one
object that says what the process holds. It is copied, in its versions, to where the host imports it."""

from __future__ import annotations

import gc
import json
import sys
import time
from collections import Counter as Census
from typing import Any

from roomhost.actors import RealtimeRetentionOptions, realtime
from roomhost.bindings import App
from roomhost.runtime import AlarmInfo, DurableObject, Request, Response

VERSION = 1
ALARM_MS = 10_000
KEPT_MESSAGES = 200
CENSUS_TYPES = 60


class Counter(DurableObject):
    """A number on the disk."""

    async def add(self, by: int = 1) -> int:
        """What it is then."""
        number: int = await self.ctx.storage.get("n", 0) + by
        await self.ctx.storage.put("n", number)
        return number

    async def read(self) -> int:
        """What it is."""
        number: int = await self.ctx.storage.get("n", 0)
        return number

    async def fetch(self, request: Request) -> Response:
        """A POST adds one."""
        return Response(str(await self.add() if request.method == "POST" else await self.read()))


class Ticker(DurableObject):
    """Wakes itself up again and again."""

    async def start(self) -> None:
        """For the first time."""
        await self._arm()

    async def report(self) -> dict[str, Any]:
        """How often it woke, how often too early, by how much too late, and when it will."""
        return {
            "fired": await self.ctx.storage.get("fired", 0),
            "early": await self.ctx.storage.get("early", 0),
            "late_ms": await self.ctx.storage.get("late_ms", 0),
            "alarm": await self.ctx.storage.get_alarm(),
        }

    async def alarm(self, info: AlarmInfo) -> None:
        """Count, and arm again."""
        late_ms = int(time.time() * 1000) - await self.ctx.storage.get("due", 0)
        if late_ms < 0:
            await self.ctx.storage.put("early", await self.ctx.storage.get("early", 0) + 1)
        await self.ctx.storage.put(
            "late_ms", max(late_ms, await self.ctx.storage.get("late_ms", 0))
        )
        await self.ctx.storage.put("fired", await self.ctx.storage.get("fired", 0) + 1)
        await self._arm()

    async def _arm(self) -> None:
        due_ms = int(time.time() * 1000) + ALARM_MS
        await self.ctx.storage.put("due", due_ms)
        await self.ctx.storage.set_alarm(due_ms)


class Probe(DurableObject):
    """Of the process, not of itself."""

    async def fetch(self, request: Request) -> Response:
        """What the collector says; `?census`: how many objects of each type it knows, which takes a
        moment for everybody."""
        told: dict[str, Any] = {
            "version": VERSION,
            "allocated_blocks": sys.getallocatedblocks(),
            "gc_collections": [one["collections"] for one in gc.get_stats()],
            "gc_uncollectable": sum(one["uncollectable"] for one in gc.get_stats()),
        }
        if "census" in request.query_params:
            names = (f"{type(one).__module__}.{type(one).__qualname__}" for one in gc.get_objects())
            told["types"] = dict(Census(names).most_common(CENSUS_TYPES))
        return Response(json.dumps(told))


live = realtime(
    name="soak",
    retention=RealtimeRetentionOptions(max_messages=KEPT_MESSAGES),
)

app = App(
    name="soak",
    bindings={"SOAK": live, "COUNTER": Counter, "TICKER": Ticker, "PROBE": Probe},
)
