"""How much may wait for one slow reader, and with what its connection is closed then."""

from __future__ import annotations

from dataclasses import dataclass

from . import limits
from .close import TRY_AGAIN_LATER, Close, check_close
from .text import well_formed

REASON = "the reader is too slow"


@dataclass(frozen=True, slots=True)
class OutgoingLimit:
    """What may wait at one end of a WebSocket. `close` is what ends it when more does."""

    max_bytes: int
    max_frames: int
    close: Close


DEFAULT_LIMIT = OutgoingLimit(
    limits.MAX_OUTGOING_BYTES,
    limits.MAX_OUTGOING_FRAMES,
    Close(TRY_AGAIN_LATER, REASON, was_clean=False),
)


def outgoing_limit(max_bytes: int, max_frames: int, code: int, reason: str) -> OutgoingLimit:
    """A limit of an object's own. ValueError: it is below 1 or above the host's own, the code may
    not be sent, the reason has over 123 UTF-8 bytes. TypeError: no int, no str."""
    for name, value, most in (
        ("max_bytes", max_bytes, limits.MAX_OUTGOING_BYTES),
        ("max_frames", max_frames, limits.MAX_OUTGOING_FRAMES),
    ):
        if isinstance(value, bool) or not isinstance(value, int):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"{name} is an int, not {type(value).__name__}")

        if not 1 <= value <= most:
            raise ValueError(f"{name} is 1 to {most}, not {value}.")

    if not isinstance(reason, str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"reason is a str, not {type(reason).__name__}")

    if code is None:  # pyright: ignore[reportUnnecessaryComparison]
        raise TypeError("a WebSocket close code is an int, not NoneType")

    reason = well_formed(reason)
    check_close(code, reason)
    return OutgoingLimit(max_bytes, max_frames, Close(code, reason, was_clean=False))
