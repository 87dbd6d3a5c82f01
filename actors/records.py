"""Messages as they are stored: the JSON of a RealtimeHistoryMessage, spliced and never re-encoded."""

from __future__ import annotations

import msgspec

from .json_values import moment


class _Published(msgspec.Struct, rename="camel"):
    published_at: str


_published = msgspec.json.Decoder(_Published)


def published_at(record: bytes) -> int:
    """When a stored message was published, milliseconds. ValueError: it is damaged."""
    return moment(_published.decode(record).published_at)


def message_frame(seq: int, record: bytes) -> bytes:
    """What every listener gets of a message."""
    return b'{"type":"message","seq":%d,"message":%b}' % (seq, record)


def json_list(items: list[bytes]) -> bytes:
    """A JSON array of JSON texts."""
    return b"[" + b",".join(items) + b"]"
