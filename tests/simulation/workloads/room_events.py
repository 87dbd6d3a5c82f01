"""What the clients of rooms see: the history that `room_checks.py` looks at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Message = tuple[str, str]  # its id, and the idempotency key that it was published with


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A message was published, as its publisher was told."""

    room: str
    key: str
    message_id: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A client was refused what it may do, and not because of a trouble that passes."""

    room: str
    client: str
    kind: str
    code: str


@dataclass(frozen=True, slots=True)
class Subscribed:
    """A connection was greeted: the room had come to `seq`. `asked`: the client's own position, which
    it wanted to go on from; `recovered`: whether it does."""

    room: str
    client: str
    connection: int
    seq: int
    asked: int | None
    recovered: bool | None


@dataclass(frozen=True, slots=True)
class Heard:
    """A message came over a connection."""

    room: str
    client: str
    connection: int
    seq: int
    message: Message


@dataclass(frozen=True, slots=True)
class Read:
    """All messages, the oldest first, as one who reads them page by page found them."""

    room: str
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class Lived:
    """A member had a connection that nothing was wrong with, from its greeting until then."""

    room: str
    member: str
    from_ms: int
    to_ms: int


@dataclass(frozen=True, slots=True)
class Left:
    """A member has left, as a listener was told: when, and why."""

    room: str
    member: str
    left_ms: int
    reason: str


@dataclass(frozen=True, slots=True)
class View:
    """What a client that is connected in the end has: how far it has heard, and who is here with
    which presence, by what it was told."""

    room: str
    client: str
    seq: int
    members: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Final:
    """What the room is in the end, as code reads it. `expected`: who is connected then, with the
    presence that each has set. `counted`: what the directory says of all rooms: how many rooms,
    members, messages."""

    room: str
    messages: tuple[Message, ...]
    members: dict[str, Any]
    expected: dict[str, Any]
    counted: tuple[int, int, int]
