"""A room whose state cannot be loaded: left alone for a while, longer each time, and never written.

Its neighbours are other objects and do not notice. (realtime.md 3.8, 2)
"""

from __future__ import annotations

import logging

from .errors import Unavailable
from .limits import FIRST_QUARANTINE_SECONDS, MAX_QUARANTINE_SECONDS

logger = logging.getLogger("roomhost.actors")


class Quarantine:
    """Of one room, as long as its instance lives. Times are milliseconds."""

    __slots__ = ("_cause", "_seconds", "_until_ms")

    def __init__(self) -> None:
        self._until_ms = 0
        self._seconds = FIRST_QUARANTINE_SECONDS
        self._cause = ""

    def check(self, now_ms: int) -> None:
        """Unavailable: loading failed, and it is too early to try again."""
        if now_ms < self._until_ms:
            raise self._error(now_ms)

    def failed(self, room: str, cause: Exception, now_ms: int) -> Unavailable:
        """Loading has failed: the error to raise, and to repeat until the next try."""
        logger.error("the room %r cannot be loaded", room, exc_info=cause)
        self._cause = str(cause)
        self._until_ms = now_ms + self._seconds * 1000
        self._seconds = min(self._seconds * 2, MAX_QUARANTINE_SECONDS)
        return self._error(now_ms)

    def loaded(self) -> None:
        """It works again."""
        self._seconds = FIRST_QUARANTINE_SECONDS
        self._until_ms = 0

    def _error(self, now_ms: int) -> Unavailable:
        return Unavailable(
            f"the state of this room cannot be loaded: {self._cause}",
            code="unavailable",
            retry_after_ms=self._until_ms - now_ms,
        )
