"""One object's uncommitted writes, over what is committed: pure state, no I/O of its own.

It promises that reads see every write made before them, committed or not; that a batch is what was
written between two calls of `take`, whole; and that a savepoint that is rolled back leaves no
trace. Batches that were taken stay visible until `settle` says that the store has them.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Literal, Protocol

from .batch import UNCHANGED, Batch, ObjectRecord, Unchanged

if TYPE_CHECKING:
    from collections.abc import Callable

    Undo = list[Callable[[], object]]

Alarm = int | None | Literal[Unchanged.UNCHANGED]
Entries = list[tuple[bytes, bytes]]


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
        "_alarm_known",
        "_clear",
        "_clears_in_flight",
        "_deferred",
        "_dirty",
        "_number",
        "_open",
        "_open_alarm",
        "_savepoints",
        "_store",
        "_taken",
        "_taken_in",
    )

    def __init__(self, store: Committed, number: int) -> None:
        self._store = store
        self._number = number
        # Every value the store does not have, of the open batch and of those in flight. None: deleted.
        self._dirty: dict[bytes, bytes | None] = {}
        self._open: dict[bytes, bytes | None] = {}  # the open batch
        # Which batch in flight wrote a key last, by the number of the batch.
        self._taken_in: dict[bytes, int] = {}
        self._taken: deque[int] = deque()
        self._clear = False  # the open batch begins by deleting everything
        self._clears_in_flight = 0
        self._open_alarm: Alarm = UNCHANGED
        self._alarm: int | None = None
        self._alarm_known = False  # the store has been asked
        self._deferred: int | None = None  # the hidden alarm whose handler runs
        self._savepoints: list[Undo] = []  # for each, how to undo what was written in it

    @property
    def open(self) -> bool:
        """Whether something is written that no batch has taken."""
        return bool(self._open) or self._clear or self._open_alarm is not UNCHANGED

    @property
    def depth(self) -> int:
        """The number of open savepoints."""
        return len(self._savepoints)

    def get(self, key: bytes) -> bytes | None:
        """The value of a key, as of now."""
        if key in self._dirty:
            return self._dirty[key]

        return None if self._cleared else self._store.get(key)

    def put(self, key: bytes, value: bytes) -> None:
        """Write a value."""
        self._write(key, value)

    def delete(self, key: bytes) -> bool:
        """Delete a key; whether it existed."""
        if self.get(key) is None:
            return False

        self._write(key, None)
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
        changed = [
            (key, value)
            for key, value in self._dirty.items()
            if (start is None or key >= start) and (end is None or key < end)
        ]
        # Every deletion may take one of the store's entries out of the result.
        enough = None if limit is None else limit + sum(value is None for _, value in changed)
        stored: Entries = []
        if not self._cleared and (start is None or end is None or start < end):
            stored = self._store.scan(start, end, reverse=reverse, limit=enough)
        if not changed:
            return stored

        merged: dict[bytes, bytes | None] = dict(stored)
        merged.update(changed)
        ordered = sorted(merged.items(), key=_key_of, reverse=reverse)
        return [(key, value) for key, value in ordered if value is not None][:limit]

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
        if not self._alarm_known:
            self._alarm = self._store.alarm()
            self._alarm_known = True
        return None if self._deferred is not None else self._alarm

    def set_alarm(self, due_ms: int | None) -> None:
        """Set the alarm, or delete it. The one that is due already stays as it is."""
        if self.get_alarm() == due_ms and self._deferred is None:
            return

        self._set_alarm_state(due_ms, due_ms, None)

    def arm_alarm(self, due_ms: int) -> bool:
        """The handler of the alarm due at `due_ms` starts: hide it, if it is still the one.

        Its deletion is deferred to `finish_alarm`; setting or deleting the alarm cancels that.
        """
        if self._deferred is not None or self.get_alarm() != due_ms:
            return False

        self._deferred = due_ms
        return True

    def finish_alarm(self, succeeded: bool) -> None:
        """The handler ended. Unless the alarm was set or deleted meanwhile: its deletion joins the
        open batch, or after a failure it shows again."""
        if self._deferred is None:
            return

        if succeeded:
            self._set_alarm_state(None, None, None)
        else:
            self._deferred = None

    def begin(self) -> None:
        """Open a savepoint."""
        self._savepoints.append([])

    def release(self) -> None:
        """Close the innermost savepoint and keep what was written in it."""
        undo = self._innermost()
        if self._savepoints:
            self._savepoints[-1] += undo

    def rollback(self) -> None:
        """Close the innermost savepoint and undo what was written in it."""
        for step in reversed(self._innermost()):
            step()

    def take(self, record: ObjectRecord | None = None) -> Batch:
        """Close the open batch and return it, for the writer. RuntimeError: a savepoint is open."""
        if self._savepoints:
            raise RuntimeError("a batch ends outside of transactions")

        batch = Batch(self._number, record, self._clear, self._open, self._open_alarm)
        sequence = self._taken[-1] + 1 if self._taken else 0
        self._taken.append(sequence)
        for key in self._open:
            self._taken_in[key] = sequence
        self._clears_in_flight += self._clear
        self._open = {}
        self._clear = False
        self._open_alarm = UNCHANGED
        return batch

    def settle(self, batch: Batch) -> None:
        """The store has this batch now. Batches settle in the order they were taken."""
        self._clears_in_flight -= batch.clear
        sequence = self._taken.popleft()
        for key in batch.writes:
            # A later batch, or the open one, may have written the key again: then that value stays.
            if self._taken_in.get(key) == sequence:
                del self._taken_in[key]
                if key not in self._open:
                    self._dirty.pop(key, None)

    @property
    def _cleared(self) -> bool:
        return self._clear or self._clears_in_flight > 0

    def _write(self, key: bytes, value: bytes | None) -> None:
        if self._savepoints:
            self._remember(key)
        self._dirty[key] = value
        self._open[key] = value

    def _remember(self, key: bytes) -> None:
        undo = self._savepoints[-1]
        for values in (self._dirty, self._open):
            if key in values:
                undo.append(_setter(values, key, values[key]))
            else:
                undo.append(_remover(values, key))

    def _set_alarm_state(self, alarm: int | None, written: Alarm, deferred: int | None) -> None:
        if self._savepoints:
            before = (self._alarm, self._open_alarm, self._deferred)
            self._savepoints[-1].append(lambda: self._restore_alarm(*before))
        self._restore_alarm(alarm, written, deferred)

    def _restore_alarm(self, alarm: int | None, written: Alarm, deferred: int | None) -> None:
        self._alarm, self._open_alarm, self._deferred = alarm, written, deferred

    def _innermost(self) -> Undo:
        if not self._savepoints:
            raise RuntimeError("no savepoint is open")

        return self._savepoints.pop()


def _key_of(entry: tuple[bytes, bytes | None]) -> bytes:
    return entry[0]


def _setter(
    values: dict[bytes, bytes | None], key: bytes, value: bytes | None
) -> Callable[[], object]:
    return lambda: values.__setitem__(key, value)


def _remover(values: dict[bytes, bytes | None], key: bytes) -> Callable[[], object]:
    return lambda: values.pop(key, None)
