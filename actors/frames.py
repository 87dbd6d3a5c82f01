"""The frames of a WebSocket, as contract and code: JSON text, or the same objects as MessagePack.

Pure. What comes is taken apart without a look at its fields; those are the operation's to check.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

import msgspec

from . import limits, packed_values
from .errors import InvalidArgument, RealtimeError
from .json_values import encode

Raw = msgspec.Raw
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_text = msgspec.json.Decoder(str)
_to_msgpack = msgspec.msgpack.Encoder().encode

# Whose input is under a name of its own, because it has a `type` itself.
UNDER_MESSAGE = frozenset(("publish", "broadcast"))
# Other names of a field, which the vendor's clients use.
ALIASES = {"presence": ("state", "presence")}
PONG = b'{"type":"pong"}'


class Protocol(Enum):
    """A subprotocol, by its name."""

    JSON = "roomhost.v1.json"
    MSGPACK = "roomhost.v1.msgpack"
    YJS = "yjs.sync.v1"  # y-protocols, in binary frames: see yjs_protocol.py


OBJECTS = (Protocol.JSON, Protocol.MSGPACK)  # whose frames are objects


class Frame(msgspec.Struct, frozen=True):
    """What a client sent: `kind` is its `type`, `id` the JSON of its id if it has one, `body` the
    JSON of its input, whose fields are below `root` of the frame."""

    kind: str
    id: bytes | None
    body: bytes
    root: str = ""


def read(message: str | bytes, protocol: Protocol) -> Frame:
    """Take a frame apart. InvalidArgument: it is no object with a `type`, or of the wrong kind."""
    if (protocol is Protocol.JSON) is not isinstance(message, str):
        kind = "text" if protocol is Protocol.JSON else "binary"
        raise InvalidArgument(f"frames of {protocol.value} are {kind} frames")

    fields = _read_fields(message)
    frame_id = fields.pop("id", None)
    if frame_id is not None and len(bytes(frame_id)) > limits.MAX_FRAME_ID_BYTES:
        raise InvalidArgument(f"id is at most {limits.MAX_FRAME_ID_BYTES} bytes", field="id")

    kind = _read_type(fields.pop("type", None))
    number = None if frame_id is None else bytes(frame_id)
    if kind in UNDER_MESSAGE:
        body = fields.pop("message", None)
        if body is None:
            raise InvalidArgument(f"message is missing: the message to {kind}", field="message")

        for unknown in fields:
            raise InvalidArgument(f"{unknown}: a {kind} frame has no such field", field=unknown)
        return Frame(kind, number, bytes(body), "message")

    alias, name = ALIASES.get(kind, ("", ""))
    if alias in fields:
        if name in fields:
            raise InvalidArgument(f"{alias} and {name} are the same: give one", field=alias)
        fields[name] = fields.pop(alias)
    return Frame(kind, number, _object(fields))


def id_of(message: str | bytes, protocol: Protocol) -> bytes | None:
    """The id of a frame that could not be read, if it has one that can be told."""
    try:
        frame_id = _read_fields(message).get("id")
    except (InvalidArgument, RecursionError):
        return None

    return (
        None
        if frame_id is None or len(bytes(frame_id)) > limits.MAX_FRAME_ID_BYTES
        else bytes(frame_id)
    )


def size_of(message: str | bytes) -> int:
    """The bytes of a frame, of a text in UTF-8."""
    if isinstance(message, bytes) or message.isascii():
        return len(message)

    return len(message.encode(errors="surrogatepass"))


def ack(frame_id: bytes | None, result: bytes) -> bytes:
    """The answer to a frame, once what it did is durable."""
    number = b"" if frame_id is None else b'"id":%b,' % frame_id
    return b'{"type":"ack",%b"result":%b}' % (number, result)


def error(frame_id: bytes | None, failure: RealtimeError) -> bytes:
    """The answer to a frame that was refused."""
    fields: dict[str, Any] = {"type": "error"}
    if frame_id is not None:
        fields["id"] = Raw(frame_id)
    fields |= {
        "code": failure.code,
        "message": failure.message[: limits.MAX_ERROR_CHARACTERS],
        "retryable": failure.retryable,
    }
    if failure.field is not None:
        fields["field"] = failure.field[: limits.MAX_ERROR_CHARACTERS]
    if failure.retry_after_ms is not None:
        fields["retryAfterMs"] = failure.retry_after_ms
    return encode(fields)


def written(frame: bytes, protocol: Protocol) -> str | bytes:
    """A frame as it goes to a client of a protocol that has JSON values in its frames."""
    if protocol is Protocol.JSON:
        return frame.decode()

    return _to_msgpack(msgspec.json.decode(frame))


def _read_fields(message: str | bytes) -> dict[str, msgspec.Raw]:
    try:
        if isinstance(message, bytes):
            message = encode(packed_values.decode(message)).decode()
        return _fields.decode(message)
    except RecursionError:
        raise InvalidArgument(f"a frame is nested at most {limits.MAX_JSON_DEPTH} deep") from None
    except (msgspec.MsgspecError, UnicodeError, ValueError, TypeError) as failure:
        if isinstance(failure, RealtimeError):
            raise
        raise InvalidArgument(f"a frame is an object with a type: {failure}") from None


def _read_type(raw: msgspec.Raw | None) -> str:
    try:
        if raw is not None:
            return _text.decode(raw)
    except msgspec.MsgspecError:
        pass
    raise InvalidArgument("type is missing, or is no text: it says what a frame is", field="type")


def _object(fields: dict[str, msgspec.Raw]) -> bytes:
    return encode(fields)
