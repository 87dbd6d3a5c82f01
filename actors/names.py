"""What may name an instance, a namespace, a room or a channel (realtime.md 5.1)."""

from __future__ import annotations

from .errors import InvalidArgument
from .json_values import check_text
from .limits import MAX_NAME_BYTES

DOTS = (".", "..")  # which a browser takes out of a path, encoded or not (WHATWG URL, 4.5)


def check_name(value: object, field: str) -> str:
    """The name, if it is one: text of 1 to 255 bytes of UTF-8 without control characters.

    Names are compared byte for byte, so nothing is trimmed or normalised. `field`: where the name
    came from. InvalidArgument, with that field: it is none, or `.` or `..`, which no URL can have.
    """
    if not isinstance(value, str):
        raise InvalidArgument(f"{field} must be text, not {type(value).__name__}", field=field)

    check_text(value, field, MAX_NAME_BYTES)
    if value in DOTS:
        raise InvalidArgument(f"{field} is not {value!r}, which no URL can have", field=field)

    return value
