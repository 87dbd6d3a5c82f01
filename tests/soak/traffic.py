"""What the clients do, action by action, at a fixed rate; a part of the rooms at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec

from . import limits
from .http_pool import HttpPool
from .member import PAD
from .plan import Plan
from .room import HTTP, Room, Said
from .seat import House, Seat, until
from .tally import Count, Kind

Weighted = tuple[tuple[float, str], ...]

# Of a hundred actions; those of documents fall to rooms that have one.
MIX: Weighted = (
    (50.0, "publish"),
    (14.0, "presence"),
    (14.0, "edit"),
    (9.0, "cursor"),
    (5.0, "call"),
    (2.5, "count_over_http"),
    (1.5, "history"),
    (2.0, "publish_over_http"),
    (0.2, "compact"),
    (1.8, "leave"),
)


class Additions:
    """To one counter: how many are acknowledged, and of how many nobody knows."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.acked = 0
        self.unknown = 0


class Traffic:
    """In the rooms of one process, and to its counters."""

    def __init__(
        self, plan: Plan, house: House, rooms: list[Room], counters: list[Additions], http: HttpPool
    ) -> None:
        self._plan = plan
        self._house = house
        self._rooms = rooms
        self._documents = [room for room in rooms if room.is_document]
        self._counters = counters
        self._http = http
        self._weights = [weight for weight, _ in MIX]
        self._actions: list[Callable[[], object]] = [getattr(self, name) for _, name in MIX]
        self._tasks: set[asyncio.Task[None]] = set()
        self._began = time.monotonic()

    async def run(self, seconds: float) -> None:
        """At the rate of the plan, however long answers take; what is too many in flight is held back."""
        self._began = time.monotonic()
        rate = self._plan.rate / self._plan.loads
        done = 0
        while (passed := time.monotonic() - self._began) < seconds:
            due = int(passed * rate)
            for _ in range(due - done):
                self._act()
            done = due
            await asyncio.sleep(limits.TICK_SECONDS)

    async def over(self) -> None:
        """Until nothing that was begun is open any more, or time is up."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=limits.SETTLE_SECONDS)
        await until(lambda: not self._house.in_flight)

    def active(self, rooms: list[Room]) -> Room:
        """One of those that have traffic now: a window that goes round, so that each falls idle."""
        size = max(1, int(len(rooms) * limits.ACTIVE_SHARE))
        passed = (time.monotonic() - self._began) / self._plan.active_seconds
        first = int(passed * size)
        return rooms[(first + self._house.random.randrange(size)) % len(rooms)]

    def _act(self) -> None:
        if self._house.in_flight >= limits.MAX_IN_FLIGHT:
            self._house.tally.count(Count.HELD_BACK)
            return

        self._house.tally.count(Count.ACTIONS)
        (action,) = self._house.random.choices(self._actions, self._weights)
        try:
            action()
        except Exception as error:  # the run goes on, and is not good
            self._house.tally.error("action", repr(error))

    def publish(self) -> None:
        """A member, to its room."""
        if member := self._here(self.active(self._rooms).members):
            member.publish()

    def presence(self) -> None:
        """A member is elsewhere in its room."""
        if member := self._here(self.active(self._rooms).members):
            member.be_present()

    def edit(self) -> None:
        """An editor writes."""
        if editor := self._here(self._document().editors):
            editor.edit()

    def cursor(self) -> None:
        """Somebody's cursor, of either kind of client."""
        room = self._document()
        if here := self._here([*room.editors, *room.members]):
            here.move()

    def leave(self) -> None:
        """Somebody goes, and comes back; wherever, also where nothing happens."""
        room = self._house.random.choice(self._rooms)
        if seat := self._here(room.seats):
            seat.leave()

    def call(self) -> None:
        """A durable one."""
        counter = self._house.random.choice(self._counters)
        self._start(Kind.CALL, self._add(counter, self._added_by_call))

    def count_over_http(self) -> None:
        """The same by a request."""
        counter = self._house.random.choice(self._counters)
        self._start(Kind.HTTP, self._add(counter, self._added_by_http))

    def history(self) -> None:
        """A page of it."""
        room = self.active(self._rooms)
        self._start(Kind.HTTP, self._ask("GET", f"{room.path}/history?limit=50"))

    def compact(self) -> None:
        """A document's log."""
        self._house.tally.count(Count.COMPACTIONS)
        self._start(Kind.HTTP, self._ask("POST", f"{self._document().path}/compact", b"{}"))

    def publish_over_http(self) -> None:
        """A back-end, with a key of its own for each message."""
        room = self.active(self._rooms)
        room.published += 1
        self._start(Kind.HTTP, self._publish(room, room.published))

    def _document(self) -> Room:
        return self.active(self._documents)

    def _here(self, seats: list[Any]) -> Any:
        here: Seat = self._house.random.choice(seats)
        return None if here.away else here

    async def _publish(self, room: Room, number: int) -> None:
        said = Said(HTTP, number, time.monotonic_ns(), PAD)
        message = {"type": "chat", "data": said, "idempotencyKey": f"http-{number}"}
        await self._ask("POST", f"{room.path}/publish", msgspec.json.encode(message))
        room.ledger.acknowledge((HTTP, number))

    async def _ask(self, method: str, path: str, body: bytes = b"") -> None:
        answer = await self._http.ask(method, path, body)
        if answer.status >= 300:
            raise ConnectionError(f"{path}: {answer.status} {answer.body[:200]!r}")

    async def _add(
        self, counter: Additions, add: Callable[[str], Coroutine[Any, Any, None]]
    ) -> None:
        counter.unknown += 1
        await add(counter.name)
        counter.unknown -= 1
        counter.acked += 1

    async def _added_by_call(self, name: str) -> None:
        await self._house.env.COUNTER.get_by_name(name).add()

    async def _added_by_http(self, name: str) -> None:
        await self._ask("POST", f"/counter/{name}")

    def _start(self, kind: Kind, doing: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(self._timed(kind, doing))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _timed(self, kind: Kind, doing: Coroutine[Any, Any, None]) -> None:
        begun = time.monotonic_ns()
        self._house.in_flight += 1
        try:
            async with asyncio.timeout(limits.ANSWER_SECONDS):
                await doing
            self._house.tally.took(kind, begun)
        except Exception as error:
            self._house.tally.error(kind.value, repr(error))
        finally:
            self._house.in_flight -= 1
