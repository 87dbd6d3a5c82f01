"""What a room promises its clients, each promise as a function over what they saw."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from .room_events import (
    Acknowledged,
    Final,
    Heard,
    Left,
    Lived,
    Message,
    Read,
    Refused,
    Subscribed,
    View,
)

RESUMED_MESSAGES = 5  # at most, of a resume

Events = Sequence[Any]
Complaints = Iterator[str]


def finals(events: Events) -> dict[str, Final]:
    """What each room was in the end."""
    return {event.room: event for event in events if isinstance(event, Final)}


def acknowledged_once(events: Events) -> Complaints:
    """An acknowledged message is there, once, under the id that its publisher was told; and no key
    is there twice, whoever tried it how often."""
    found = {room: dict[str, list[str]]() for room in finals(events)}
    for room, final in finals(events).items():
        for message_id, key in final.messages:
            found[room].setdefault(key, []).append(message_id)
        for key, ids in found[room].items():
            if len(ids) > 1:
                yield f"{key} is {len(ids)} times in {room}"
    for event in events:
        if isinstance(event, Acknowledged) and event.room in found:
            ids = found[event.room].get(event.key, [])
            if ids != [event.message_id]:
                yield f"{event.key} was acknowledged in {event.room} as {event.message_id}: {ids}"


def one_order(events: Events) -> Complaints:
    """Whatever anybody has ever heard or read is at its place in the end: everybody has the same
    order, and nothing was shown that was not to stay."""
    ends = finals(events)
    for event in events:
        if isinstance(event, Heard) and event.room in ends:
            if _at(ends[event.room].messages, event.seq) != event.message:
                yield f"{event.client} heard {event.message} as {event.seq} of {event.room}"
        elif isinstance(event, Read) and event.room in ends:
            if ends[event.room].messages[: len(event.messages)] != event.messages:
                yield f"a reader of {event.room} found what is no beginning: {event.messages}"


def without_gaps(events: Events) -> Complaints:
    """Over resumes too, a subscriber hears every message once, in order; or is told that it cannot,
    which it may be when it misses more than RESUMED_MESSAGES."""
    at: dict[tuple[str, str], tuple[int, int]] = {}  # connection, and how far it has come
    for event in events:
        if isinstance(event, Subscribed):
            start = event.seq
            if event.asked is not None and event.recovered:
                start = event.asked
            elif event.asked is not None and event.seq - event.asked <= RESUMED_MESSAGES:
                yield f"{event.client} was not resumed: {event}"
            at[event.room, event.client] = event.connection, start
        elif isinstance(event, Heard):
            connection, seq = at.get((event.room, event.client), (0, 0))
            if connection != event.connection:
                yield f"{event.client} heard {event.seq} before it was greeted"
            elif event.seq != seq + 1:
                yield f"{event.client} heard {event.seq} of {event.room} after {seq}"
            at[event.room, event.client] = event.connection, event.seq


def presence_converges(events: Events) -> Complaints:
    """In the end everybody sees the same members, who are those that are connected, and has heard
    everything; and the directory counts the same."""
    ends = finals(events)
    for room, final in ends.items():
        if final.members != final.expected:
            yield f"members of {room} are {final.members}, connected are {final.expected}"
    for event in events:
        if isinstance(event, View):
            final = ends[event.room]
            if event.members != final.members:
                yield f"{event.client} sees {event.members} in {event.room}: {final.members}"
            if event.seq != len(final.messages):
                yield f"{event.client} has heard {event.seq} of {len(final.messages)}"
    counted = (
        sum(bool(final.messages or final.members) for final in ends.values()),
        sum(len(final.members) for final in ends.values()),
        sum(len(final.messages) for final in ends.values()),
    )
    for final in ends.values():
        if final.counted[1:] != counted[1:] or final.counted[0] < counted[0]:
            yield f"the directory counts {final.counted}, there are {counted}"


def the_living_stay(events: Events) -> Complaints:
    """Nobody leaves, by whatever reason, while its connection is well and it has not said so; and
    nobody leaves twice at one moment."""
    lived = [event for event in events if isinstance(event, Lived)]
    told = Counter(event for event in events if isinstance(event, Left))
    for left in told:
        for life in lived:
            same = (life.room, life.member) == (left.room, left.member)
            if same and life.from_ms < left.left_ms < life.to_ms:
                yield f"{left} though it lived: {life}"


def nothing_refused(events: Events) -> Complaints:
    """Nobody is refused what it may do."""
    for event in events:
        if isinstance(event, Refused):
            yield f"{event.client} was refused {event.kind} in {event.room}: {event.code}"


CHECKS: tuple[Callable[[Events], Complaints], ...] = (
    acknowledged_once,
    one_order,
    without_gaps,
    presence_converges,
    the_living_stay,
    nothing_refused,
)


def _at(messages: tuple[Message, ...], seq: int) -> Message | None:
    return messages[seq - 1] if 0 < seq <= len(messages) else None
