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
from .traffic import Traffic

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
    open now, and the `traffic` of them; `slow_readers` that were closed; `alarms_fired` and how late they
    were, in `lateness`, `alarm_retries`, `alarms_given_up`; `tallies`: what is counted above the runtime,
    by name and label (`tally.py`).

    `watcher` is told of events that took more than `watched` seconds. `observability`, `sampler`: what of
    them is logged and recorded; `span_sampler`: which of them begin a trace.
    """

    __slots__ = (
        "_durations",
        "_waits",
        "activations",
        "alarm_retries",
        "alarms_fired",
        "alarms_given_up",
        "binding",
        "class_name",
        "events",
        "evictions",
        "lateness",
        "observability",
        "resets",
        "sampler",
        "slow_readers",
        "sockets",
        "span_sampler",
        "tallies",
        "traffic",
        "watched",
        "watcher",
    )

    def __init__(self, binding: str) -> None:
        self.binding = binding
        self.class_name = ""
        self.observability = EVERYTHING
        self.sampler = Sampler(1.0)
        self.span_sampler = Sampler(1.0)
        self.events = {kind: EventFigures() for kind in EventKind}
        # What waits to be sorted, by the type of the event: a lookup by its kind, an enum, is dear.
        self._durations: dict[type[Event], list[float]] = {}
        self._waits: dict[type[Event], list[float]] = {}
        self.activations = 0
        self.evictions = 0
        self.resets: Counter[ResetCause] = Counter()
        self.sockets = 0
        self.traffic = Traffic()
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
            waiting = self._durations[type(event)]
        except KeyError:
            waiting = self._meet(event)
        waiting.append(took)
        if len(waiting) >= MAX_WAITING:
            self.events[event.kind].durations.sort()
        if event.arrived:
            waits = self._waits[type(event)]
            waits.append(event.began - event.arrived)
            if len(waits) >= MAX_WAITING:
                self.events[event.kind].waits.sort()
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

    def alarm_fires(self, late: float, again: bool) -> None:
        """An alarm runs, so many seconds after it was due, or `again`, because it failed."""
        if again:
            self.alarm_retries += 1
        else:
            self.alarms_fired += 1
            self.lateness.add(late)

    def reset(self, slot: Slot, why: ResetCause, cause: BaseException) -> None:
        """An object was reset."""
        self.resets[ResetCause.STORAGE if isinstance(cause, StorageError) else why] += 1
        if self.watcher is not None:
            self.watcher.reset(self, slot, cause)

    def _meet(self, event: Event) -> list[float]:
        figures = self.events[event.kind]
        self._waits[type(event)] = figures.waits.waiting
        self._durations[type(event)] = figures.durations.waiting
        return figures.durations.waiting
