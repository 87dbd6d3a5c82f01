"""Who sits where: all clients of one process, connected before the traffic begins."""

from __future__ import annotations

import asyncio

from .editor import ROOTS, Editor, Reader
from .member import Member
from .plan import Plan
from .room import Room
from .seat import House

DOCUMENT_EVERY = 5  # rooms: one of so many has a document


def rooms_of(plan: Plan, house: House, load: int) -> list[Room]:
    """Those of one process, with their seats. Of a room with a document two are editors, half of the
    others listen to it, and the rest are members."""
    numbers = range(load, plan.rooms, plan.loads)
    rooms = [
        Room(house, number, is_document=number // plan.loads % DOCUMENT_EVERY == 0)
        for number in numbers
    ]
    for seat in range(plan.sockets):
        number = seat % plan.rooms
        if number % plan.loads == load:
            place(house, rooms[number // plan.loads], seat)
    return rooms


def place(house: House, room: Room, number: int) -> None:
    """One seat more."""
    if room.is_document and len(room.editors) < len(ROOTS):
        editor = Editor(house, room, number, len(room.editors))
        room.editors.append(editor)
        room.readers.append(editor)
    elif room.is_document and len(room.readers) <= len(room.members):
        room.readers.append(Reader(house, room, number))
    else:
        room.members.append(Member(house, room, number))


async def seat_all(rooms: list[Room]) -> None:
    """Connect everybody."""
    await asyncio.gather(*(seat.come() for room in rooms for seat in room.seats))


async def leave_all(rooms: list[Room]) -> None:
    """Close everything."""
    for room in rooms:
        for seat in room.seats:
            if not seat.away:
                seat.away = True
                seat.hang_up(clean=True)
    await asyncio.sleep(0)
