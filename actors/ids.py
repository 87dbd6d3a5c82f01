"""Ids that are new: in the order of time where that helps (RFC 9562, 5.7), unguessable always."""

from __future__ import annotations


def message_id(now_ms: int, seq: int, entropy: bytes) -> str:
    """A UUIDv7: in the order of the clock, and within a millisecond in that of the room's sequence.
    `entropy`: 8 random bytes."""
    high = (now_ms & 0xFFFF_FFFF_FFFF) << 16 | 0x7000 | (seq & 0x0FFF)
    low = int.from_bytes(entropy[:8], "big") & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
    text = f"{high << 64 | low:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
