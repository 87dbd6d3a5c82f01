"""Text as WebSockets carry it: UTF-8, which cannot hold half of a surrogate pair."""

from __future__ import annotations

from typing import cast


def well_formed(text: str) -> str:
    """The text with U+FFFD for each half of a surrogate pair, and a character for each whole one."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

    return text


def size_of(message: str | bytes) -> int:
    """The bytes of a message's payload, a text's in UTF-8."""
    if isinstance(message, str) and not message.isascii():
        return len(message.encode(errors="replace"))

    return len(message)


def as_message(message: object) -> str | bytes:
    """A message that is of another type than str and bytes alone. TypeError: it is none."""
    if isinstance(message, (bytearray, memoryview)):
        return bytes(cast("memoryview", message))

    if isinstance(message, str):
        return well_formed(message)

    if isinstance(message, bytes):
        return message

    raise TypeError(f"send() takes str or bytes, not {type(message).__name__}")
