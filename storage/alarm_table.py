"""The committed alarms of a partition, in the order they are due."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .keyspace import NUMBER_BYTES, number_bytes
from .pending import Pending

if TYPE_CHECKING:
    from .environment import Environment

MAX_NUMBER = (1 << 8 * NUMBER_BYTES) - 1


class AlarmTable:
    """Reads of the alarm table: a million pending alarms cost one range read.

    A position in it is a due time, in milliseconds since the epoch, and an object's number.
    """

    def __init__(self, environment: Environment, pending: Pending | None = None) -> None:
        self._environment = environment
        self._pending = Pending() if pending is None else pending

    def due(
        self, until_ms: int, *, after: tuple[int, int] | None = None, limit: int
    ) -> list[tuple[int, int]]:
        """The first `limit` alarms due at `until_ms` or before, behind the position `after`."""
        found, counts = self._pending.due(until_ms, after, limit)
        found.sort()
        # No row of LMDB behind this one can be among the first.
        last = found[limit - 1] if len(found) >= limit else (until_ms, MAX_NUMBER)
        stored = 0
        begin = b"" if after is None else number_bytes(after[0]) + number_bytes(after[1]) + b"\0"
        with self._environment.reading() as transaction:
            cursor = self._environment.cursor(transaction, "alarms")
            there = cursor.set_range(begin)
            while there and stored < limit:
                key = cursor.key()
                number = int.from_bytes(key[NUMBER_BYTES:], "big")
                row = (int.from_bytes(key[:NUMBER_BYTES], "big"), number)
                if row > last:
                    break

                if counts(number):
                    found.append(row)
                    stored += 1
                there = cursor.next()
        return sorted(found)[:limit] if stored else found[:limit]

    def first(self, after: tuple[int, int] | None = None) -> tuple[int, int] | None:
        """The alarm behind the position `after` that is due next, if there is one."""
        found = self.due(2**63, after=after, limit=1)
        return found[0] if found else None
