"""The one record that says what a room is: its life, its place in the order, its end."""

from __future__ import annotations

import msgspec

from .errors import Unavailable


class Destroyed(msgspec.Struct, frozen=True):
    """The end of a room: when, and what was deleted on request by then."""

    at_ms: int
    history: bool = False
    snapshots: bool = False
    crdt_updates: bool = False


class Head(msgspec.Struct):
    """A room's record, as stored. Times are milliseconds since the epoch, 0 is never.

    `generation`: which life of the name this is, from 1. `epoch`: that life as clients know it.
    `written`: a write has happened, it counts as a room. `first_seq`: the oldest message that can
    be read. `seq`, `last_ms`: at least so far are the order and the clock; the newest message may be
    further. `members`: records that have not left. `version`: of the figures that the directory has.
    """

    generation: int = 1
    epoch: str = ""
    written: bool = False
    created_ms: int = 0
    first_seq: int = 1
    seq: int = 0
    last_ms: int = 0
    activity_ms: int = 0
    disconnected_ms: int = 0
    metadata_ms: int = 0
    members: int = 0
    version: int = 0
    destroyed: Destroyed | None = None


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Head).decode


def encode_head(head: Head) -> bytes:
    """A head as it is stored."""
    return _encode(head)


def decode_head(data: object) -> Head:
    """A stored head. Unavailable: it cannot be read; nothing may be written over it."""
    try:
        if isinstance(data, bytes):
            return _decode(data)
    except (msgspec.MsgspecError, UnicodeError):
        pass
    raise Unavailable(
        "the state of this room cannot be read: restore it from a backup", code="unavailable"
    )
