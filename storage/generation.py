"""Batches on top of one another, merged: what LMDB will be told at once. Pure state, no I/O.

Applied over any state from before its first batch to after its last, it gives the state after its
last: so it may be applied twice, or after some of its batches were.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from typing import TYPE_CHECKING, Literal

from .batch import UNCHANGED, Batch, ObjectRecord, Unchanged

if TYPE_CHECKING:
    from collections.abc import Collection

Value = bytes | None | Literal[Unchanged.UNCHANGED]  # None: deleted; UNCHANGED: nothing is known
Due = int | None | Literal[Unchanged.UNCHANGED]  # of an alarm, likewise


class Generation:
    """`last`: the sequence of the newest group in it; `writes`: how many were added."""

    __slots__ = ("_due", "_merged", "_numbers", "last", "writes")

    def __init__(self) -> None:
        self._merged: dict[int, Batch] = {}  # by number; each our own, with a dict of our own
        self._numbers: dict[tuple[int, bytes], int] = {}  # by namespace and id
        self._due: list[tuple[int, int]] = []  # due time and number of each alarm set, in order
        self.last = 0
        self.writes = 0

    @property
    def batches(self) -> Collection[Batch]:
        """All of it, one batch for each object."""
        return self._merged.values()

    def add(self, batch: Batch) -> None:
        """Put a batch on top."""
        writes = batch.writes
        self.writes += len(writes) + 1
        number = batch.number
        merged = self._merged.get(number)
        if merged is None:
            merged = Batch(number, None, batch.clear, writes.copy(), UNCHANGED)
            self._merged[number] = merged
        elif batch.clear:
            merged.clear = True
            merged.writes = writes.copy()
        else:
            merged.writes.update(writes)
        if batch.record is not None:
            merged.record = _named(batch.record, merged.record)
            self._numbers[batch.record.namespace, batch.record.id] = number
        if batch.alarm is not UNCHANGED:
            self._set_alarm(merged, batch.alarm)

    def get(self, number: int, key: bytes) -> Value:
        """What it says of a key."""
        batch = self._merged.get(number)
        if batch is None:
            return UNCHANGED

        return batch.writes.get(key, None if batch.clear else UNCHANGED)

    def of(self, number: int) -> Batch | None:
        """What it says of an object, not to be changed."""
        return self._merged.get(number)

    def alarm(self, number: int) -> Due:
        """What it says of the alarm of an object."""
        batch = self._merged.get(number)
        return UNCHANGED if batch is None else batch.alarm

    def find(self, namespace: int, object_id: bytes) -> int | None:
        """The number of an object whose record is in it."""
        return self._numbers.get((namespace, object_id))

    def objects(self, namespace: int) -> dict[bytes, int]:
        """Id to number of the objects of a namespace whose records are in it."""
        return {
            object_id: number
            for (found, object_id), number in self._numbers.items()
            if found == namespace
        }

    def due(
        self,
        until_ms: int,
        after: tuple[int, int] | None,
        limit: int,
        newer: Generation | None = None,
    ) -> list[tuple[int, int]]:
        """The first `limit` alarms it sets that are due at `until_ms` or before, behind `after`, and
        of which `newer` says nothing."""
        begin = 0 if after is None else bisect_right(self._due, after)
        found: list[tuple[int, int]] = []
        for index in range(begin, len(self._due)):
            due = self._due[index]
            if due[0] > until_ms or len(found) == limit:
                break
            if newer is None or newer.alarm(due[1]) is UNCHANGED:
                found.append(due)
        return found

    def _set_alarm(self, merged: Batch, due_ms: int | None) -> None:
        if isinstance(merged.alarm, int):
            del self._due[bisect_left(self._due, (merged.alarm, merged.number))]
        merged.alarm = due_ms
        if due_ms is not None:
            insort(self._due, (due_ms, merged.number))


def _named(record: ObjectRecord, before: ObjectRecord | None) -> ObjectRecord:
    """A record, with the name that is known of the object."""
    if record.name is None and before is not None:
        return before

    return record
