"""Which thing of a module a path names, and how it may be asked for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from .errors import InvalidArgument, NotFound
from .names import check_name
from .operations import BY_PATH

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .operations import Operation
    from .types import Kind

# A CRDT room is the room of its name (realtime.md 5.1).
KINDS: dict[bytes, Kind] = {b"rooms": "room", b"channels": "channel", b"crdt": "room"}
MALFORMED = re.compile(rb"%(?![0-9A-Fa-f]{2})")
READS = ("GET", "HEAD", "OPTIONS")
WRITES = ("POST", "OPTIONS")


class Endpoint(Enum):
    """What answers."""

    OPERATION = "an operation of a room or a channel"
    SOCKET = "its WebSocket"
    HOCUSPOCUS = "a WebSocket for many documents"
    STATS = "how many rooms, members and messages there are"
    LISTING = "the names of rooms, or of channels"
    OPENAPI = "the description of the rest"


@dataclass(frozen=True, slots=True)
class Target:
    """`kind`: of a room or a listing. `name`: of a room or a channel. `methods`: that it answers.
    `yjs`: of a socket, it speaks y-protocols, whatever is offered."""

    endpoint: Endpoint
    methods: tuple[str, ...] = READS
    kind: Kind = "room"
    name: str = ""
    operation: Operation | None = None
    yjs: bool = False


ALONE: dict[bytes, Target] = {
    b"stats": Target(Endpoint.STATS),
    b"openapi.json": Target(Endpoint.OPENAPI),
    b"rooms": Target(Endpoint.LISTING),
    b"channels": Target(Endpoint.LISTING, kind="channel"),
    b"hocuspocus": Target(Endpoint.HOCUSPOCUS, yjs=True),
}


def find_target(segments: Sequence[bytes]) -> Target:
    """What the segments below the module's path name, as they were sent: percent-encoded.

    NotFound: nothing. InvalidArgument: the name is none of a room; channels have no such operation.
    """
    if len(segments) == 1 and segments[0] in ALONE:
        return ALONE[segments[0]]

    if len(segments) == 2 and segments[0] == b"yjs":
        return Target(Endpoint.SOCKET, READS, "room", decode_name(segments[1]), yjs=True)

    if len(segments) != 3 or segments[0] not in KINDS:
        raise NotFound("there is nothing at this path: openapi.json, beside it, says what there is")

    kind = KINDS[segments[0]]
    if segments[2] == b"ws":
        return Target(Endpoint.SOCKET, READS, kind, decode_name(segments[1]))

    operation = BY_PATH.get(segments[2].decode("latin-1"))
    if operation is None:
        raise NotFound("there is no such operation: openapi.json says which there are")

    operation.check_kind(kind)
    if operation.of_documents and segments[0] != b"crdt":
        raise NotFound(f"{operation.path} is an operation of the room below /crdt/")

    name = decode_name(segments[1])
    methods = READS if operation.reads else WRITES
    return Target(Endpoint.OPERATION, methods, kind, name, operation)


def decode_name(segment: bytes) -> str:
    """The name in one segment. InvalidArgument: it is no percent-encoded UTF-8, or no name."""
    if MALFORMED.search(segment):
        raise InvalidArgument("name is percent-encoded: write % as %25", field="name")

    try:
        name = unquote_to_bytes(segment).decode()
    except UnicodeDecodeError:
        raise InvalidArgument("name is percent-encoded UTF-8", field="name") from None

    check_name(name, "name")
    return name
