"""The message that the host answers without waking the object."""

from __future__ import annotations

from dataclasses import dataclass

from . import limits
from .errors import LimitError


@dataclass(frozen=True, slots=True)
class WebSocketRequestResponsePair:
    """A text message and the answer to it, for `ctx.set_web_socket_auto_response`.

    LimitError: one of them is over 2,048 UTF-8 bytes (semantics.md 7.4).
    """

    request: str
    response: str

    def __post_init__(self) -> None:
        for name, text in (("Request", self.request), ("Response", self.response)):
            size = len(text.encode())
            if size > limits.MAX_AUTO_RESPONSE_BYTES:
                raise LimitError(
                    f"{name} cannot be larger than {limits.MAX_AUTO_RESPONSE_BYTES} bytes. "
                    f"A {name.lower()} of size {size} was provided."
                )
