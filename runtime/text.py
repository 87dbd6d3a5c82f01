"""Text as WebSockets carry it: UTF-8, which cannot hold half of a surrogate pair."""

from __future__ import annotations


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
