"""Bytes in JSON: base64 with padding, and in one spelling only (RFC 4648, 3.5 and 4)."""

from __future__ import annotations

import base64

from .errors import InvalidArgument, PayloadTooLarge


def encode_base64(data: bytes) -> str:
    """Bytes as a client reads them."""
    return base64.b64encode(data).decode("ascii")


def decode_base64(text: str, field: str, max_bytes: int) -> bytes:
    """The bytes of a text. PayloadTooLarge: over `max_bytes`. InvalidArgument: it is no base64 with
    its padding, or has anything else in it, white space too."""
    if len(text) > base64_length(max_bytes):
        raise PayloadTooLarge(f"{field} is at most {max_bytes} bytes in base64", field=field)

    try:
        data = base64.b64decode(text, validate=True)
    except ValueError:
        data = b""
    if encode_base64(data) != text:
        raise InvalidArgument(
            f"{field} is base64 with padding, of `A-Z a-z 0-9 + /` and nothing else", field=field
        )

    if len(data) > max_bytes:
        raise PayloadTooLarge(f"{field} is at most {max_bytes} bytes in base64", field=field)

    return data


def base64_length(size: int) -> int:
    """How many characters so many bytes are."""
    return (size + 2) // 3 * 4
