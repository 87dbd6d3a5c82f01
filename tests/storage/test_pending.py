"""What is in the log and not in LMDB: reads see it, at every step on its way."""

from __future__ import annotations

import tempfile
from contextlib import AbstractContextManager
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from roomhost.storage import UNCHANGED, AlarmTable, Batch, ObjectRecord, ObjectStore
from roomhost.storage.environment import Environment, object_key
from roomhost.storage.generation import Generation
from roomhost.storage.pending import Pending

from .batches import NUMBERS, Model, batches, due_times, keys

bounds = st.none() | keys


def batch(number: int, alarm: int | None) -> Batch:
    """One that changes an alarm alone."""
    return Batch(number, None, False, {}, alarm)


class Reads(RuleBasedStateMachine):
    """Groups are added, taken, applied and dropped, in any order; dicts say what is to be read."""

    def __init__(self) -> None:
        super().__init__()
        self._directory = tempfile.TemporaryDirectory()
        self._environment = Environment(Path(self._directory.name) / "partition", 1 << 20, False)
        self._pending = Pending()
        self._model = Model()
        self._last = 0
        self._stores = {
            number: ObjectStore(self._environment, number, self._pending) for number in NUMBERS
        }
        self._alarms = AlarmTable(self._environment, self._pending)

    @initialize(group=st.lists(batches(), max_size=4))
    def fill(self, group: list[Batch]) -> None:
        """Something may be stored before."""
        self._environment.apply(group)
        self._model.apply(group)

    @rule(group=st.lists(batches(), min_size=1, max_size=3))
    def add(self, group: list[Batch]) -> None:
        """A group is in the log."""
        self._model.apply(group)
        self._last += 1
        self._pending.add(group, self._last)

    @rule()
    def take(self) -> None:
        """The applier begins."""
        self._pending.take()

    @rule(drops=st.booleans())
    def apply(self, drops: bool) -> None:
        """LMDB has it: perhaps twice, and perhaps it is dropped."""
        generation = self._pending.take()
        if generation is not None:
            self._environment.apply(generation.batches)
            if drops:
                self._pending.drop()

    @rule(data=st.data(), start=bounds, end=bounds, limit=st.none() | st.integers(0, 4))
    def scan(
        self, data: st.DataObject, start: bytes | None, end: bytes | None, limit: int | None
    ) -> None:
        """A range, from either end."""
        number = data.draw(st.sampled_from(NUMBERS))
        reverse = data.draw(st.booleans())
        found = self._stores[number].scan(start, end, reverse=reverse, limit=limit)
        assert found == self._model.scan(number, start, end, reverse, limit)

    @rule(until_ms=due_times, limit=st.integers(1, 3), after=st.none() | due_times)
    def due(self, until_ms: int, limit: int, after: int | None) -> None:
        """Alarms, behind a position."""
        position = None if after is None else (after, 2)
        found = self._alarms.due(until_ms, after=position, limit=limit)
        assert found == self._model.due(until_ms, position, limit)

    @invariant()
    def everything_shows(self) -> None:
        """Each entry, each alarm, each record."""
        for number, store in self._stores.items():
            entries = self._model.entries[number]
            assert dict(store.scan(None, None)) == entries
            sizes = [len(key) + len(value) for key, value in entries.items()]
            assert store.measure(limit=1_000) == (len(sizes), sum(sizes))
            assert store.measure(limit=2)[0] == min(len(sizes), 2)
            assert all(store.get(key) == value for key, value in entries.items())
            assert store.alarm() == self._model.alarms.get(number)
            record = self._pending.record(number)
            if record is not None:
                assert self._pending.find(record.namespace, record.id) == number
                assert self._pending.objects(record.namespace)[record.id] == number
            else:
                expected = self._model.records.get(number)
                assert expected is None or self._environment.get(
                    "objects", object_key(expected.namespace, expected.id)
                )

    def teardown(self) -> None:
        """Close it."""
        self._environment.close()
        self._directory.cleanup()


