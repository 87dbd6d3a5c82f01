"""The output gate: what may leave an object, and when.

It promises to everyone outside one object that nothing they see depends on a write that is not on
disk. Each commit in progress is a lock; whatever is emitted waits for the locks taken *before* it,
never for later ones (semantics.md 4.3). A commit that fails breaks the gate: what was emitted after
that commit began is refused with its cause, for good; what was emitted before still leaves.

Pure state: callbacks go in, callbacks are called; nothing here waits.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    Open = Callable[[], object]
    Refuse = Callable[[BaseException], object]
    Waits = deque[tuple[int, Open, Refuse]]


class OutputLock:
    """One commit in progress. Settled exactly once: `release`, `fail` or `cancel`."""

    __slots__ = ("_gate", "sequence")

    def __init__(self, gate: OutputGate, sequence: int) -> None:
        self._gate: OutputGate | None = gate
        self.sequence = sequence

    def release(self) -> None:
        """The commit is durable."""
        self._settle().released(self.sequence)

    def fail(self, cause: BaseException) -> None:
        """The commit failed: the gate breaks."""
        self._settle().failed(self.sequence, cause)

    def cancel(self) -> None:
        """Nobody will ever know whether it committed: that counts as a failure."""
        self.fail(RuntimeError("output lock was canceled before completion"))

    def _settle(self) -> OutputGate:
        gate = self._gate
        if gate is None:
            raise RuntimeError("this lock of the output gate is settled already")

        self._gate = None
        return gate


class OutputGate:
    """The gate of one object."""

    __slots__ = (
        "_confirmed",
        "_early",
        "_failed_at",
        "_issued",
        "_settled",
        "_syncing",
        "_waiting",
        "broken",
        "is_open",
    )

    def __init__(self) -> None:
        self._issued = 0  # sequence of the newest lock
        self._confirmed = 0  # sequence of the newest lock that outputs wait for
        self._settled = 0  # every lock up to here is released
        # The containers are made when they are needed: an idle object's would be most of its memory.
        self._early: set[int] | None = None  # released while an earlier one is not
        self._failed_at = 0
        self.broken: BaseException | None = None
        self.is_open = True  # whether output would leave at once
        # Within each queue the targets never decrease, so only its head needs a look.
        self._waiting: Waits | None = None
        self._syncing: Waits | None = None

    @property
    def target(self) -> int:
        """What is emitted now waits for this lock, and those before it."""
        return self._confirmed

    def lock(self, confirmed: bool = True) -> OutputLock:
        """A commit begins. Output from now on waits for it, unless it is not `confirmed`
        (`allow_unconfirmed`): then only `when_settled` does. A failure breaks the gate either way.
        """
        self._issued += 1
        if confirmed:
            self._confirmed = self._issued
            self.is_open = False
        return OutputLock(self, self._issued)

    def confirm(self, lock: OutputLock) -> None:
        """Output waits for `lock` after all: a confirmed write joined its commit."""
        self._confirmed = max(self._confirmed, lock.sequence)
        self.is_open = False

    def when_open(self, opened: Open, refuse: Refuse) -> None:
        """Call `opened()` when every confirmed lock taken so far is released, or `refuse(cause)`."""
        if self._must_wait(self._confirmed, opened, refuse):
            if self._waiting is None:
                self._waiting = deque()
            self._waiting.append((self._confirmed, opened, refuse))

    def when_settled(self, opened: Open, refuse: Refuse) -> None:
        """As `when_open`, for every lock taken so far, confirmed or not: what `sync()` waits for."""
        if self._must_wait(self._issued, opened, refuse):
            if self._syncing is None:
                self._syncing = deque()
            self._syncing.append((self._issued, opened, refuse))

    def break_with(self, cause: BaseException) -> None:
        """The object is reset: whatever waits is refused, and whatever comes."""
        if self.broken is None:
            self._break(0, cause)

    def released(self, sequence: int) -> None:
        """Called by `OutputLock.release` alone."""
        if sequence != self._settled + 1:
            if self._early is None:
                self._early = set()
            self._early.add(sequence)
            return

        self._settled = sequence
        while self._early and self._settled + 1 in self._early:
            self._settled += 1
            self._early.discard(self._settled)
        self.is_open = self._settled >= self._confirmed and self.broken is None
        for queue in (self._waiting, self._syncing):
            while queue and queue[0][0] <= self._settled:
                queue.popleft()[1]()

    def failed(self, sequence: int, cause: BaseException) -> None:
        """Called by `OutputLock.fail` alone. The first failure breaks the gate; a commit before it
        that fails later refuses what still waited for that one."""
        if self.broken is None or sequence < self._failed_at:
            self._break(sequence, cause)

    def _break(self, sequence: int, cause: BaseException) -> None:
        if self.broken is None:
            self.broken = cause
            self.is_open = False
        self._failed_at = sequence
        refused: list[Refuse] = []
        for queue in (self._waiting, self._syncing):
            while queue and queue[-1][0] >= sequence:
                refused.append(queue.pop()[2])
        for refuse in reversed(refused):
            refuse(cause)

    def _must_wait(self, target: int, opened: Open, refuse: Refuse) -> bool:
        """Tell the outcome, if it is known; whether it is not."""
        if self.broken is not None and target >= self._failed_at:
            refuse(self.broken)
        elif self._settled >= target:
            opened()
        else:
            return True
        return False
