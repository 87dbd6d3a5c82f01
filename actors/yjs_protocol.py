"""The binary frames of y-protocols: sync, awareness, auth; one frame is one message of a WebSocket.

Pure. What a frame carries is taken out, not looked into: an update is for `yjs_guard`, a state of
awareness for `awareness`. (realtime.md 2.4; y-protocols' PROTOCOL.md)
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from .errors import InvalidArgument
from .limits import MAX_AWARENESS_CLOCK
from .varints import read_var_bytes, read_varuint, write_var_bytes, write_varuint

if TYPE_CHECKING:
    from collections.abc import Iterable

LEAST_ENTRY_BYTES = 3  # an id, a clock, and a text, each of one byte at least
NULL = b"null"


class YjsKind(Enum):
    """What a frame is, by the integers that it begins with."""

    SYNC_STEP_1 = b"\x00\x00"  # what the sender has, as a state vector
    SYNC_STEP_2 = b"\x00\x01"  # what the receiver misses, as an update
    UPDATE = b"\x00\x02"
    AWARENESS = b"\x01"
    PERMISSION_DENIED = b"\x02\x00"
    QUERY_AWARENESS = b"\x03"
    # An extension, within the host alone: what became of the sender's step 2 or update.
    STATUS = b"\x08"


class YjsFrame(NamedTuple):
    """`data`: the state vector, the update, the payload of awareness, the reason in UTF-8; of a status
    one byte, 1 for applied and durable, 0 for denied; empty of a query."""

    kind: YjsKind
    data: bytes


class AwarenessEntry(NamedTuple):
    """What is said of one client. `state`: the text of its JSON, None for one who has left."""

    client: int
    clock: int
    state: bytes | None


_OF_TWO_BYTES = {kind.value: kind for kind in YjsKind if len(kind.value) == 2}
_OF_ONE_BYTE = {kind.value: kind for kind in YjsKind if len(kind.value) == 1}
_STATUSES = (b"\x00", b"\x01")


def read_frame(data: bytes) -> YjsFrame:
    """Take a frame apart. InvalidArgument: it is of no known kind, ends too early, or goes on."""
    kind = _OF_TWO_BYTES.get(data[:2])
    if kind is not None:
        content, end = read_var_bytes(data, 2)
    else:
        kind = _OF_ONE_BYTE.get(data[:1])
        if kind is YjsKind.AWARENESS:
            content, end = read_var_bytes(data, 1)
        elif kind is YjsKind.QUERY_AWARENESS:
            content, end = b"", 1
        elif kind is YjsKind.STATUS and data[1:2] in _STATUSES:
            content, end = data[1:2], 2
        else:
            raise InvalidArgument(
                f"a frame of y-protocols begins with its kind, not with {data[:2].hex(' ')!r}"
            )

    if end != len(data):
        raise InvalidArgument(f"{len(data) - end} bytes follow the end of the frame")

    return YjsFrame(kind, content)


def sync_step_1(vector: bytes) -> bytes:
    """What the sender has: its state vector."""
    return b"\x00\x00" + write_var_bytes(vector)


def sync_step_2(update: bytes) -> bytes:
    """The answer to step 1: all that the other misses."""
    return b"\x00\x01" + write_var_bytes(update)


def update(update: bytes) -> bytes:
    """What was changed."""
    return b"\x00\x02" + write_var_bytes(update)


def awareness(payload: bytes) -> bytes:
    """Who is aware, as `awareness_payload` wrote it."""
    return b"\x01" + write_var_bytes(payload)


def query_awareness() -> bytes:
    """Ask who is aware."""
    return YjsKind.QUERY_AWARENESS.value


def permission_denied(reason: str) -> bytes:
    """Something the client sent was ignored, because it may not do that."""
    return YjsKind.PERMISSION_DENIED.value + write_var_bytes(reason.encode())


def status(applied: bool) -> bytes:
    """What became of a step 2 or an update: it is applied and durable, or was denied."""
    return b"\x08\x01" if applied else b"\x08\x00"


def read_awareness(payload: bytes) -> list[AwarenessEntry]:
    """Whom a payload of awareness tells of. The states are not looked into.

    InvalidArgument: it is not framed as y-protocols does it, or a clock is over 2^32-1.
    """
    count, at = read_varuint(payload, 0)
    if count * LEAST_ENTRY_BYTES > len(payload) - at:
        raise InvalidArgument(
            f"awareness of {count} clients is announced, and {len(payload) - at} bytes are left"
        )

    entries: list[AwarenessEntry] = []
    for _ in range(count):
        client, at = read_varuint(payload, at)
        clock, at = read_varuint(payload, at)
        if clock > MAX_AWARENESS_CLOCK:
            raise InvalidArgument(f"a clock of awareness is at most 2^32-1, not {clock}")

        state, at = read_var_bytes(payload, at)
        entries.append(AwarenessEntry(client, clock, None if state == NULL else state))
    if at != len(payload):
        raise InvalidArgument(f"{len(payload) - at} bytes follow the awareness of {count} clients")

    return entries


def awareness_payload(entries: Iterable[AwarenessEntry]) -> bytes:
    """The payload that tells of them."""
    parts = [b""]
    for entry in entries:
        parts.append(write_varuint(entry.client) + write_varuint(entry.clock))
        parts.append(write_var_bytes(NULL if entry.state is None else entry.state))
    parts[0] = write_varuint(len(parts) // 2)
    return b"".join(parts)
