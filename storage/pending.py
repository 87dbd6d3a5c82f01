"""What is in the commit log and not yet in LMDB: every read of a partition sees it over LMDB.

It promises that a batch that was added shows until it shows in LMDB. Batches gather in one
generation while the one before it is applied. The owner's thread adds and reads; the applier's takes
a generation away and drops it. Reading needs no lock, in this order: the newer generation, the older
one, then LMDB. What moves meanwhile moves to where is looked later, and is seen there, or twice,
which makes no difference (`Generation`).
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from .batch import UNCHANGED, Batch, ObjectRecord
from .generation import Due, Generation, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Pending:
    """At most two generations of batches."""

    __slots__ = ("_applying", "_current", "_lock")

    def __init__(self) -> None:
        self._current = Generation()
        self._applying: Generation | None = None
        self._lock = threading.Lock()  # between `add` and `take`: a generation taken never changes

    @property
    def gathered(self) -> int:
        """The number of writes in the newer generation."""
        return self._current.writes

    @property
    def writes(self) -> int:
        """The number of writes in both."""
        applying = self._applying
        return self._current.writes + (0 if applying is None else applying.writes)

    def add(self, batches: Sequence[Batch], last: int) -> None:
        """The log has these now, the newest of them under the sequence `last`."""
        with self._lock:
            current = self._current
            for batch in batches:
                current.add(batch)
            current.last = last

    def take(self) -> Generation | None:
        """The generation to apply: the one taken before until it is dropped, else what gathered."""
        with self._lock:
            if self._applying is None and self._current.writes:
                self._applying = self._current
                self._current = Generation()
            return self._applying

    def drop(self) -> None:
        """LMDB has the generation that was taken."""
        self._applying = None

    def get(self, number: int, key: bytes) -> Value:
        """What is known of a key of an object."""
        for generation in self._generations():
            value = generation.get(number, key)
            if value is not UNCHANGED:
                return value
        return UNCHANGED

    def changes(self, number: int) -> tuple[bool, dict[bytes, bytes | None]]:
        """All that is known of an object's entries, not to be changed; True: LMDB's are deleted."""
        cleared = False
        writes: dict[bytes, bytes | None] = {}
        for generation in self._generations():
            batch = generation.of(number)
            if batch is not None:
                # The first one found, the newer, stands over the other.
                writes = batch.writes | writes if writes else batch.writes
                cleared = batch.clear
                if cleared:
                    break
        return cleared, writes

    def alarm(self, number: int) -> Due:
        """What is known of the alarm of an object."""
        for generation in self._generations():
            due = generation.alarm(number)
            if due is not UNCHANGED:
                return due
        return UNCHANGED

    def find(self, namespace: int, object_id: bytes) -> int | None:
        """The number of an object whose record is here."""
        for generation in self._generations():
            number = generation.find(namespace, object_id)
            if number is not None:
                return number
        return None

    def record(self, number: int) -> ObjectRecord | None:
        """The record of an object, if it is here; LMDB may know a name that it lacks."""
        found: ObjectRecord | None = None
        for generation in self._generations():
            batch = generation.of(number)
            if batch is not None and batch.record is not None and (found is None or not found.name):
                found = batch.record
        return found

    def objects(self, namespace: int) -> dict[bytes, int]:
        """Id to number of the objects of a namespace whose records are here."""
        found: dict[bytes, int] = {}
        for generation in self._generations():
            found |= generation.objects(namespace)
        return found

    def due(
        self, until_ms: int, after: tuple[int, int] | None, limit: int
    ) -> tuple[list[tuple[int, int]], Callable[[int], bool]]:
        """The alarms set here that are due at `until_ms` or before, behind `after`: the first `limit`
        and perhaps more, in no order; and what says of a number whether LMDB's alarm counts.

        One look for both: a generation that is dropped in between would show its alarms twice.
        """
        generations = self._generations()
        newer, *older = generations
        found = newer.due(until_ms, after, limit)
        for generation in older:
            found += generation.due(until_ms, after, limit, newer)

        def counts(number: int) -> bool:
            return all(generation.alarm(number) is UNCHANGED for generation in generations)

        return found, counts

    def _generations(self) -> tuple[Generation, ...]:
        """The newer first. It is read first: it may become the older one at any time."""
        current = self._current
        applying = self._applying
        if applying is None or applying is current:
            return (current,)

        return (current, applying)
