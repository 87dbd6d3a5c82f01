"""What may name an instance, a namespace, a room or a channel (realtime.md 5.1)."""

from __future__ import annotations

import unicodedata

from .errors import InvalidArgument
from .limits import MAX_NAME_BYTES


def check_name(value: object, field: str) -> str:
    """The name, if it is one: text of 1 to 255 bytes of UTF-8 without control characters.

    Names are compared byte for byte, so nothing is trimmed or normalised. `field`: where the name
    came from. Raises `InvalidArgument` with that field.
    """
    if not isinstance(value, str):
        raise InvalidArgument(f"{field} must be text, not {type(value).__name__}", field=field)

    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        message = f"{field} must be valid Unicode, without half of a surrogate pair"
        raise InvalidArgument(message, field=field) from None

    if not 1 <= size <= MAX_NAME_BYTES:
        message = f"{field} must have 1 to {MAX_NAME_BYTES} bytes of UTF-8, not {size}"
        raise InvalidArgument(message, field=field)

    if any(unicodedata.category(character) == "Cc" for character in value):
        raise InvalidArgument(f"{field} must not have control characters", field=field)

    return value
