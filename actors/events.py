"""What a connection to a room hears, as values."""

from __future__ import annotations

from typing import Any

import msgspec

from .errors import RealtimeError, error_of
from .types import RealtimeHistoryMessage


class RealtimeEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A push of a room. `type`: `message`, `member.joined`, `presence.updated`, ... as on the wire;
    `fields`: the rest of it. A message has its place in the room's order, `seq`, and is in `message`.

    `connected` comes with every connection, the first and later ones; after it `gap`, when what was
    missed meanwhile cannot be had: read the history. Its `reason` is `epoch_changed`, the room began
    anew, or `insufficient_state`, it was too much or is kept no more.
    """

    type: str
    fields: dict[str, Any] = {}
    seq: int | None = None
    message: RealtimeHistoryMessage | None = None


class Wire(msgspec.Struct, rename="camel"):
    """A frame of the server, as far as a client tells frames apart."""

    type: str
    id: int | None = None
    seq: int | None = None
    message: msgspec.Raw = msgspec.Raw()
    result: msgspec.Raw = msgspec.Raw()
    code: str = ""
    retryable: bool = False
    field: str | None = None
    retry_after_ms: int | None = None
    epoch: str = ""
    recovered: bool | None = None
    reason: str | None = None


_wire = msgspec.json.Decoder(Wire)
_message = msgspec.json.Decoder(RealtimeHistoryMessage)
_fields = msgspec.json.Decoder(dict[str, Any])
_text = msgspec.json.Decoder(str)


def read_wire(text: str | bytes) -> Wire:
    """A frame of the server."""
    return _wire.decode(text)


def event_of(wire: Wire, text: str | bytes) -> RealtimeEvent:
    """The event that a frame is."""
    if wire.type == "message":
        return RealtimeEvent(type="message", seq=wire.seq, message=_message.decode(wire.message))

    fields = _fields.decode(text)
    kind = fields.pop("type")
    return RealtimeEvent(type="connected" if kind == "welcome" else kind, fields=fields)


def refusal_of(wire: Wire) -> RealtimeError:
    """The error that an error frame is."""
    message = _text.decode(wire.message) if bytes(wire.message) else wire.code
    failure = error_of(wire.code, message)
    failure.retryable = wire.retryable
    failure.field = wire.field
    failure.retry_after_ms = wire.retry_after_ms
    return failure
