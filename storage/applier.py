"""The applier: one thread that brings LMDB up to what the commit log has.

It promises that everything in the log gets into LMDB, in order, and that the log is trimmed only
behind what LMDB has durably. It takes from `Pending` what has gathered, many groups in one
transaction. What cannot be applied stays in the log and in `Pending` and is tried again.
"""

from __future__ import annotations

import logging
import threading
import time
from enum import Enum
from typing import TYPE_CHECKING

from .errors import DataDirectoryError, StorageError
from .generation import Generation
from .limits import (
    APPLY_AT_WRITES,
    APPLY_DELAY_SECONDS,
    MAX_PENDING_WRITES,
    RETRY_APPLY_SECONDS,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .batch import Batch
    from .commit_log import CommitLog
    from .environment import Environment
    from .pending import Pending

logger = logging.getLogger("roomhost.storage")


class ApplierState(Enum):
    """Where an applier is in its life."""

    RUNNING = "running"  # Next: CLOSING, ABANDONED.
    CLOSING = "closing"  # Applies what there is, then ends. No next.
    ABANDONED = "abandoned"  # Applies nothing more. No next.


class Direct:
    """A group that does not go through the log, and what became of it: one attempt is made."""

    __slots__ = ("batches", "done", "error")

    def __init__(self, batches: Sequence[Batch]) -> None:
        self.batches = batches
        self.done = False
        self.error: StorageError | None = None


class Applier:
    """`delay_seconds`: how long writes gather; None: until there are many, or somebody waits."""

    def __init__(
        self,
        environment: Environment,
        log: CommitLog,
        pending: Pending,
        delay_seconds: float | None = APPLY_DELAY_SECONDS,
    ) -> None:
        self._environment = environment
        self._log = log
        self._pending = pending
        self._delay_seconds = delay_seconds
        self._state = ApplierState.RUNNING
        self._changed = threading.Condition(threading.Lock())
        self._gathering = False  # something was added since the last attempt began
        self._waiting: list[Callable[[], bool]] = []  # what others wait for
        self._direct: Direct | None = None
        self._failure: StorageError | None = None  # of the newest attempt
        self._failures = 0
        self._newest_failure: StorageError | None = None
        self._roomy = environment.roomy
        self._thread = threading.Thread(target=self._run, name="roomhost-applier", daemon=True)

    @property
    def keeps_up(self) -> bool:
        """Whether groups may go to the log: LMDB can take all that is there, and is not far behind."""
        return self._failure is None and self._roomy and self._pending.writes < MAX_PENDING_WRITES

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def gathered(self) -> None:
        """Something was added to `Pending`, by the thread that calls this."""
        if not self._gathering or self._pending.gathered >= APPLY_AT_WRITES:
            with self._changed:
                self._gathering = True
                self._changed.notify_all()

    def drain(self) -> None:
        """Return when LMDB has all that is in the log now. StorageError: it cannot take it."""
        last = self._log.last
        self._wait(lambda: self._log.applied >= last)

    def make_room(self, enough: Callable[[], bool]) -> None:
        """Return when there is `enough()` room, or when nothing is left to apply that could make
        some. StorageError: LMDB cannot take what is there. For the writer's thread."""
        self._wait(lambda: enough() or self._log.applied >= self._log.last)

    def apply_directly(self, batches: Sequence[Batch]) -> None:
        """Commit a group to LMDB, past the log, behind all that is in it. StorageError: nothing of
        it is stored. For the writer's thread."""
        direct = Direct(batches)
        with self._changed:
            self._direct = direct
        self._wait(lambda: direct.done)
        if direct.error is not None:
            raise direct.error

    def close(self) -> None:
        """Apply what can be, then end. The writer has ended."""
        self._end(ApplierState.CLOSING)

    def abandon(self) -> None:
        """End; what is being applied may or may not get into LMDB, it is over when this returns."""
        self._end(ApplierState.ABANDONED)

    def _end(self, state: ApplierState) -> None:
        with self._changed:
            self._state = state
            self._changed.notify_all()
        self._thread.join()

    def _wait(self, until: Callable[[], bool]) -> None:
        with self._changed:
            failures = self._failures
            while not until():
                if self._failures != failures and self._newest_failure is not None:
                    raise self._newest_failure
                if self._state is not ApplierState.RUNNING:
                    raise StorageError(f"storage is {self._state.value}: the host has stopped")

                if until not in self._waiting:
                    # For the first time; or the applier found it true, and it is so no more.
                    self._waiting.append(until)
                    self._changed.notify_all()
                self._changed.wait()

    def _run(self) -> None:
        while self._next():
            self._attempt()
        if self._state is ApplierState.CLOSING:
            self._attempt()

    def _next(self) -> bool:
        """Wait until something is to be applied. False: it is over."""
        with self._changed:
            begun: float | None = None
            while self._state is ApplierState.RUNNING and not self._waiting:
                seconds = self._seconds()
                if seconds is not None:
                    begun = time.monotonic() if begun is None else begun
                    seconds -= time.monotonic() - begun
                    if seconds <= 0:
                        break
                self._changed.wait(seconds)
            self._gathering = False
            return self._state is ApplierState.RUNNING

    def _seconds(self) -> float | None:
        """How long after something has gathered it is applied; None: not by itself."""
        if self._failure is not None:
            return RETRY_APPLY_SECONDS
        if self._pending.gathered >= APPLY_AT_WRITES:
            return 0
        return self._delay_seconds if self._gathering else None

    def _attempt(self) -> None:
        """Apply what has gathered, and as much more as somebody waits for."""
        failure: StorageError | None = None
        try:
            self._apply_gathered()
            if self._more:
                self._apply_rest()
                self._apply_direct()
            self._look_for_room()
        except StorageError as error:
            failure = error
        except (DataDirectoryError, OSError) as error:
            failure = StorageError(f"the commit log cannot be read: {error}")
        except Exception as error:
            logger.exception("the commit log could not be applied")
            failure = StorageError(f"storage failed unexpectedly: {error!r}; report this")
        if failure is not None and self._failure is None and not self._waiting:  # who waits is told
            logger.warning("what is in the commit log is not in LMDB yet: %s", failure)
        with self._changed:
            self._failure = failure
            if failure is None:
                # Who came too late for this attempt is served by the next.
                self._waiting = [until for until in self._waiting if not until()]
            else:
                self._failures += 1
                self._newest_failure = failure
                self._answer_direct(failure)
                self._waiting = []
            self._changed.notify_all()

    @property
    def _more(self) -> bool:
        """Whether somebody waits for more than was applied."""
        with self._changed:
            if self._state is not ApplierState.RUNNING:
                return self._state is ApplierState.CLOSING

            self._waiting = [until for until in self._waiting if not until()]
            self._changed.notify_all()
            return bool(self._waiting)

    def _apply_gathered(self) -> None:
        while (generation := self._pending.take()) is not None:
            self._apply(generation)
            self._pending.drop()
            if not self._more:
                return

    def _apply_rest(self) -> None:
        """What is in the log and was not added to `Pending`: its owner has not been told of it yet,
        or is gone; or this is the beginning."""
        rest = Generation()
        for sequence, batches in self._log.replay():
            for batch in batches:
                rest.add(batch)
            rest.last = sequence
        self._apply(rest)

    def _apply(self, generation: Generation) -> None:
        if generation.last > self._log.applied:
            self._environment.apply(generation.batches, generation.last, acknowledged=True)
            self._log.trim(generation.last)
            self._failure = None

    def _apply_direct(self) -> None:
        direct = self._direct
        if direct is None:
            return

        try:
            self._environment.apply(direct.batches, self._log.last + 1)
        except StorageError as error:
            self._answer_direct(error)
        else:
            self._log.skip()
            self._answer_direct(None)

    def _answer_direct(self, error: StorageError | None) -> None:
        direct, self._direct = self._direct, None
        if direct is not None:
            direct.error = error
            direct.done = True

    def _look_for_room(self) -> None:
        roomy = self._environment.roomy
        if self._roomy and not roomy:
            logger.warning("little space is left for storage: commits go past the log, more slowly")
        self._roomy = roomy
