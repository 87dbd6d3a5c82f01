"""The core, broken on purpose at one seam at a time: each check must notice what it is there for.

Some of the contexts are those of `tests.consistency.broken`; these are the ones that only show across
crashes, or with alarms.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from roomhost.runtime import alarm_scheduler, host
from roomhost.runtime.activation import Activation
from roomhost.runtime.alarm_event import AlarmEvent
from roomhost.runtime.alarm_scheduler import AlarmScheduler
from roomhost.runtime.slot import Slot
from roomhost.storage import log_record
from roomhost.storage.commit_log import CommitLog
from roomhost.storage.overlay import Overlay

from ..consistency.broken import (
    a_reset_that_waits_for_no_batch,
    an_instance_for_each_stub,
    answers_before_the_commit,
    batches_in_two_commits,
    failures_that_go_unnoticed,
    input_that_never_waits,
    output_gate_of_each_request,
    output_that_never_waits,
    storage_that_suspends,
    the_last_call_first,
)
from .checks.activations import begin_in_order, one_at_a_time
from .checks.alarms import (
    all_ran,
    never_after_deletion,
    never_early,
    one_run_at_a_time,
    retries_wait,
    whole_alarms,
)
from .checks.linear import linearizable
from .checks.money import books_balance, everything_arrived, sum_is_invariant
from .checks.outputs import outputs_are_durable, turns_are_whole
from .faults import NO_FAULTS, Faults
from .workloads.alarms import Alarms
from .workloads.counters import Counters
from .workloads.transfers import Transfers
from .world import Workload

EARLY_MS = 1_000


@contextmanager
def a_log_that_is_not_replayed() -> Generator[None]:
    """What the log has and LMDB has not is forgotten at the start."""
    original = CommitLog._check_order

    def check_order(self: CommitLog) -> int:
        self.applied = original(self)
        return self.applied

    with patch.object(CommitLog, "_check_order", check_order):
        yield


@contextmanager
def records_that_are_not_checked() -> Generator[None]:
    """A record of which a part never got to the disk is taken for whole."""
    with patch.object(log_record, "crc32", lambda *_: 0):
        yield


@contextmanager
def evictions_of_what_runs() -> Generator[None]:
    """An instance is dropped as soon as its writes are on disk, though a handler of it waits."""

    async def evict(slot: Slot) -> bool:
        activation = slot.activation
        if activation is None or not activation.commits.settled:
            return False

        with patch.object(Activation, "idle", property(lambda _: True)):
            return activation.evict()

    with patch.object(host, "evict", evict):
        yield


@contextmanager
def alarms_deleted_when_they_start() -> Generator[None]:
    """The deletion of an alarm is on disk before its handler has succeeded."""
    original = AlarmEvent.invoke

    def invoke(self: AlarmEvent) -> Any:
        running = original(self)
        if running is not None:
            self.activation.commits.overlay.set_alarm(None)
            self.activation.commits.wrote(True)
        return running

    with patch.object(AlarmEvent, "invoke", invoke):
        yield


@contextmanager
def alarms_that_run_early() -> Generator[None]:
    """The scheduler's clock is ahead, and nobody looks at another one."""
    scan, invoke, now_ms = AlarmScheduler._scan, AlarmEvent.invoke, Activation.now_ms

    def ahead(self: Activation) -> int:
        return now_ms(self) + EARLY_MS

    def invoke_early(self: AlarmEvent) -> Any:
        with patch.object(Activation, "now_ms", ahead):
            return invoke(self)

    def scan_early(self: AlarmScheduler) -> int:
        clock = self._clock
        with patch.object(clock, "now_ms", lambda now_ms=clock.now_ms: now_ms() + EARLY_MS):
            return scan(self)

    with (
        patch.object(AlarmScheduler, "_scan", scan_early),
        patch.object(AlarmEvent, "invoke", invoke_early),
    ):
        yield


@contextmanager
def alarms_that_run_though_deleted() -> Generator[None]:
    """A retry is not cancelled by the deletion of its alarm, and its run looks at nothing."""

    def changed(self: AlarmScheduler, number: int, due_ms: int | None) -> None:
        if number in self._running:
            self._changed[number] = due_ms
        if due_ms is not None:
            self._see(number, due_ms)

    def invoke(self: AlarmEvent) -> Any:
        with patch.object(Overlay, "get_alarm", lambda _: self._due_ms):
            return original(self)

    original = AlarmEvent.invoke
    with (
        patch.object(AlarmScheduler, "changed", changed),
        patch.object(AlarmEvent, "invoke", invoke),
    ):
        yield


