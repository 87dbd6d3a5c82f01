"""One object's uncommitted writes, over what is committed: pure state, no I/O of its own.

It promises that reads see every write made before them, committed or not; that a batch is what was
written between two calls of `take`, whole; and that a savepoint that is rolled back leaves no
trace. Batches that were taken stay visible until `settle` says that the store has them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol

from .alarm_state import UNASKED, AlarmState
from .batch import UNCHANGED, Batch, ObjectRecord, Unchanged
from .limits import DEFAULT_ENTRY_LIMITS, EntryLimits
from .merge import merged

Entries = list[tuple[bytes, bytes]]
Before = bytes | None | Literal[Unchanged.UNCHANGED]  # UNCHANGED: the key was not written


@dataclass(slots=True)
class Savepoint:
    """How to undo what was written since it was opened: for each key its value in all that is not
    settled, and in the open batch; and the alarm."""

    alarm: AlarmState
    before: dict[bytes, tuple[Before, Before]] = field(
        default_factory=dict[bytes, tuple[Before, Before]]
    )


class Committed(Protocol):
    """What an overlay lies over: `ObjectStore`, or a dict in disguise."""

    def get(self, key: bytes, /) -> bytes | None: ...

    def scan(
        self, start: bytes | None, end: bytes | None, *, reverse: bool, limit: int | None
    ) -> Entries: ...

    def alarm(self) -> int | None: ...


class Overlay:
    """The writes of one object that its store does not have yet."""

    __slots__ = (
        "_alarm",
        "_clear",
        "_clears_in_flight",
        "_dirty",
        "_number",
        "_open",
        "_savepoints",
        "_store",
        "_taken",
        "_taken_in",
        "limits",
    )

    def __init__(
        self, store: Committed, number: int, limits: EntryLimits = DEFAULT_ENTRY_LIMITS
    ) -> None:
        self.limits = limits  # for those who make keys and values
        self._store = store
        self._number = number
        # Every value the store does not have, of the open batch and of those in flight. None: deleted.
        self._dirty: dict[bytes, bytes | None] = {}
        self._open: dict[bytes, bytes | None] = {}  # the open batch
        # In flight. A list, which is short: an empty deque takes ten times its memory.
        self._taken: list[Batch] = []
        self._taken_in: dict[bytes, Batch] = {}  # which batch in flight wrote a key last
        self._clear = False  # the open batch begins by deleting everything
        self._clears_in_flight = 0
        self._alarm = UNASKED
        self._savepoints: list[Savepoint] = []

    @property
    def open(self) -> bool:
        """Whether something is written that no batch has taken."""
        return bool(self._open) or self._clear or self._alarm.written is not UNCHANGED

    @property
    def depth(self) -> int:
        """The number of open savepoints."""
        return len(self._savepoints)

    def get(self, key: bytes) -> bytes | None:
        """The value of a key, as of now."""
        if key in self._dirty:
            return self._dirty[key]

        return None if self._cleared else self._store.get(key)

    def put(self, key: bytes, value: bytes | None) -> None:
        """Write a value; None is none."""
        if self._savepoints:
            before = self._savepoints[-1].before
            if key not in before:
                before[key] = (self._dirty.get(key, UNCHANGED), self._open.get(key, UNCHANGED))
        self._dirty[key] = value
        self._open[key] = value

    def delete(self, key: bytes) -> bool:
        """Delete a key; whether it existed."""
        if self.get(key) is None:
            return False

        self.put(key, None)
        return True

    def list(
        self,
        start: bytes | None,
        end: bytes | None,
        *,
        reverse: bool = False,
        limit: int | None = None,
    ) -> Entries:
        """The entries from `start` up to, not including, `end`, in order, or backwards, at most
        `limit`: the store's, with the uncommitted writes merged in."""

        def scan(enough: int | None) -> Entries:
            if self._cleared or not (start is None or end is None or start < end):
                return []

            return self._store.scan(start, end, reverse=reverse, limit=enough)

        return merged(self._dirty, scan, start, end, reverse, limit)

    def delete_all(self) -> None:
        """Delete every entry and the alarm. RuntimeError: a savepoint is open."""
        if self._savepoints:
            raise RuntimeError("Cannot call deleteAll() within a transaction")

        self._dirty.clear()
        self._open.clear()
        self._taken_in.clear()
        self._clear = True
        self.set_alarm(None)

    def get_alarm(self) -> int | None:
        """When the alarm is due; None without one, and while it is hidden (`arm_alarm`)."""
        alarm = self._alarm
        due = alarm.due
        if due is UNCHANGED:
            due = self._store.alarm()
            self._alarm = AlarmState(due, alarm.written, alarm.deferred)
        return None if alarm.deferred else due

    def know_alarm(self, due_ms: int | None) -> None:
        """The store's alarm is this one: it need not be asked for it."""
        alarm = self._alarm
        if alarm.due is UNCHANGED:
            self._alarm = AlarmState(due_ms, alarm.written, alarm.deferred)

    def set_alarm(self, due_ms: int | None) -> None:
        """Set the alarm, or delete it. The one that is due already stays as it is."""
        if self.get_alarm() == due_ms and not self._alarm.deferred:
            return

        self._alarm = AlarmState(due_ms, due_ms)

    def arm_alarm(self, due_ms: int) -> bool:
        """The handler of the alarm due at `due_ms` starts: hide it, if it is still the one.

        Its deletion is deferred to `finish_alarm`; setting or deleting the alarm cancels that, and a
        rollback of that brings it back. Arming itself is not undone by a rollback.
        """
        if self.get_alarm() != due_ms:
            return False

        self._alarm = self._alarm.armed(due_ms)
        for savepoint in self._savepoints:
            savepoint.alarm = savepoint.alarm.armed(due_ms)
        return True

    def finish_alarm(self, succeeded: bool) -> bool:
        """The handler ended. Unless the alarm was set or deleted meanwhile: its deletion joins the
        open batch, or after a failure it shows again. A rollback does not undo it. Returns whether
        it was neither set nor deleted."""
        hidden = self._alarm.deferred
        self._alarm = self._alarm.finished(succeeded)
        for savepoint in self._savepoints:
            savepoint.alarm = savepoint.alarm.finished(succeeded)
        return hidden

    def begin(self) -> None:
        """Open a savepoint, inside the one that is open, if one is."""
        self.get_alarm()  # so that the savepoint knows it
        self._savepoints.append(Savepoint(self._alarm))

    def release(self) -> None:
        """Close the innermost savepoint and keep what was written in it. RuntimeError: none is open."""
        released = self._innermost()
        if self._savepoints:
            outer = self._savepoints[-1].before
            for key, before in released.before.items():
                outer.setdefault(key, before)

    def rollback(self) -> None:
        """Close the innermost savepoint and undo what was written in it. RuntimeError: none is open."""
        savepoint = self._innermost()
        self._alarm = savepoint.alarm
        for key, (dirty, written) in savepoint.before.items():
            # Its batch may have settled since the savepoint was opened: then the store has the value.
            settled = written is UNCHANGED and key not in self._taken_in
            _put_back(self._dirty, key, UNCHANGED if settled else dirty)
            _put_back(self._open, key, written)

    def take(self, record: ObjectRecord | None = None) -> Batch:
        """Close the open batch and return it, for the writer. RuntimeError: a savepoint is open."""
        if self._savepoints:
            raise RuntimeError("a batch ends outside of transactions")

        batch = Batch(self._number, record, self._clear, self._open, self._alarm.written)
        self._taken.append(batch)
        for key in self._open:
            self._taken_in[key] = batch
        self._clears_in_flight += self._clear
        self._open = {}
        self._clear = False
        self._alarm = self._alarm.taken()
        return batch

    def settle(self, batch: Batch) -> None:
        """The store has this batch now. RuntimeError: it is not the one taken longest ago."""
        if not self._taken or self._taken[0] is not batch:
            raise RuntimeError("batches settle in the order they were taken")

        del self._taken[0]
        self._clears_in_flight -= batch.clear
        for key in batch.writes:
            # A later batch, or the open one, may have written the key again: then that value stays.
            if self._taken_in.get(key) is batch:
                del self._taken_in[key]
                if key not in self._open:
                    self._dirty.pop(key, None)

    @property
    def _cleared(self) -> bool:
        return self._clear or self._clears_in_flight > 0

    def _innermost(self) -> Savepoint:
        if not self._savepoints:
            raise RuntimeError("no savepoint is open")

        return self._savepoints.pop()


def _put_back(values: dict[bytes, bytes | None], key: bytes, before: Before) -> None:
    if before is UNCHANGED:
        values.pop(key, None)
    else:
        values[key] = before
