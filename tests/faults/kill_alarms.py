"""Those who set alarms: tickers that re-arm themselves, and reminders that ring once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from functools import partial
from random import Random
from typing import Any

from .kill_client import Client, Line, Promise, Record

TICKERS = ("tick", "tock")
REMINDERS = 6
SOONEST_MS, LATEST_MS = (
    5,
    700,
)  # from now, that a reminder is to ring: some while nobody serves them
SECONDS = 0.01


class Alarms(Client):
    """All of them."""

    def __init__(self, record: Record, random: Random) -> None:
        super().__init__(record, random)
        self.beats: dict[str, int] = {}  # of each ticker that was started
        # What each reminder was acknowledged to ring for, and when, until it has.
        self.armed: dict[str, tuple[int, int]] = {}
        self._number = 0

    async def look(self, line: Line) -> None:
        """All of them ring, those too that are overdue."""
        async with asyncio.TaskGroup() as group:
            for name in self.beats:
                group.create_task(self.beat(line, name))
            for name in list(self.armed):
                group.create_task(self.ring(line, name))

    def jobs(self, line: Line) -> list[Coroutine[Any, Any, None]]:
        """Start the tickers; have the reminders ring, again and again."""
        names = [f"reminder-{number}" for number in range(REMINDERS)]
        return [
            *(line.keep(partial(self.tick, line, name), SECONDS) for name in TICKERS),
            *(line.keep(partial(self.remind, line, name), SECONDS) for name in names),
        ]

    async def tick(self, line: Line, name: str) -> None:
        """Start a ticker, or see it beat."""
        if name not in self.beats:
            self.beats[name] = await line.env.TICKER.get_by_name(name).start()
            line.acknowledged("alarm")
        await self.beat(line, name)

    async def beat(self, line: Line, name: str) -> None:
        """See that there is one beat more than was seen."""
        seen = beats = self.beats[name]
        ticker = line.env.TICKER.get_by_name(name)
        end = time.monotonic() + self.record.patience
        while beats == seen and time.monotonic() < end:
            beats, early = await ticker.reach(seen + 1)
            self.record.expect(not early, Promise.NOT_EARLY, f"{name} was early {early} times")
        self.record.expect(beats > seen, Promise.RINGS, f"{name} stopped at {seen}, has {beats}")
        self.beats[name] = beats
        self.record.checked["beat"] += beats - seen

    async def remind(self, line: Line, name: str) -> None:
        """Set a reminder, unless it has to ring yet; then wait until it has."""
        if name not in self.armed:
            self._number += 1
            number = self._number
            due_ms = time.time_ns() // 1_000_000 + self.random.randint(SOONEST_MS, LATEST_MS)
            await line.env.REMINDER.get_by_name(name).arm(number, due_ms)
            self.armed[name] = number, due_ms
            line.acknowledged("alarm")
        await self.ring(line, name)

    async def ring(self, line: Line, name: str) -> None:
        """See that a reminder rings, for what it was set for, and when."""
        number, due_ms = self.armed[name]
        reminder = line.env.REMINDER.get_by_name(name)
        end = time.monotonic() + self.record.patience
        found, due, at_ms = await reminder.rang(number)
        while found < number and time.monotonic() < end:
            found, due, at_ms = await reminder.rang(number)
        del self.armed[name]
        self.record.checked["alarm"] += 1
        self.record.expect(found >= number, Promise.RINGS, f"{name} never rang for {number}")
        early = at_ms < due or (found == number and due != due_ms)
        self.record.expect(not early, Promise.NOT_EARLY, f"{name} rang at {at_ms}, not {due_ms}")
