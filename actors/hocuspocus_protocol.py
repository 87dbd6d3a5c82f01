"""The frames of Hocuspocus: many documents over one socket, each frame behind the name of its own.

Pure. Behind the name and a type comes what y-protocols has behind the same type, so that a frame of a
room goes on as it is. (realtime.md 2.2; `@hocuspocus/provider` 4, MessageReceiver and CloseEvents)
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from .errors import InvalidArgument
from .limits import MAX_DOCUMENT_KEY_BYTES
from .varints import read_var_bytes, read_var_text, read_varuint, write_var_bytes
from .yjs_protocol import YjsKind

SESSION = b"\x00"  # between the name of a document and the id of a session
PING = b"\x09"
PONG = b"\x0a"


class MessageType(IntEnum):
    """What follows the name."""

    SYNC = 0
    AWARENESS = 1
    AUTH = 2
    QUERY_AWARENESS = 3
    SYNC_REPLY = 4  # as SYNC; of clients alone, whose own do not know it
    STATELESS = 5
    BROADCAST_STATELESS = 6
    CLOSE = 7
    SYNC_STATUS = 8


class AuthType(IntEnum):
    """What follows the type AUTH."""

    TOKEN = 0  # of a client with its token; of a server, which asks for one, with nothing
    DENIED = 1
    AUTHENTICATED = 2


class CloseCode(IntEnum):
    """Why the whole socket is closed, as stock clients know it. They connect again after each."""

    RESET = 4205
    UNAUTHORIZED = 4401
    TIMEOUT = 4408


class HocuspocusFrame(NamedTuple):
    """`key`: which document, its name and perhaps a session's id. `type`: a `MessageType`, or one that
    nobody knows. `data`: what follows."""

    key: bytes
    type: int
    data: bytes


def read_frame(data: bytes) -> HocuspocusFrame:
    """Take a frame apart. InvalidArgument: it has no name, one that is too long, or no type."""
    key, at = read_var_bytes(data, 0)
    if len(key) > MAX_DOCUMENT_KEY_BYTES:
        raise InvalidArgument(
            f"the name of a document, with a session, is at most {MAX_DOCUMENT_KEY_BYTES} bytes"
        )

    kind, at = read_varuint(data, at)
    return HocuspocusFrame(key, kind, data[at:])


def name_of(key: bytes) -> str:
    """The name of the document. InvalidArgument: it is not UTF-8."""
    try:
        return key.partition(SESSION)[0].decode()
    except UnicodeDecodeError:
        raise InvalidArgument("the name of a document is UTF-8", field="name") from None


def read_token(data: bytes) -> str:
    """The token behind the type AUTH, empty if the client has none. What follows it, the version of
    the client, says nothing we need. InvalidArgument: it is no token."""
    kind, at = read_varuint(data, 0)
    if kind != AuthType.TOKEN:
        raise InvalidArgument("a client sends its token, and nothing else of authentication")

    return read_var_text(data, at)[0]


def to_room(frame: HocuspocusFrame) -> bytes | None:
    """The frame of y-protocols that a room gets of it; None: it is not for the room."""
    if frame.type in (MessageType.SYNC, MessageType.SYNC_REPLY):
        return b"\x00" + frame.data

    if frame.type == MessageType.AWARENESS:
        return YjsKind.AWARENESS.value + frame.data

    return YjsKind.QUERY_AWARENESS.value if frame.type == MessageType.QUERY_AWARENESS else None


def from_room(prefix: bytes, frame: bytes) -> bytes | None:
    """What a client gets of a room's frame, behind the `prefix` of its document; None: nothing. That
    an update was denied is in the status which follows; here the same bytes ask for a token."""
    return None if frame.startswith(YjsKind.PERMISSION_DENIED.value) else prefix + frame


def prefix_of(key: bytes) -> bytes:
    """What every frame of a document begins with."""
    return write_var_bytes(key)


def authenticated(prefix: bytes, readonly: bool) -> bytes:
    """The document is open."""
    scope = b"readonly" if readonly else b"read-write"
    return _auth(prefix, AuthType.AUTHENTICATED, write_var_bytes(scope))


def denied(prefix: bytes, reason: str) -> bytes:
    """The document is not opened. The client may try another token."""
    return _auth(prefix, AuthType.DENIED, write_var_bytes(reason.encode()))


def token_request(prefix: bytes) -> bytes:
    """Ask for a new token."""
    return _auth(prefix, AuthType.TOKEN, b"")


def close(prefix: bytes, reason: str) -> bytes:
    """The document is closed; the others are not."""
    return prefix + bytes((MessageType.CLOSE,)) + write_var_bytes(reason.encode())


def _auth(prefix: bytes, kind: AuthType, rest: bytes) -> bytes:
    return prefix + bytes((MessageType.AUTH, kind)) + rest
