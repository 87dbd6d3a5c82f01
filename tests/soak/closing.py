"""What is looked at when the traffic is over: everything acknowledged is there, once, for everybody."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from pycrdt import Doc, Text

from . import limits
from .editor import ROOTS
from .http_pool import HttpPool
from .ledger import (
    Key,
    count_complaint,
    document_complaints,
    ticker_complaints,
)
from .plan import Plan
from .room import Room
from .seat import House, until
from .traffic import Additions


async def settle(house: House, rooms: list[Room]) -> list[str]:
    """Everybody comes back and has heard everything; who has not after a while is complained about."""
    house.closing = True
    await until(lambda: not any(seat.away for room in rooms for seat in room.seats))
    for room in rooms:
        for editor in room.editors:
            if not editor.away:
                editor.ask()
    await until(lambda: not any(behind(room) for room in rooms))
    return [why for room in rooms if (why := behind(room))]


def behind(room: Room) -> str:
    """Who in a room is not where the others are; empty: nobody."""
    away = [seat.member_id for seat in room.seats if seat.away]
    if away:
        return f"{room.name}: {', '.join(away)} could not come back"

    late = [member.member_id for member in room.members if (member.seq or 0) < room.ledger.seq]
    unsynced = [editor.member_id for editor in room.editors if not editor.synced]
    texts = {tuple(editor.text) for editor in room.editors}
    if late or unsynced or len(texts) > 1 or any(room.ledger.lost()):
        return f"{room.name}: late {late}, not synced {unsynced}, {len(texts)} texts"

    return ""


class Closing:
    """Compares with the host. Each check is a list of complaints."""

    def __init__(self, house: House, http: HttpPool) -> None:
        self._house = house
        self._http = http

    async def rooms(self, rooms: list[Room]) -> list[str]:
        """Messages exactly once, in one order, and as the host has them; presence; documents."""
        return await self._each(rooms, self._room)

    async def counters(self, counters: list[Additions]) -> list[str]:
        """What was added."""
        return await self._each(counters, self._counter)

    async def tickers(self, plan: Plan, seconds: float) -> list[str]:
        """Alarms, since so many seconds ago."""

        async def check(number: int) -> list[str]:
            name = ticker_name(number)
            report = await self._house.env.TICKER.get_by_name(name).report()
            return list(ticker_complaints(name, report, seconds, plan.alarm_ms))

        return await self._each(list(range(plan.tickers)), check)

    async def _room(self, room: Room) -> list[str]:
        found = [*room.ledger.complaints, *room.ledger.lost()]
        answer = await self._http.ask("GET", f"{room.path}/history?limit={limits.KEPT_MESSAGES}")
        history = [key_of(item) for item in answer.json()["items"]]
        found += room.ledger.differs(history)
        found += await self._presence(room)
        if room.is_document:
            found += await self._document(room)
        return found

    async def _presence(self, room: Room) -> list[str]:
        present = {
            member.member_id: member.presence.get("at")
            for member in await room.handle.members(limit=1_000)
        }
        return [
            f"{room.name}: {member.member_id} is at {present.get(member.member_id)}, not at any of "
            f"{member.presence}"
            for member in room.members
            if present.get(member.member_id) not in member.presence
        ]

    async def _document(self, room: Room) -> list[str]:
        doc: Doc[Any] = Doc()
        doc.apply_update(await room.handle.export_update())
        texts = {"host": [str(doc.get(name, type=Text)) for name in ROOTS]}
        texts |= {editor.member_id: editor.text for editor in room.editors}
        return list(document_complaints(room.name, texts))

    async def _counter(self, counter: Additions) -> list[str]:
        found = await self._house.env.COUNTER.get_by_name(counter.name).read()
        return list(count_complaint(counter.name, found, counter.acked, counter.unknown))

    async def _each(
        self, things: list[Any], check: Callable[[Any], Awaitable[list[str]]]
    ) -> list[str]:
        limit = asyncio.Semaphore(limits.CHECKED_AT_ONCE)
        found: list[str] = []

        async def one(thing: Any) -> None:
            async with limit:
                try:
                    found.extend(await check(thing))
                except Exception as error:
                    found.append(f"{getattr(thing, 'name', thing)} could not be checked: {error!r}")

        await asyncio.gather(*map(one, things))
        return found


def key_of(item: dict[str, Any]) -> Key:
    """Of a message of the history."""
    return item["data"]["w"], item["data"]["n"]


def counter_name(load: int, number: int) -> str:
    """Of a counter that one process adds to."""
    return f"counter-{load}-{number}"


def ticker_name(number: int) -> str:
    """Of an object that wakes itself up."""
    return f"ticker-{number}"
