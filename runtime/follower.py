"""Follows the events and log lines of one object, or of many, as they come."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Self, TypeAlias

from . import limits
from .records import EventRecord, LogLine

if TYPE_CHECKING:
    from collections.abc import Collection

    from .backend import Backend, Waiter

Followed: TypeAlias = EventRecord | LogLine


class Follower:
    """An endless async iterator. A reader that is slow loses the oldest: `dropped` counts them.

    `bindings`, `object_id`: whose; None: of all."""

    def __init__(
        self, backend: Backend, bindings: Collection[str] | None, object_id: str | None
    ) -> None:
        self.bindings = bindings
        self.object_id = object_id
        self.dropped = 0
        self._backend = backend
        self._waiting: deque[Followed] = deque(maxlen=limits.MAX_FOLLOWED)
        self._reader: Waiter | None = None

    def offer(self, item: Followed) -> None:
        """Something happened; it is passed over unless it is of what is followed."""
        if self.bindings is not None and item.binding not in self.bindings:
            return

        if self.object_id not in (None, item.object_id):
            return

        self.dropped += len(self._waiting) == limits.MAX_FOLLOWED
        self._waiting.append(item)
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Followed:
        while not self._waiting:
            self._reader = self._backend.waiter()
            await self._reader
        return self._waiting.popleft()
