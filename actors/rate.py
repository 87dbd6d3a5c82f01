"""A token bucket: so many at once, and so many a second after that."""

from __future__ import annotations

from .errors import RateLimited
from .limits import RATE_BURST, RATE_PER_SECOND

ONE = 1_000  # in thousandths, so that a millisecond adds a whole number


class Bucket:
    """Full at first. Times are milliseconds."""

    __slots__ = ("_at_ms", "_left")

    def __init__(self, now_ms: int) -> None:
        self._left = RATE_BURST * ONE
        self._at_ms = now_ms

    def take(self, now_ms: int) -> None:
        """Take one. RateLimited: there is none; when there will be is in the error."""
        passed_ms = max(0, now_ms - self._at_ms)
        self._at_ms = max(self._at_ms, now_ms)
        self._left = min(RATE_BURST * ONE, self._left + passed_ms * RATE_PER_SECOND)
        if self._left < ONE:
            wait_ms = -((self._left - ONE) // RATE_PER_SECOND)  # rounded up
            raise RateLimited(
                f"at most {RATE_PER_SECOND} a second, {RATE_BURST} at once", retry_after_ms=wait_ms
            )

        self._left -= ONE
