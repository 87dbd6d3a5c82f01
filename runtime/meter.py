"""The figures of one set of objects, counted where things happen: numbers of objects that exist anyway."""

from __future__ import annotations

from collections import Counter
from math import inf
from time import perf_counter
from typing import TYPE_CHECKING

from ..storage import MAX_WAITING, Histogram, StorageError
from . import limits
from .event_kind import EventKind, Outcome, ResetCause, outcome_of
from .observability import EVERYTHING, Sampler

if TYPE_CHECKING:
    from typing import Protocol

    from .events import Event
    from .slot import Slot

    class Watcher(Protocol):
        """Who is told of single events: see `observer.py`."""

        def ended(
            self,
            meter: Meter,
            slot: Slot,
            event: Event,
            took: float,
            error: BaseException | None,
        ) -> None: ...

        def reset(self, meter: Meter, slot: Slot, cause: BaseException) -> None: ...


class EventFigures:
    """Of the events of one kind. `waits`: seconds of those that found others before them, or the gate
    closed, until they began; `durations`: seconds from there until the outcome had left the object,
    what it depends on being on the disk; `failed`, `refused`: how those ended that did not end well,
    begun and never begun."""

    __slots__ = ("durations", "failed", "refused", "waits")

    def __init__(self) -> None:
        self.waits = Histogram(limits.DURATION_BOUNDS_SECONDS)
        self.durations = Histogram(limits.DURATION_BOUNDS_SECONDS)
        self.failed: Counter[Outcome] = Counter()
        self.refused: Counter[Outcome] = Counter()

    @property
    def outcomes(self) -> dict[Outcome, int]:
        """How many ended how."""
        ended = self.failed + self.refused
        ended[Outcome.OK] = self.durations.count - self.failed.total()
        return dict(ended)


class Meter:
    """Of one namespace, for as long as the host lives. `binding`: its name; `class_name`: of its objects.

    Beside the figures of its events: `activations`, `evictions`, `resets` by cause; `sockets`, that are
    open now; `messages_in`, `bytes_in`, `messages_out`, `bytes_out` of them, and `slow_readers` that were
    closed; `alarms_fired`, `alarm_retries`, `alarms_given_up`, and how late they were, in `lateness`;
    `tallies`: what is counted above the runtime, by name and label (`tally.py`).

    `watcher` is told of events that took more than `watched` seconds. `observability`, `sampler`: what of
    them is logged and recorded.
    """

    __slots__ = (
        "_waiting",
        "activations",
        "alarm_retries",
        "alarms_fired",
        "alarms_given_up",
        "binding",
        "bytes_in",
        "bytes_out",
        "class_name",
        "events",
        "evictions",
        "lateness",
        "messages_in",
        "messages_out",
        "observability",
        "resets",
        "sampler",
        "slow_readers",
        "sockets",
        "tallies",
        "watched",
        "watcher",
    )

    def __init__(self, binding: str) -> None:
        self.binding = binding
        self.class_name = ""
        self.observability = EVERYTHING
        self.sampler = Sampler(1.0)
        self.events = {kind: EventFigures() for kind in EventKind}
        self._waiting: dict[type[Event], list[float]] = {}  # of its kind's durations
        self.activations = 0
        self.evictions = 0
        self.resets: Counter[ResetCause] = Counter()
        self.sockets = 0
        self.messages_in = 0
        self.bytes_in = 0
        self.messages_out = 0
        self.bytes_out = 0
        self.slow_readers = 0
        self.alarms_fired = 0
        self.alarm_retries = 0
        self.alarms_given_up = 0
        self.lateness = Histogram(limits.LATENESS_BOUNDS_SECONDS)
        self.tallies: Counter[tuple[str, str]] = Counter()
        self.watched = inf
        self.watcher: Watcher | None = None

    def __repr__(self) -> str:
        return f"<Meter of {self.binding}>"

    def ended(self, event: Event, error: BaseException | None = None) -> None:
        """The outcome of an event that had begun leaves."""
        took = perf_counter() - event.began
        try:
            waiting = self._waiting[type(event)]
        except KeyError:
            waiting = self._waiting[type(event)] = self.events[event.kind].durations.waiting
        waiting.append(took)
        if len(waiting) >= MAX_WAITING:
            self.events[event.kind].durations.sort()
        if event.arrived:
            self.events[event.kind].waits.add(event.began - event.arrived)
        if took > self.watched and self.watcher is not None:
            self.watcher.ended(self, event.activation.slot, event, took, error)

    def failed(self, event: Event, error: BaseException) -> None:
        """An event that had begun ended with an error."""
        self.events[event.kind].failed[outcome_of(error)] += 1
        self.ended(event, error)

    def refused(self, slot: Slot, event: Event, error: BaseException) -> None:
        """An event ended before it began, because the object has too much to do or was reset."""
        self.events[event.kind].refused[outcome_of(error)] += 1
        if self.watched < 0 and self.watcher is not None:
            self.watcher.ended(self, slot, event, 0.0, error)

    def reset(self, slot: Slot, why: ResetCause, cause: BaseException) -> None:
        """An object was reset."""
        self.resets[ResetCause.STORAGE if isinstance(cause, StorageError) else why] += 1
        if self.watcher is not None:
            self.watcher.reset(self, slot, cause)
