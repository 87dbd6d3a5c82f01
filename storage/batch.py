"""What one object writes at once."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal

BATCH_OVERHEAD_BYTES = 64


class Unchanged(Enum):
    """The type of `UNCHANGED`."""

    UNCHANGED = "unchanged"


UNCHANGED: Final = Unchanged.UNCHANGED


@dataclass(slots=True, frozen=True)
class ObjectRecord:
    """Who an object is: the number of its namespace, its 32 bytes, and its name where one is known."""

    namespace: int
    id: bytes
    name: str | None


@dataclass(slots=True)
class Batch:
    """The writes of one turn of one object: durable together or not at all.

    Self-contained, and harmless to apply twice. `record` is stored when given; a missing name in it
    leaves a stored one. `clear` removes every entry first. `writes`: user key to encoded value, None
    deletes. `alarm`: its due time in milliseconds since the epoch, None deletes it.
    """

    number: int
    record: ObjectRecord | None
    clear: bool
    writes: dict[bytes, bytes | None]
    alarm: int | Literal[Unchanged.UNCHANGED] | None

    @property
    def only_deletes(self) -> bool:
        """Whether nothing is stored that takes space for longer than the commit does."""
        return (
            self.record is None
            and not isinstance(self.alarm, int)
            and all(value is None for value in self.writes.values())
        )

    def size(self) -> int:
        """About how many bytes it writes."""
        writes = self.writes
        values = sum(len(value) for value in writes.values() if value is not None)
        return BATCH_OVERHEAD_BYTES + sum(map(len, writes)) + values
