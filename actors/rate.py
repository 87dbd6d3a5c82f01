"""A token bucket: so many at once, and so many a second after that."""

from __future__ import annotations

from .errors import RateLimited
from .frames import Protocol
from .limits import RATE_BURST, RATE_PER_SECOND, YJS_RATE_BURST, YJS_RATE_PER_SECOND
from .tallies import RATE_LIMITED

ONE = 1_000  # in thousandths, so that a millisecond adds a whole number


class Bucket:
    """Full at first. Times are milliseconds, of monotonic time."""

    __slots__ = ("_at_ms", "_burst", "_left", "_per_second")

    def __init__(
        self, now_ms: int = 0, per_second: int = RATE_PER_SECOND, burst: int = RATE_BURST
    ) -> None:
        self._per_second = per_second
        self._burst = burst
        self._left = burst * ONE
        self._at_ms = now_ms

    def take(self, now_ms: int) -> None:
        """Take one. RateLimited: there is none; when there will be is in the error."""
        passed_ms = max(0, now_ms - self._at_ms)
        self._at_ms = max(self._at_ms, now_ms)
        self._left = min(self._burst * ONE, self._left + passed_ms * self._per_second)
        if self._left < ONE:
            RATE_LIMITED.count()
            wait_ms = -((self._left - ONE) // self._per_second)  # rounded up
            raise RateLimited(
                f"at most {self._per_second} a second, {self._burst} at once",
                retry_after_ms=wait_ms,
            )

        self._left -= ONE


def bucket_of(protocol: Protocol) -> Bucket:
    """What a connection may send: every keystroke is a frame of y-protocols, where one of ours is a
    whole message."""
    if protocol is Protocol.YJS:
        return Bucket(0, YJS_RATE_PER_SECOND, YJS_RATE_BURST)

    return Bucket()