class Forgetful(dict[int, int]):
    """Runs of which none is known to be in progress."""

    def __contains__(self, _number: object) -> bool:
        return False


@contextmanager
def runs_of_an_alarm_at_once() -> Generator[None]:
    """An alarm that was set during a run does not wait for the end of that."""
    original = AlarmScheduler.__init__

    def make(self: AlarmScheduler, *arguments: Any) -> None:
        original(self, *arguments)
        self._running = Forgetful()

    with patch.object(AlarmScheduler, "__init__", make):
        yield


@contextmanager
def retries_at_once() -> Generator[None]:
    """A run that failed is tried again without a wait."""
    with patch.object(alarm_scheduler, "delay_seconds", lambda *_: 0.0):
        yield


@contextmanager
def failed_alarms_that_are_forgotten() -> Generator[None]:
    """A run that failed is not tried again."""

    def failed(self: AlarmScheduler, number: int, *_: Any) -> None:
        self._forget(number)

    with patch.object(AlarmScheduler, "_failed", failed):
        yield


@contextmanager
def overdue_alarms_that_are_forgotten() -> Generator[None]:
    """What became due while no host ran is passed over."""
    original = AlarmScheduler.start

    def start(self: AlarmScheduler) -> None:
        self._position = (self._clock.now_ms(), 0)
        original(self)

    with patch.object(AlarmScheduler, "start", start):
        yield


CRASHES = Faults(crash=10.0, slow_disk=5.0, crashes=5, most=12)
NO_START = "a host does not start on a disk that is well"  # what the frame says


class CrashingCounters(Counters):
    """With little else than crashes, in the middle of large writes."""

    faults = CRASHES
    pads = (700, 3_000)


class EvictedCounters(Counters):
    """With handlers that wait, and many evictions."""

    faults = NO_FAULTS
    pauses_ms = (5, 10)
    evictions = 20


class CrashingTransfers(Transfers):
    """With little else than crashes."""

    faults = CRASHES


@dataclass(frozen=True, slots=True)
class Variant:
    """A way to break the core, the workload that shows it, and how what is noticed begins: with the
    name of the check."""

    broken: Callable[[], AbstractContextManager[None]]
    workload: Callable[[], Workload]
    noticed: str


def noticed_by(
    check: Callable[..., Iterator[str]],
    broken: Callable[[], AbstractContextManager[None]],
    workload: Callable[[], Workload],
) -> Variant:
    """A variant that one of the checks notices."""
    return Variant(broken, workload, check.__name__)


VARIANTS: Sequence[Variant] = (
    noticed_by(outputs_are_durable, output_that_never_waits, Counters),
    noticed_by(linearizable, output_that_never_waits, Counters),
    noticed_by(books_balance, output_that_never_waits, Transfers),
    noticed_by(outputs_are_durable, output_gate_of_each_request, Counters),
    noticed_by(outputs_are_durable, answers_before_the_commit, Counters),
    noticed_by(linearizable, failures_that_go_unnoticed, Counters),
    noticed_by(sum_is_invariant, batches_in_two_commits, CrashingTransfers),
    noticed_by(books_balance, batches_in_two_commits, CrashingTransfers),
    noticed_by(everything_arrived, batches_in_two_commits, CrashingTransfers),
    noticed_by(turns_are_whole, records_that_are_not_checked, CrashingCounters),
    noticed_by(linearizable, a_log_that_is_not_replayed, Counters),
    Variant(records_that_are_not_checked, CrashingCounters, NO_START),
    noticed_by(linearizable, a_reset_that_waits_for_no_batch, CrashingCounters),
    noticed_by(one_at_a_time, an_instance_for_each_stub, Counters),
    noticed_by(one_at_a_time, evictions_of_what_runs, EvictedCounters),
    noticed_by(linearizable, input_that_never_waits, Transfers),
    noticed_by(linearizable, storage_that_suspends, Counters),
    noticed_by(begin_in_order, the_last_call_first, Counters),
    noticed_by(whole_alarms, alarms_deleted_when_they_start, Alarms),
    noticed_by(never_early, alarms_that_run_early, Alarms),
    noticed_by(never_after_deletion, alarms_that_run_though_deleted, Alarms),
    noticed_by(one_run_at_a_time, runs_of_an_alarm_at_once, Alarms),
    noticed_by(retries_wait, retries_at_once, Alarms),
    noticed_by(all_ran, failed_alarms_that_are_forgotten, Alarms),
    noticed_by(all_ran, overdue_alarms_that_are_forgotten, Alarms),
)
