"""What a connection to a room hears, as values."""

from __future__ import annotations

from typing import Any

import msgspec

from .types import RealtimeHistoryMessage


class RealtimeEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A push of a room. `type`: `message`, `member.joined`, `presence.updated`, ... as on the wire;
    `fields`: the rest of it. A message has its place in the room's order, `seq`, and is in `message`.

    `connected` comes with every connection, the first and later ones; `gap` when what was missed
    meanwhile cannot be had: read the history.
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
    return RealtimeEvent(type=fields.pop("type"), fields=fields)


def message_of(wire: Wire) -> str:
    """The words of an error frame."""
    return _text.decode(wire.message) if bytes(wire.message) else wire.code
