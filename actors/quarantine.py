"""A room whose state cannot be loaded: left alone for a while, longer each time, and never written.

Its neighbours are other objects and do not notice. (realtime.md 3.8, 2)
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from typing import TYPE_CHECKING

from .errors import Unavailable
from .limits import FIRST_QUARANTINE_SECONDS, MAX_QUARANTINE_SECONDS, MAX_QUARANTINED

if TYPE_CHECKING:
    from collections.abc import Callable

logger = logging.getLogger("roomhost.actors")


class Quarantines:
    """Of all rooms of one instance in a host: an object that is left alone leaves memory meanwhile,
    and may not be tried sooner for that. Times are milliseconds."""

    __slots__ = ("_by_room",)

    def __init__(self) -> None:
        self._by_room: OrderedDict[tuple[str, str], Quarantine] = OrderedDict()

    def __len__(self) -> int:
        return len(self._by_room)

    def check(self, kind: str, name: str, now_ms: int) -> None:
        """Unavailable: loading the room failed, and it is too early to try again."""
        quarantine = self._by_room.get((kind, name))
        if quarantine is not None:
            quarantine.check(now_ms)

    def failed(self, kind: str, name: str, cause: Exception, now_ms: int) -> Unavailable:
        """Loading has failed: the error to raise, and to repeat until the next try."""
        logger.error("the %s %r cannot be loaded", kind, name, exc_info=cause)
        quarantine = self._by_room.get((kind, name))
        if quarantine is None:
            quarantine = self._by_room[kind, name] = Quarantine()
            if len(self._by_room) > MAX_QUARANTINED:
                self._by_room.popitem(last=False)
        return quarantine.failed(cause, now_ms)

    def loaded(self, kind: str, name: str) -> None:
        """It works again."""
        self._by_room.pop((kind, name), None)


class Loading:
    """Of one thing of a room, with the host's time at hand."""

    __slots__ = ("_kind", "_name", "_now_ms", "_quarantines")

    def __init__(
        self, quarantines: Quarantines, kind: str, name: str, now_ms: Callable[[], int]
    ) -> None:
        self._quarantines = quarantines
        self._kind = kind
        self._name = name
        self._now_ms = now_ms

    @classmethod
    def unguarded(cls) -> Loading:
        """Of a thing that is alone, without a host or a time."""
        return cls(Quarantines(), "", "", int)

    def check(self) -> None:
        """Unavailable: it failed, and it is too early to try again."""
        self._quarantines.check(self._kind, self._name, self._now_ms())

    def failed(self, cause: Exception) -> Unavailable:
        """It has failed: the error to raise."""
        return self._quarantines.failed(self._kind, self._name, cause, self._now_ms())

    def loaded(self) -> None:
        """It works."""
        self._quarantines.loaded(self._kind, self._name)


class Quarantine:
    """Of one room."""

    __slots__ = ("_cause", "_seconds", "_until_ms")

    def __init__(self) -> None:
        self._until_ms = 0
        self._seconds = FIRST_QUARANTINE_SECONDS
        self._cause = ""

    def check(self, now_ms: int) -> None:
        """Unavailable: it is too early to try again."""
        if now_ms < self._until_ms:
            raise self._error(now_ms)

    def failed(self, cause: Exception, now_ms: int) -> Unavailable:
        """It was tried: the next time is twice as far."""
        self._cause = str(cause)
        self._until_ms = now_ms + self._seconds * 1000
        self._seconds = min(self._seconds * 2, MAX_QUARANTINE_SECONDS)
        return self._error(now_ms)

    def _error(self, now_ms: int) -> Unavailable:
        return Unavailable(
            f"the state of this room cannot be loaded: {self._cause}",
            code="unavailable",
            retry_after_ms=self._until_ms - now_ms,
        )
