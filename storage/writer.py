"""The writer: one thread that makes the batches of all objects durable, group by group.

It promises, to every submitter in order: `done(None)` after the batch is on disk, or `done(error)`
when nothing of it is. All that waits when a commit begins is one group: one append, one fsync.
While the disk works, the next group gathers. A batch that fails takes with it the later batches of
the same object, which were made on top of it, until the owner says that it has dropped that object.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from dataclasses import dataclass
from enum import Enum
from math import inf
from time import monotonic
from typing import TYPE_CHECKING

from .errors import StorageError
from .histogram import Histogram
from .limits import GROUP_BOUNDS, MAX_GROUP_BATCHES, MAX_GROUP_BYTES, SAY_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .batch import Batch

    Done = Callable[[StorageError | None], object]
    Submitted = tuple[Batch, Done]
    Outcome = tuple[Done, StorageError | None]

logger = logging.getLogger("roomhost.storage")


class WriterState(Enum):
    """Where a writer is in its life."""

    NEW = "new"  # Next: RUNNING.
    RUNNING = "running"  # Next: CLOSING, ABANDONED.
    CLOSING = "closing"  # Commits what it has, takes no more. Next: CLOSED.
    ABANDONED = "abandoned"  # Commits nothing more. No next.
    CLOSED = "closed"  # No next.


NEXT_STATES = {
    WriterState.NEW: {WriterState.RUNNING},
    WriterState.RUNNING: {WriterState.CLOSING, WriterState.ABANDONED},
    WriterState.CLOSING: {WriterState.CLOSED},
    WriterState.ABANDONED: set[WriterState](),
    WriterState.CLOSED: set[WriterState](),
}


@dataclass(frozen=True, slots=True)
class WriterStatistics:
    """What a writer did since it started. `commits`: groups made durable; `batches`: made durable by them;
    `largest_group`: batches of one; `failed_batches`: answered with an error."""

    commits: int
    batches: int
    largest_group: int
    failed_batches: int


class Writer:
    """`commit(batches)` makes a group durable, in the writer's thread. `deliver(function)` has
    `function` called in the owner's thread; it is called once for each group. `soon(function)` has it
    called at the end of what the owner's thread is doing now.
    """

    def __init__(
        self,
        commit: Callable[[Sequence[Batch]], None],
        deliver: Callable[[Callable[[], None]], object],
        soon: Callable[[Callable[[], None]], object] | None = None,
    ) -> None:
        self._commit = commit
        self._deliver = deliver
        self._soon = _at_once if soon is None else soon
        self._state = WriterState.NEW
        # Batches, and among them the numbers of objects that were forgiven: what was submitted before
        # fails still, what comes after is accepted.
        self._waiting: deque[Submitted | int] = deque()
        self._lock = threading.Lock()  # for the state, what waits, and who sleeps
        self._asleep = False
        self._rousing = False  # the sleep will be ended soon; the owner's thread alone
        # Held, but for the moment that ends a sleep: half the price of a condition.
        self._wake = threading.Lock()
        self._wake.acquire()
        self._unanswered = 0  # submitted and not answered; the owner's thread alone
        self.answered = 0  # groups; likewise
        self.on_idle: Callable[[], object] | None = None  # called in the owner's thread
        self.on_busy: Callable[[], object] | None = None  # likewise
        # Likewise, before anybody is told, with what is durable of a group and what `position` said,
        # in the writer's thread, when it was.
        self.on_committed: Callable[[Sequence[Batch], int], object] = _ignore
        self.position: Callable[[], int] = _nowhere
        self._durable: list[Batch] = []  # of the group at hand; the writer's thread alone
        # Objects of which a batch failed, with the cause; the writer's thread alone.
        self._failed: dict[int, StorageError] = {}
        self.group_sizes = Histogram(GROUP_BOUNDS)  # of the groups that were made durable
        self._failing = False  # as the log says
        self._said = -inf  # when it said so, seconds
        self._commits = 0
        self._batches = 0
        self._largest_group = 0
        self._failed_batches = 0
        self._thread = threading.Thread(target=self._run, name="roomhost-writer", daemon=True)

    @property
    def idle(self) -> bool:
        """Whether everything submitted has been answered."""
        return self._unanswered == 0

    def start(self) -> None:
        """Start the thread."""
        self._become(WriterState.RUNNING)
        self._thread.start()

    def submit(self, batch: Batch, done: Done) -> None:
        """Have `batch` committed after those submitted before. StorageError: the writer is closed."""
        with self._lock:
            # Under the lock: `close` comes from another thread and must not come in between.
            if self._state is not WriterState.RUNNING:
                raise StorageError(f"storage is {self._state.value}: the host has stopped")

            self._waiting.append((batch, done))
            self._unanswered += 1
            rouse = self._asleep and not self._rousing
        if rouse:
            # What else is written in this turn of the owner's loop joins the group, instead of the
            # thread taking the first batch, and the interpreter, in the middle of it.
            self._rousing = True
            self._soon(self._end_sleep)
        if self._unanswered == 1 and self.on_busy is not None:
            self.on_busy()

    def forgive(self, number: int) -> None:
        """Accept batches of an object again after one failed: its state in memory was dropped.

        What was submitted before this call fails still, however late it is looked at.
        """
        with self._lock:
            self._waiting.append(number)
            self._rouse()

    def statistics(self) -> WriterStatistics:
        """What was done so far."""
        return WriterStatistics(
            self._commits, self._batches, self._largest_group, self._failed_batches
        )

    def close(self) -> None:
        """Commit and answer everything submitted, then end. Once only, from any other thread."""
        self._end(WriterState.CLOSING)
        self._become(WriterState.CLOSED)

    def abandon(self) -> None:
        """End as `kill -9` would: what no commit has begun with is never written, nobody is answered.
        A commit in progress may or may not become durable; it is over when this returns."""
        self._end(WriterState.ABANDONED)

    def _end(self, state: WriterState) -> None:
        with self._lock:
            self._become(state)
            if state is WriterState.ABANDONED:
                self._waiting.clear()
            self._rouse()
        self._thread.join()

    def _end_sleep(self) -> None:
        self._rousing = False
        with self._lock:
            self._rouse()

    def _rouse(self) -> None:
        """End the thread's sleep, if it sleeps. Call it under the lock."""
        if self._asleep:
            self._asleep = False
            self._wake.release()

    def _run(self) -> None:
        while (group := self._next_group()) is not None:
            outcomes = self._commit_group(group)
            if self._state is WriterState.ABANDONED:
                return

            if outcomes:
                self._answer(outcomes)

    def _answer(self, outcomes: list[Outcome]) -> None:
        durable, self._durable = self._durable, []
        position = self.position()

        def answer() -> None:
            self.answered += 1
            if durable:
                self.on_committed(durable, position)
            for done, error in outcomes:
                self._unanswered -= 1
                try:
                    done(error)
                except Exception:
                    # One submitter's bug must not keep the others from being told.
                    logger.exception("a submitter failed on its answer")
            if self._unanswered == 0 and self.on_idle is not None:
                self.on_idle()

        try:
            self._deliver(answer)
        except RuntimeError:
            # The owner's loop has ended: there is nobody left to be told.
            logger.debug("nobody is left to be told of a commit")
        except Exception:
            logger.exception("nobody could be told of a commit")

    def _sleep(self) -> None:
        """Wait until something waits or it is over. It may be woken for what it has taken already."""
        while True:
            with self._lock:
                if self._waiting or self._state is not WriterState.RUNNING:
                    return

                self._asleep = True
            self._wake.acquire()

    def _next_group(self) -> list[Submitted | int] | None:
        """Everything that waits, within limits; waits for something. None: it is over."""
        self._sleep()
        with self._lock:
            if not self._waiting:
                return None

            if len(self._waiting) <= MAX_GROUP_BATCHES:
                waiting, self._waiting = self._waiting, deque()
            else:
                waiting = deque(self._waiting.popleft() for _ in range(MAX_GROUP_BATCHES))
        group: list[Submitted | int] = []
        size = 0
        while waiting and size < MAX_GROUP_BYTES:
            item = waiting.popleft()
            size += 0 if isinstance(item, int) else item[0].size()
            group.append(item)
        if waiting:
            with self._lock:
                self._waiting.extendleft(reversed(waiting))
        return group

    def _commit_group(self, group: list[Submitted | int]) -> list[Outcome]:
        """Commit what can be, in one transaction if that goes; what became of each, in order."""
        outcomes: list[Outcome] = []
        accepted: list[Batch] = []
        submitted: list[Submitted] = []
        for item in group:
            if isinstance(item, int):
                self._failed.pop(item, None)
                continue

            submitted.append(item)
            cause = self._failed.get(item[0].number) if self._failed else None
            outcomes.append((item[1], cause))
            if cause is None:
                accepted.append(item[0])
        self._failed_batches += len(submitted) - len(accepted)
        error = self._try(accepted) if accepted else None
        if accepted:
            self._say(error)
        if error is None:
            return outcomes

        return [
            outcome if outcome[1] is not None else (outcome[0], self._retry(batch, error, accepted))
            for outcome, (batch, _) in zip(outcomes, submitted, strict=True)
        ]

    def _retry(
        self, batch: Batch, error: StorageError, accepted: list[Batch]
    ) -> StorageError | None:
        """Commit one batch of a group that failed alone, so that what cannot be stored fails alone."""
        cause = self._failed.get(batch.number)
        if cause is not None:
            self._failed_batches += 1
            return cause

        # A group of one has had its try.
        retried = error if len(accepted) == 1 else self._try([batch])
        return None if retried is None else self._fail(batch, retried)

    def _try(self, batches: list[Batch]) -> StorageError | None:
        if self._state is WriterState.ABANDONED:
            return StorageError("storage is abandoned: the host has stopped")

        try:
            self._commit(batches)
        except StorageError as error:
            return error
        except Exception as error:
            logger.exception("a commit failed unexpectedly")
            return StorageError(f"storage failed unexpectedly: {error!r}; report this")

        self._durable += batches
        self._commits += 1
        self.group_sizes.add(len(batches))
        self._batches += len(batches)
        self._largest_group = max(self._largest_group, len(batches))
        return None

    def _say(self, error: StorageError | None) -> None:
        """Log when commits begin to fail, and when they succeed again: not each one, nor often where
        some do and some do not."""
        if self._failing is (error is not None) or monotonic() - self._said < SAY_SECONDS:
            return

        self._failing = error is not None
        self._said = monotonic()
        if error is None:
            logger.warning("commits succeed again")
        else:
            logger.error("commits fail: %s", error)

    def _fail(self, batch: Batch, error: StorageError) -> StorageError:
        self._failed[batch.number] = error
        self._failed_batches += 1
        return error

    def _become(self, state: WriterState) -> None:
        if state not in NEXT_STATES[self._state]:
            raise StorageError(f"a writer that is {self._state.value} cannot become {state.value}")

        self._state = state


def _ignore(_batches: Sequence[Batch], _position: int) -> None:
    """Nobody keeps what is durable."""


def _nowhere() -> int:
    return 0


def _at_once(function: Callable[[], None]) -> None:
    function()
