"""What a connection from code has sent and waits for, and how long it waits to come back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from . import limits
from .errors import RealtimeError
from .frames import UNDER_MESSAGE

if TYPE_CHECKING:
    import msgspec

# Not answered twice the same: after a loss nobody knows whether they have happened.
NOT_AGAIN = frozenset(("snapshot", "restore", "update"))


class Pending:
    """A frame that is not answered yet. `sent`: it went out; `again`: over a later connection."""

    __slots__ = ("again", "answered", "failure", "frame", "name", "result", "sent")

    def __init__(self, name: str, number: int, body: bytes) -> None:
        self.name = name
        self.frame = frame_of(name, number, body)
        self.sent = False
        self.again = False
        self.answered = anyio.Event()
        self.result: msgspec.Raw | None = None
        self.failure: Exception | None = None

    @property
    def is_lost(self) -> bool:
        """Whether it cannot go again after a loss: it may have happened."""
        return self.sent and self.name in NOT_AGAIN

    def succeed(self, result: msgspec.Raw) -> None:
        """It was acknowledged."""
        self.result = result
        self.answered.set()

    def fail(self, failure: Exception) -> None:
        """It was refused, or will not be answered."""
        self.failure = failure
        self.answered.set()


def frame_of(name: str, number: int, body: bytes) -> str:
    """The frame of an operation, whose input is a JSON object."""
    fields = body.decode()
    if name in UNDER_MESSAGE:
        return f'{{"type":"{name}","id":{number},"message":{fields}}}'

    rest = "" if fields == "{}" else f",{fields[1:-1]}"
    return f'{{"type":"{name}","id":{number}{rest}}}'


def pause_seconds(failures: int, jitter: float, error: Exception) -> float:
    """How long to wait after so many failures in a row, `jitter` from 0 to 1; not less than the host
    asked for."""
    doublings = min(failures - 1, limits.MAX_RECONNECT_DOUBLINGS)
    most = min(limits.RECONNECT_SECONDS * 2.0**doublings, limits.MAX_RECONNECT_SECONDS)
    asked_ms = error.retry_after_ms if isinstance(error, RealtimeError) else None
    return max(most * jitter, (asked_ms or 0) / 1000)
