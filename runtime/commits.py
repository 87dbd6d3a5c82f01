"""From a turn's writes to a durable batch: what joins the overlay to the output gate and the writer.

It promises one object that the writes of one turn become durable together or not at all, in the
order of the turns, and that whatever the object emits after a write waits until it is
(semantics.md 4.4 to 4.6).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Protocol

from ..storage import UNCHANGED, Overlay
from .errors import Aborted, DurableObjectError, reset_error
from .output_gate import OutputGate

if TYPE_CHECKING:
    from ..storage import Batch, ObjectRecord, Partition, StorageError
    from ..storage.limits import EntryLimits
    from .backend import Backend
    from .events import Event
    from .output_gate import OutputLock


class Owner(Protocol):
    """Whose commits they are: the activation. `turn` is the event whose code runs now, if any: what
    that writes is one batch, which the owner flushes at its end."""

    turn: Event | None

    def unstored(self) -> ObjectRecord | None:
        """What is not stored about the object yet; asked once, for the first batch."""
        ...

    def alarm_changed(self, due_ms: int | None) -> None:
        """A batch that changed the alarm is durable."""
        ...

    def reset(self, cause: BaseException) -> None:
        """A commit failed."""
        ...

    def settled_all(self) -> None:
        """Nothing is in flight any more."""
        ...

    def check_caller(self) -> None:
        """Nothing of the owner runs. DurableObjectError: what runs is another object's code."""
        ...


class Commits:
    """The uncommitted writes of one activation, its `owner` until it is evicted, and its output gate."""

    __slots__ = (
        "_backend",
        "_closed",
        "_confirmed",
        "_in_flight",
        "_lock",
        "_partition",
        "_recorded",
        "gate",
        "number",
        "overlay",
        "owner",
    )

    def __init__(
        self,
        partition: Partition,
        backend: Backend,
        number: int,
        entry_limits: EntryLimits,
    ) -> None:
        self.overlay = Overlay(partition.store(number), number, entry_limits)
        self.gate = OutputGate()
        self.number = number
        self._partition = partition
        self._backend = backend
        self._recorded = False  # what is not stored about the object goes with the first batch
        self._in_flight = 0
        self._lock: OutputLock | None = None  # of the open batch
        self._confirmed: list[
            bool
        ] = []  # for each open savepoint: a confirmed write was made in it
        self._closed: BaseException | None = None
        self.owner: Owner | None = None

    @property
    def settled(self) -> bool:
        """Whether everything written is durable, or failed."""
        return self._in_flight == 0 and not self.overlay.open

    @property
    def written(self) -> bool:
        """Whether a turn that ends now has to `flush`."""
        return self._lock is not None

    @property
    def in_flight(self) -> int:
        """How many batches the writer has and has not answered."""
        return self._in_flight

    def use(self) -> Overlay:
        """The overlay, for one operation. Raises when the instance it belongs to has ended, or when another
        object's code runs."""
        if self._closed is not None:
            raise self._closed

        owner = self.owner
        if owner is not None and owner.turn is None:
            owner.check_caller()
        return self.overlay

    def wrote(self, confirmed: bool) -> None:
        """A write joined the open batch. Call it after each, or output would not wait for it."""
        if self._confirmed:
            self._confirmed[-1] |= confirmed
            return

        if self._lock is None:
            self._lock = self.gate.lock(confirmed)
            if self.owner is None or self.owner.turn is None:
                # Written by a task of the object's own, of which we do not see the turns.
                self._backend.call_soon(self.flush)
        elif confirmed:
            self.gate.confirm(self._lock)

    def flush(self) -> None:
        """Hand the open batch to the writer. Nothing happens without one, or in a transaction."""
        overlay = self.overlay
        if self._closed is not None or self._confirmed or not overlay.open:
            return

        record = None
        if not self._recorded:
            self._recorded = True
            record = self.owner.unstored() if self.owner is not None else None
        batch = overlay.take(record)
        lock = self._lock or self.gate.lock(confirmed=False)
        self._lock = None
        self._in_flight += 1
        self._partition.submit(batch, partial(self._done, batch, lock))

    def begin(self) -> int:
        """Open a savepoint; returns its depth, 1 for the outermost."""
        self.overlay.begin()
        self._confirmed.append(False)
        return len(self._confirmed)

    def release(self) -> None:
        """Keep what was written since the innermost savepoint: it joins what is around it."""
        self.overlay.release()
        confirmed = self._confirmed.pop()
        if self._confirmed:
            self._confirmed[-1] |= confirmed
        elif self.overlay.open:
            self.wrote(confirmed)

    def rollback(self) -> None:
        """Undo what was written since the innermost savepoint."""
        self.overlay.rollback()
        self._confirmed.pop()

    @property
    def depth(self) -> int:
        """The number of open savepoints."""
        return len(self._confirmed)

    def close(self, cause: BaseException, broken: BaseException | None = None) -> None:
        """The instance has ended: operations raise `cause` from now on, unwritten turns are lost.

        With `broken`, output that waits is refused with it.
        """
        self._closed = cause
        if broken is not None:
            self.gate.break_with(broken)

    def _done(self, batch: Batch, lock: OutputLock, error: StorageError | None) -> None:
        owner = self.owner
        if error is None:
            self._in_flight -= 1
            self.overlay.settle(batch)
            if batch.alarm is not UNCHANGED and owner is not None:
                owner.alarm_changed(batch.alarm)
            lock.release()
        else:
            cause = reset_error(error)
            lock.fail(cause)
            if owner is not None:
                owner.reset(cause)
            # Not before: those who were refused might have left it idle, and free to be evicted.
            self._in_flight -= 1
        if self._in_flight == 0 and owner is not None:
            owner.settled_all()


def no_longer_accessible(broken: bool) -> BaseException:
    """What a storage call of an ended instance raises: code of a reset one must not go on."""
    message = "Durable Object storage is no longer accessible."
    return Aborted(message) if broken else DurableObjectError(message)
