"""Close frames: which codes there are, and which may go out (semantics.md 7.7, RFC 6455 7.4)."""

from __future__ import annotations

from dataclasses import dataclass

from . import limits

NO_CODE = 1005  # RFC 6455, 7.4.1: the close frame had no code
LOST = 1006  # likewise: there was no close frame
POLICY_VIOLATION = 1008
TOO_BIG = 1009
RESTART = 1012
TRY_AGAIN_LATER = 1013
LOST_REASON = "WebSocket disconnected without sending Close frame."
UNSENDABLE_CODES = frozenset((1004, NO_CODE, LOST, 1015))


@dataclass(frozen=True, slots=True)
class Close:
    """A close frame, or the loss of the connection (`was_clean` false)."""

    code: int
    reason: str
    was_clean: bool = True


def check_close(code: int | None, reason: str | None) -> None:
    """ValueError unless these may go out in a close frame (semantics.md 7.7)."""
    if code is None:
        if reason is not None:
            raise ValueError(
                "If you specify a WebSocket close reason, you must also specify a code."
            )
        return

    if isinstance(code, bool) or not isinstance(code, int):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"a WebSocket close code is an int, not {type(code).__name__}")

    if not 1000 <= code <= 4999 or code in UNSENDABLE_CODES:
        raise ValueError(f"Invalid WebSocket close code: {code}.")

    if reason is not None and len(reason.encode()) > limits.MAX_CLOSE_REASON_BYTES:
        raise ValueError(
            f"WebSocket close reason must not be longer than {limits.MAX_CLOSE_REASON_BYTES} bytes, "
            f"it is {len(reason.encode())}."
        )
