"""Notices a disk that no longer answers (semantics.md 4.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..storage import Partition
    from .timers import Timers


class CommitWatchdog:
    """Calls `stuck()` once 30 s have passed in which the writer had something to answer and answered
    nothing; again after each further 30 s.

    It looks once a second while something is unanswered, so that a commit costs it nothing. It counts
    its looks, not the time: while the process itself was stopped, the disk was not silent.
    """

    def __init__(self, partition: Partition, timers: Timers, stuck: Callable[[], object]) -> None:
        self._partition = partition
        self._timers = timers
        self._stuck = stuck
        self._looks = False
        self._answered = 0
        self._silent_looks = 0  # in a row
        partition.on_busy(self._begin)

    def _begin(self) -> None:
        """Something is unanswered, the first thing in a while."""
        self._mark()
        if not self._looks:
            self._looks = True
            self._timers.after(limits.COMMIT_CHECK_SECONDS, self._look)

    def _look(self) -> None:
        self._looks = not self._partition.idle
        if not self._looks:
            return

        self._silent_looks += 1
        if self._partition.answered != self._answered:
            self._mark()
        elif self._silent_looks * limits.COMMIT_CHECK_SECONDS >= limits.COMMIT_TIMEOUT_SECONDS:
            self._mark()
            self._stuck()
        self._timers.after(limits.COMMIT_CHECK_SECONDS, self._look)

    def _mark(self) -> None:
        self._answered = self._partition.answered
        self._silent_looks = 0
