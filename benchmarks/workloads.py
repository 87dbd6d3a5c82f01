"""The actors that are measured, and the work they do."""

from __future__ import annotations

from roomhost.bindings import App
from roomhost.runtime import DurableObject

VALUE = b"x" * 100  # bytes of one durable write
KEYS = 10_000  # that durable writes go round


def key_of(number: int) -> str:
    """The key of the write with this number."""
    return f"key-{number % KEYS}"


class Counter(DurableObject):
    """Counts in memory and on disk."""

    count = 0

    async def increment(self) -> int:
        """A call without storage."""
        self.count += 1
        return self.count

    async def store(self, key: str) -> None:
        """A call with one durable put."""
        await self.ctx.storage.put(key, VALUE)


app = App(name="bench", bindings={"COUNTER": Counter})
