"""Hypothesis strategies for batches, and what they make of plain dicts: the model of storage."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from hypothesis import strategies as st

from roomhost.storage import UNCHANGED, Batch, ObjectRecord

NUMBERS = range(1, 4)
keys = st.one_of(
    st.binary(max_size=1),
    # Of the sizes around which LMDB's keys are made in two ways.
    st.builds(lambda tail: b"p" * 479 + tail, st.binary(max_size=3)),
)
due_times = st.integers(1, 5)


def records(number: int) -> st.SearchStrategy[ObjectRecord | None]:
    """The record of an object: now with its name, now without."""
    made = ObjectRecord(1 + number % 2, b"%032d" % number, None)
    named = ObjectRecord(made.namespace, made.id, f"name-{number}")
    return st.sampled_from([None, made, named])


@st.composite
def batches(draw: st.DrawFn) -> Batch:
    """A batch of one of a few objects."""
    number = draw(st.sampled_from(NUMBERS))
    return Batch(
        number,
        draw(records(number)),
        draw(st.booleans()) and draw(st.booleans()),
        draw(st.dictionaries(keys, st.none() | st.binary(max_size=3), max_size=4)),
        draw(st.none() | due_times | st.just(UNCHANGED)),
    )


@dataclass
class Model:
    """What is stored of each object, in dicts."""

    entries: dict[int, dict[bytes, bytes]] = field(
        default_factory=lambda: {number: {} for number in NUMBERS}
    )
    alarms: dict[int, int] = field(default_factory=dict[int, int])
    records: dict[int, ObjectRecord] = field(default_factory=dict[int, ObjectRecord])

    def apply(self, applied: Iterable[Batch]) -> None:
        """Store batches."""
        for batch in applied:
            entries = self.entries[batch.number]
            if batch.clear:
                entries.clear()
            for key, value in batch.writes.items():
                if value is None:
                    entries.pop(key, None)
                else:
                    entries[key] = value
            if batch.alarm is None:
                self.alarms.pop(batch.number, None)
            elif batch.alarm is not UNCHANGED:
                self.alarms[batch.number] = batch.alarm
            if batch.record is not None and (batch.record.name or batch.number not in self.records):
                self.records[batch.number] = batch.record

    def scan(
        self, number: int, start: bytes | None, end: bytes | None, reverse: bool, limit: int | None
    ) -> list[tuple[bytes, bytes]]:
        """As `ObjectStore.scan`."""
        found = sorted(
            (key, value)
            for key, value in self.entries[number].items()
            if (start is None or key >= start) and (end is None or key < end)
        )
        return (found[::-1] if reverse else found)[:limit]

    def due(
        self, until_ms: int, after: tuple[int, int] | None, limit: int
    ) -> list[tuple[int, int]]:
        """As `AlarmTable.due`."""
        rows = sorted((due, number) for number, due in self.alarms.items() if due <= until_ms)
        return [row for row in rows if after is None or row > after][:limit]
