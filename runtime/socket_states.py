"""What one end of a WebSocket is, and who takes what arrives at it."""

from __future__ import annotations

from enum import Enum, IntEnum


class ReadyState(IntEnum):
    """`WebSocket.ready_state`, with the numbers of the WebSocket API."""

    CONNECTING = 0  # Not accepted. Next: OPEN, CLOSED.
    OPEN = 1  # Next: CLOSING, CLOSED.
    CLOSING = 2  # One side has closed. Next: CLOSED.
    CLOSED = 3  # No next.


OPEN = ReadyState.OPEN  # names of the module, because every message asks
CLOSED = ReadyState.CLOSED


class Mode(Enum):
    """Who takes what arrives at an end."""

    NEW = "new"  # Nobody yet; it waits. Next: USED, STANDARD, HIBERNATABLE.
    USED = "used in a response"  # On its way to the caller. Next: STANDARD.
    STANDARD = "accepted"  # `receive()`. No next.
    HIBERNATABLE = "accepted by an object"  # The object's handlers. No next.


UNACCEPTED = (Mode.NEW, Mode.USED)
