"""base64url without padding (RFC 4648, 5), strict: one text for every value, and no other."""

from __future__ import annotations

import base64
import binascii


def encode(data: bytes) -> str:
    """The text of some bytes."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def decode(text: str | bytes) -> bytes:
    """The bytes of a text that `encode` could have written. ValueError: it could not."""
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    try:
        data = base64.urlsafe_b64decode(raw + b"=" * (-len(raw) % 4))
    except (binascii.Error, ValueError):
        raise ValueError("not base64url") from None

    # The decoder skips foreign characters, and ignores the bits that are left over at the end.
    if base64.urlsafe_b64encode(data).rstrip(b"=") != raw:
        raise ValueError("not base64url as it is written")

    return data
