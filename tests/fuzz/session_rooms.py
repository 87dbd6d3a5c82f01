"""A hostile client among others of a room: with objects as frames, or with documents of Hocuspocus."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

from roomhost.actors import errors
from roomhost.actors.frames import Protocol
from roomhost.actors.hocuspocus_protocol import CloseCode

from ..helpers.hocuspocus import desk_for
from ..helpers.room_sockets import Client, Hall, hall_for, user
from .changes import changed
from .target import demand
from .targets.objects import FRAMES, PACKED
from .targets.yjs import HOCUSPOCUS

REFUSALS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, errors.RealtimeError) and kind.code != "internal"
]
CODES = frozenset(code for kind in REFUSALS for code in (kind.code, *kind.other_codes))
CLOSES = frozenset(kind.close_code for kind in REFUSALS) | {1000, 1003, 1009}
REFILLED_SECONDS = (
    3  # that a client waits before it sends more, so that its rate bounds no sequence
)
CAPABILITIES = (
    "publish",
    "subscribe",
    "presence",
    "history",
    "metadata",
    "crdt:read",
    "crdt:write",
)


async def play_rooms(random: Random, directory: Path, frames: int, outcomes: Counter[str]) -> None:
    """In both protocols; an honest client of the same room is asked in the end."""
    protocol = random.choice((Protocol.JSON, Protocol.MSGPACK))
    seeds = FRAMES if protocol is Protocol.JSON else PACKED
    async with hall_for(data_dir=directory) as hall:
        honest = await hall.open_quietly(user("honest"))
        hostile = await hall.open_quietly(user("hostile", *CAPABILITIES), protocol=protocol)
        for _ in range(frames):
            data = changed(random, seeds)
            message = data.decode(errors="replace") if protocol is Protocol.JSON else data
            await _check_answer(hostile, message, outcomes)
            if hostile.end is not None:
                break
            await hall.clock.advance(REFILLED_SECONDS)
        await _check_whole(hall, honest)


async def _check_answer(client: Client, message: str | bytes, outcomes: Counter[str]) -> None:
    heard = await client.say(message)
    answers = [frame for frame in heard if frame["type"] in ("ack", "error", "pong")]
    if client.end is not None:
        demand(client.end[0] in CLOSES, "a close that nobody documents", client.end, message)
        outcomes[f"closed {client.end[0]}"] += 1
        return

    demand(len(answers) == 1, "one frame has one answer", message, heard)
    answer: dict[str, Any] = answers[0]
    if answer["type"] == "error":
        demand(answer["code"] in CODES, "a code that nobody documents", answer, message)
    outcomes[answer.get("code", answer["type"])] += 1


async def _check_whole(hall: Hall, honest: Client) -> None:
    """Who is honest is still heard, and hears."""
    honest.take()
    demand(honest.end is None, "an honest client was closed", honest.end)
    answer = await honest.ask("publish", message={"type": "note", "data": 1})
    demand(answer["type"] == "ack", "an honest client was refused", answer)
    demand("message" in honest.types(), "an honest client hears nothing")
    await hall.sleep()
    demand(await honest.ask("history"), "a room that slept says nothing")


async def play_hocuspocus(
    random: Random, directory: Path, frames: int, outcomes: Counter[str]
) -> None:
    """One socket with many documents; an honest provider types in the end."""
    async with desk_for() as desk:
        honest = await desk.dial().opened("doc")
        caller = desk.dial()
        opens = random.random() < 0.8
        if opens:
            await caller.opened("doc\x00session", 7)
        for _ in range(frames):
            caller.ws.send(changed(random, HOCUSPOCUS))
            await desk.settle()
            if caller.end is not None:
                demand(caller.end[0] in _ENDS, "a close that nobody documents", caller.end)
                outcomes[f"closed {caller.end[0]}"] += 1
                break
            outcomes["open"] += 1
        honest.text.insert(0, "x")
        await desk.settle()
        demand(
            not honest.unsynced and not honest.closed, "an honest provider is lost", honest.closed
        )
        late = await desk.dial().opened("doc", 9)
        demand(str(late.text) == str(honest.text), "documents differ", str(late.text))


_ENDS = CLOSES | {int(code) for code in CloseCode}
