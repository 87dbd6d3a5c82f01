"""Uncommitted writes, against plain dicts."""

from __future__ import annotations

from collections import deque
from copy import deepcopy

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from roomhost.storage import UNCHANGED, Batch, Overlay

keys = st.sampled_from([b"", b"a", b"aa", b"b", b"c"])
values = st.sampled_from([b"1", b"2", b"3"])


class DictStore:
    """What is committed, in a dict."""

    def __init__(self) -> None:
        self.entries: dict[bytes, bytes] = {}
        self.due: int | None = None

    def get(self, key: bytes) -> bytes | None:
        return self.entries.get(key)

    def scan(
        self, start: bytes | None, end: bytes | None, *, reverse: bool, limit: int | None
    ) -> list[tuple[bytes, bytes]]:
        return select(self.entries, start, end, reverse, limit)

    def alarm(self) -> int | None:
        return self.due

    def apply(self, batch: Batch) -> None:
        """What the writer does."""
        if batch.clear:
            self.entries.clear()
        for key, value in batch.writes.items():
            if value is None:
                self.entries.pop(key, None)
            else:
                self.entries[key] = value
        if batch.alarm is not UNCHANGED:
            self.due = batch.alarm


def select(
    entries: dict[bytes, bytes],
    start: bytes | None,
    end: bytes | None,
    reverse: bool,
    limit: int | None,
) -> list[tuple[bytes, bytes]]:
    """The slice that `list` means."""
    found = sorted(
        (key, value)
        for key, value in entries.items()
        if (start is None or key >= start) and (end is None or key < end)
    )
    return (found[::-1] if reverse else found)[:limit]


Setting = tuple[int | None, int]


class OverlayMachine(RuleBasedStateMachine):
    """Writes, savepoints, batches in flight and their commits, in any order; the model is what the
    object should see."""

    def __init__(self) -> None:
        super().__init__()
        self.store = DictStore()
        self.overlay = Overlay(self.store, 1)
        self.model: dict[bytes, bytes] = {}
        # The alarm is its due time and which setting of it this is; a hidden one's handler runs.
        self.alarm: Setting = (None, 0)
        self.settings = 0
        self.hidden: set[Setting] = set()
        self.running = False
        self.saved: list[tuple[dict[bytes, bytes], Setting]] = []
        self.flying: deque[Batch] = deque()
        self.committed: deque[Batch] = deque()

    @rule(key=keys, value=values)
    def put(self, key: bytes, value: bytes) -> None:
        self.overlay.put(key, value)
        self.model[key] = value

    @rule(key=keys)
    def delete(self, key: bytes) -> None:
        assert self.overlay.delete(key) == (key in self.model)
        self.model.pop(key, None)

    @property
    def due(self) -> int | None:
        """What the object sees of its alarm."""
        return None if self.alarm in self.hidden else self.alarm[0]

    @rule(due=st.none() | st.integers(1, 3))
    def set_alarm(self, due: int | None) -> None:
        self.overlay.set_alarm(due)
        if self.alarm in self.hidden or self.due != due:
            self.settings += 1
            self.alarm = (due, self.settings)

    @precondition(lambda self: not self.running)
    @rule(due=st.integers(1, 3))
    def arm_alarm(self, due: int) -> None:
        self.running = self.overlay.arm_alarm(due)
        assert self.running == (self.due == due)
        if self.running:
            states = {self.alarm, *(alarm for _, alarm in self.saved)}
            self.hidden |= {alarm for alarm in states if alarm[0] == due}

    @precondition(lambda self: self.running)
    @rule(succeeded=st.booleans())
    def finish_alarm(self, succeeded: bool) -> None:
        self.overlay.finish_alarm(succeeded)
        self.running = False
        if succeeded:
            self.saved = [(entries, self.after_success(alarm)) for entries, alarm in self.saved]
            self.alarm = self.after_success(self.alarm)
        self.hidden.clear()

    def after_success(self, alarm: Setting) -> Setting:
        """The handler of this alarm, if it is that one, has done its work."""
        return (None, 0) if alarm in self.hidden else alarm

    @precondition(lambda self: not self.saved)
    @rule()
    def delete_all(self) -> None:
        self.overlay.delete_all()
        self.model.clear()
        self.settings += 1
        self.alarm = (None, self.settings)

    @rule()
    def begin(self) -> None:
        self.overlay.begin()
        self.saved.append((deepcopy(self.model), self.alarm))

    @precondition(lambda self: bool(self.saved))
    @rule()
    def release(self) -> None:
        self.overlay.release()
        self.saved.pop()

    @precondition(lambda self: bool(self.saved))
    @rule()
    def rollback(self) -> None:
        self.overlay.rollback()
        self.model, self.alarm = self.saved.pop()

    @precondition(lambda self: not self.saved)
    @rule()
    def take(self) -> None:
        if self.overlay.open:
            self.flying.append(self.overlay.take())

    @rule()
    def commit(self) -> None:
        if self.flying:
            batch = self.flying.popleft()
            self.store.apply(batch)
            self.committed.append(batch)

    @rule()
    def settle(self) -> None:
        if self.committed:
            self.overlay.settle(self.committed.popleft())

    @rule(
        start=st.none() | keys,
        end=st.none() | keys,
        reverse=st.booleans(),
        limit=st.none() | st.integers(1, 4),
    )
    def list(
        self, start: bytes | None, end: bytes | None, reverse: bool, limit: int | None
    ) -> None:
        expected = select(self.model, start, end, reverse, limit)
        assert self.overlay.list(start, end, reverse=reverse, limit=limit) == expected

    @invariant()
    def reads_see_every_write(self) -> None:
        for key in (b"", b"a", b"aa", b"b", b"c"):
            assert self.overlay.get(key) == self.model.get(key)
        assert self.overlay.get_alarm() == self.due

    def teardown(self) -> None:
        """Everything written is stored in the end, and nothing is kept twice."""
        while self.saved:
            self.release()
        if self.running:
            self.finish_alarm(succeeded=True)
        self.take()
        while self.flying or self.committed:
            self.commit()
            self.settle()
        assert self.store.entries == self.model
        assert self.store.due == self.due
        # From here on it reads the store alone.
        self.store.entries = {b"elsewhere": b"!"}
        assert self.overlay.list(None, None) == [(b"elsewhere", b"!")]


