"""Frames that carry next to nothing: pings, pongs, fragments of a few bytes. A client that sends nothing
else at full speed would keep the loop busy, and its object would never hear of it."""

from __future__ import annotations

from . import limits


class SmallFrames:
    """Of one connection: SMALL_FRAMES_BURST at once, SMALL_FRAMES_PER_SECOND after that."""

    __slots__ = ("_at", "_left")

    def __init__(self) -> None:
        self._at = 0.0
        self._left: float = limits.SMALL_FRAMES_BURST

    def take(self, now: float) -> bool:
        """Count one, at a time in seconds; False: it is one too many."""
        gained = (now - self._at) * limits.SMALL_FRAMES_PER_SECOND
        self._at = now
        self._left = min(limits.SMALL_FRAMES_BURST, self._left + gained)
        if self._left < 1:
            return False

        self._left -= 1
        return True
