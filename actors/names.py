"""Names of instances, namespaces, rooms and channels: compared byte for byte (realtime.md 5.1)."""

from __future__ import annotations

from .json_values import check_text
from .limits import MAX_NAME_BYTES


def check_name(name: object, field: str) -> None:
    """InvalidArgument: no text of 1 to 255 bytes of UTF-8 without control characters."""
    if not isinstance(name, str):
        from .errors import InvalidArgument

        raise InvalidArgument(f"{field} is a text, not {type(name).__name__}", field=field)

    check_text(name, field, MAX_NAME_BYTES)