Reads.TestCase.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
test_reads_see_what_is_pending_over_what_is_stored = Reads.TestCase


@settings(max_examples=50, deadline=None)
@given(st.lists(batches(), max_size=12), st.data())
def test_a_generation_over_any_state_it_began_with_gives_the_same(
    group: list[Batch], data: st.DataObject
) -> None:
    """Applied after none, some or all of its batches, and once more: as they would one by one."""
    done = data.draw(st.integers(0, len(group)))
    expected, model = Model(), Model()
    expected.apply(group)
    model.apply(group[:done])
    generation = Generation()
    for one in group:
        generation.add(one)
    for _ in range(2):
        model.apply(generation.batches)
        assert model == expected


def test_a_batch_that_was_added_is_not_changed() -> None:
    """It belongs to who made it."""
    generation = Generation()
    first = Batch(1, None, False, {b"a": b"1"}, UNCHANGED)
    generation.add(first)
    generation.add(Batch(1, None, False, {b"b": b"2"}, 5))
    assert first == Batch(1, None, False, {b"a": b"1"}, UNCHANGED)


def test_a_generation_that_was_taken_never_changes() -> None:
    """What is added meanwhile is the next one's; the one taken stays until it is dropped."""
    pending = Pending()
    assert pending.take() is None
    pending.add([batch(1, 5)], 1)
    taken = pending.take()
    assert taken is not None
    pending.add([batch(1, 6), batch(2, 7)], 2)
    assert pending.take() is taken
    assert ([one.alarm for one in taken.batches], taken.last) == ([5], 1)
    assert (pending.gathered, pending.writes, pending.alarm(1)) == (2, 3, 6)
    pending.drop()
    after = pending.take()
    assert after is not None
    assert ([one.alarm for one in after.batches], after.last) == ([6, 7], 2)


def test_an_alarm_that_moved_shows_once(tmp_path: Path) -> None:
    """From LMDB to the generation being applied to the newer one: where it stood, it is not."""
    environment = Environment(tmp_path / "partition", 1 << 20)
    pending = Pending()
    alarms = AlarmTable(environment, pending)
    environment.apply([batch(number, 10) for number in range(1, 8)])
    pending.add([batch(1, 20), batch(2, None), batch(3, 5)], 1)
    pending.take()
    pending.add([batch(3, 30), batch(4, 1)], 2)
    assert alarms.first() == (1, 4)
    assert alarms.due(10, limit=2) == [(1, 4), (10, 5)]
    assert alarms.due(99, after=(10, 6), limit=9) == [(10, 7), (20, 1), (30, 3)]
    environment.close()


def test_an_alarm_that_gets_into_lmdb_meanwhile_shows_once(tmp_path: Path) -> None:
    """Between a look at what is pending and one at LMDB, the applier may have gone on."""
    environment = Environment(tmp_path / "partition", 1 << 20)
    pending = Pending()
    alarms = AlarmTable(environment, pending)
    pending.add([batch(1, 10)], 1)
    reading = environment.reading

    def applied_meanwhile() -> AbstractContextManager[object]:
        generation = pending.take()
        if generation is not None:
            environment.apply(generation.batches)
            pending.drop()
        return reading()

    environment.reading = applied_meanwhile  # type: ignore[method-assign, assignment]
    assert alarms.due(10, limit=9) == [(10, 1)]
    environment.close()


def test_a_name_that_one_record_lacks_is_taken_from_the_other() -> None:
    """In one generation, and over two."""
    named, nameless = (ObjectRecord(1, b"i" * 32, name) for name in ("lobby", None))
    pending = Pending()
    for record in (named, nameless):
        pending.add([Batch(1, record, False, {}, UNCHANGED)], 1)
    assert pending.record(1) == named
    pending.take()
    pending.add([Batch(1, nameless, False, {}, UNCHANGED)], 2)
    assert pending.record(1) == named
    assert pending.record(2) is None