TestOverlay = OverlayMachine.TestCase
TestOverlay.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


def test_an_armed_alarm_is_hidden_until_its_handler_ends() -> None:
    """None while it runs; deleted with the next batch after success, back after a failure."""
    store = DictStore()
    store.due = 5
    overlay = Overlay(store, 1)
    assert not overlay.arm_alarm(4)
    assert overlay.arm_alarm(5)
    assert overlay.get_alarm() is None
    overlay.finish_alarm(succeeded=False)
    assert (overlay.get_alarm(), overlay.open) == (5, False)

    assert overlay.arm_alarm(5)
    overlay.finish_alarm(succeeded=True)
    assert (overlay.get_alarm(), overlay.take().alarm) == (None, None)


@pytest.mark.parametrize("due", [None, 9])
def test_setting_the_alarm_while_it_runs_replaces_its_deletion(due: int | None) -> None:
    """What the handler set, or deleted, stands after success and after failure."""
    for succeeded in (True, False):
        store = DictStore()
        store.due = 5
        overlay = Overlay(store, 1)
        overlay.arm_alarm(5)
        overlay.set_alarm(due)
        assert overlay.get_alarm() == due
        overlay.finish_alarm(succeeded)
        assert overlay.get_alarm() == due
        assert overlay.take().alarm == due


def test_a_rollback_restores_the_deferred_deletion() -> None:
    """An alarm set in a transaction that is rolled back was never set."""
    store = DictStore()
    store.due = 5
    overlay = Overlay(store, 1)
    overlay.arm_alarm(5)
    overlay.begin()
    overlay.set_alarm(9)
    overlay.rollback()
    overlay.finish_alarm(succeeded=True)
    assert overlay.take().alarm is None


@pytest.mark.parametrize("succeeded", [True, False])
def test_a_handler_that_ends_inside_a_transaction_is_not_undone_by_it(succeeded: bool) -> None:
    """A rollback undoes what the transaction wrote, not that the alarm was handled."""
    store = DictStore()
    store.due = 5
    overlay = Overlay(store, 1)
    assert overlay.arm_alarm(5)
    overlay.begin()
    overlay.set_alarm(9)
    overlay.finish_alarm(succeeded)
    assert overlay.get_alarm() == 9
    overlay.rollback()
    assert overlay.get_alarm() == (None if succeeded else 5)
    assert overlay.take().alarm is (None if succeeded else UNCHANGED)


def test_a_rollback_behind_a_commit_leaves_the_value_to_the_store() -> None:
    """A batch that settles inside a transaction is not kept in memory for ever."""
    store = DictStore()
    overlay = Overlay(store, 1)
    overlay.put(b"a", b"1")
    batch = overlay.take()
    overlay.begin()
    overlay.put(b"a", b"2")
    store.apply(batch)
    overlay.settle(batch)
    overlay.rollback()
    store.entries[b"a"] = b"seen in the store"
    assert overlay.get(b"a") == b"seen in the store"


def test_batches_settle_in_the_order_they_were_taken() -> None:
    """Anything else is a bug, said loudly."""
    overlay = Overlay(DictStore(), 1)
    batches = []
    for value in (b"1", b"2"):
        overlay.put(b"a", value)
        batches.append(overlay.take())
    with pytest.raises(RuntimeError, match="in the order"):
        overlay.settle(batches[1])
    for batch in batches:
        overlay.settle(batch)
    with pytest.raises(RuntimeError, match="in the order"):
        overlay.settle(batches[1])


def test_misuse_is_refused() -> None:
    """No batch ends inside a savepoint, nothing is deleted whole in one, none closes unopened."""
    overlay = Overlay(DictStore(), 1)
    with pytest.raises(RuntimeError, match="no savepoint"):
        overlay.rollback()
    overlay.begin()
    with pytest.raises(RuntimeError, match="within a transaction"):
        overlay.delete_all()
    with pytest.raises(RuntimeError, match="outside of transactions"):
        overlay.take()


def test_an_alarm_that_is_known_is_not_asked_for() -> None:
    """The store is left alone; what the object has read or written itself stands."""
    overlay = Overlay(DictStore(), 1)
    overlay.know_alarm(5)
    assert overlay.get_alarm() == 5
    overlay.set_alarm(6)
    overlay.know_alarm(5)
    assert overlay.get_alarm() == 6
    assert overlay.take().alarm == 6
