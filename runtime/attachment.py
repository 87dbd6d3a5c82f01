"""What an object keeps with a socket, across hibernation."""

from __future__ import annotations

from typing import Any

from ..storage import decode, encode
from . import limits
from .errors import LimitError


class Attachment:
    """The part of a WebSocket that holds a value for its object, encoded."""

    __slots__ = ("_attachment",)

    def __init__(self) -> None:
        self._attachment: bytes | None = None

    def serialize_attachment(self, value: Any) -> None:
        """Keep a copy of `value` with the socket, across hibernation (7.3). LimitError: over 16,384
        bytes encoded. DataCloneError: an unsupported type."""
        data = encode(value)
        if len(data) > limits.MAX_ATTACHMENT_BYTES:
            raise LimitError(
                f"A WebSocket 'attachment' cannot be larger than {limits.MAX_ATTACHMENT_BYTES} bytes."
                f"'attachment' was {len(data)} bytes."
            )

        self._attachment = data

    def deserialize_attachment(self) -> Any:
        """A fresh copy of the attachment; None when there is none."""
        return None if self._attachment is None else decode(self._attachment)
