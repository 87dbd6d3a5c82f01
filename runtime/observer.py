"""Who looks at a running host: figures of all events, and single ones for whoever wants to see them.

Counting is done by each namespace's `Meter`. Single events are told to the observer only while they are
asked for: by the inspector, a follower, a log level of debug, or a trace; and those that are slow, always.
"""

from __future__ import annotations

import logging
from collections import deque
from contextlib import asynccontextmanager
from math import inf
from time import perf_counter
from typing import TYPE_CHECKING

from ..storage import StorageError
from . import limits
from .backend import current_backend
from .errors import HostError
from .event_kind import EventKind, outcome_of
from .follower import Follower
from .line_limit import LineLimit
from .log_capture import EVENTS, LogCapture
from .loop_watchdog import LoopWatchdog
from .meter import Meter
from .observability import LEVELS, Observability, Sampler
from .records import EventRecord, LogLine, Sample
from .sampling import Sampling

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Collection

    from .clock import Clock
    from .engine import Engine
    from .events import Event
    from .settings import HostSettings
    from .slot import Slot

    EndSpan = Callable[[Event, float, BaseException | None], None]

logger = logging.getLogger(EVENTS)
ALL = -1.0  # seconds that every event takes longer than


class Observer:
    """Of one host. `meters`: by the number of the namespace."""

    def __init__(self, settings: HostSettings, clock: Clock) -> None:
        self.meters: dict[int, Meter] = {}
        self._settings = settings
        self._clock = clock
        self._engine: Engine | None = None
        self._recent: deque[EventRecord] = deque(maxlen=limits.MAX_RECENT_EVENTS)
        self._followers: list[Follower] = []
        self._capture = LogCapture(self._logged)
        self._sampling = Sampling()
        self._reset_lines = LineLimit(limits.MAX_RESET_LINES, perf_counter)
        self._end_span: EndSpan | None = None
        self.watchdog: LoopWatchdog | None = (
            None  # while the host runs, unless that is switched off
        )

    def add(
        self, number: int, binding: str, class_name: str, observability: Observability
    ) -> Meter:
        """The meter of a namespace; the one it has already, if it has one."""
        meter = self.meters.get(number)
        if meter is None:
            meter = self.meters[number] = Meter(binding)
            meter.watcher = self
        meter.binding = binding  # a deploy may have bound it by another name
        meter.class_name = class_name
        meter.observability = observability
        meter.sampler = Sampler(observability.sampling)
        meter.span_sampler = Sampler(observability.sampling)
        self._watch(meter)
        return meter

    @property
    def followers(self) -> int:
        """How many follow."""
        return len(self._followers)

    @property
    def recording(self) -> bool:
        """Whether every event of some namespace is recorded, but for those that are sampled out."""
        return any(meter.watched < 0 for meter in self.meters.values())

    def recent(
        self,
        namespace: str | None = None,
        object_id: str | None = None,
        limit: int = limits.RECENT_EVENTS,
    ) -> list[EventRecord]:
        """The newest events, the newest first: of a namespace by its name, of one object by its id in
        hexadecimal digits, or of all. Only what was recorded: see the module."""
        found: list[EventRecord] = []
        for record in reversed(self._recent):
            if len(found) >= limit:
                break
            if namespace in (None, record.binding) and object_id in (None, record.object_id):
                found.append(record)
        return found

    @asynccontextmanager
    async def follow(
        self, namespaces: Collection[str] | None = None, object_id: str | None = None
    ) -> AsyncGenerator[Follower]:
        """Follow what comes, of some namespaces: `async with observer.follow(["ROOM"], id) as follower`,
        then `async for item in follower`: an `EventRecord` or a `LogLine`."""
        follower = Follower(current_backend(), namespaces, object_id)
        self._followers.append(follower)
        self._capture.start()
        self.watch()
        try:
            yield follower
        finally:
            self._followers.remove(follower)
            self._capture.stop()
            self.watch()

    def sample(self) -> Sample:
        """Throughput, latency and memory of the last second or two. HostError: the host does not run."""
        if self._engine is None:
            raise HostError("the host is not running: use it inside `async with Host(...)`")

        meters = list(self.meters.values())
        return self._sampling.sample(self._engine, meters, self._clock.now_ms())

    def trace(self, end_span: EndSpan | None) -> None:
        """Have `end_span(event, queued_ms, error)` called for each event that ends; None: no more."""
        self._end_span = end_span
        self.watch()

    @property
    def traces(self) -> bool:
        """Whether the host makes spans."""
        return self._end_span is not None

    def runs(self, engine: Engine | None) -> None:
        """The host has started, with this engine; None: it has stopped."""
        self._engine = engine
        watchdog, self.watchdog = self.watchdog, None
        if watchdog is not None:
            watchdog.stop()
        if engine is not None and self._settings.held_loop_seconds:
            watchdog = LoopWatchdog(engine, self._settings.held_loop_seconds, self._held)
            watchdog.start()
            self.watchdog = watchdog

    def watch(self) -> None:
        """Look anew which events are asked for: a log level may have changed."""
        for meter in self.meters.values():
            self._watch(meter)

    def ended(
        self, meter: Meter, slot: Slot, event: Event, took: float, error: BaseException | None
    ) -> None:
        """An event has ended that somebody may want to see; `took`: seconds, 0 if it never began."""
        if event.kind is EventKind.TASK:
            return

        if self._end_span is not None:
            self._end_span(event, round(_waited(event) * 1_000, 3), error)
        slow = took > self._settings.slow_handler_seconds
        picked = meter.sampler.picks() or slow or error is not None
        if not (picked or self._followers):
            return

        record = self._record(meter, slot, event, took, error)
        for follower in self._followers:
            follower.offer(record)
        if picked:
            self._recent.append(record)
            self._log(meter, record, error, slow)

    def reset(self, meter: Meter, slot: Slot, cause: BaseException) -> None:
        """An object was reset. A disk that fails resets every object that writes: a few are named."""
        left_out = self._reset_lines.take() if isinstance(cause, StorageError) else 0
        if left_out is None:
            return

        name = slot.id.name
        who = f"{slot.actor_class.name} {slot.id}{f' ({name!r})' if name else ''}"
        others = f" ({left_out} more objects were reset before)" if left_out else ""
        self._write(
            meter,
            logging.getLogger("roomhost.runtime"),
            logging.WARNING,
            f"reset of {who}: {cause!r}{others}",
            about(meter, slot) | {"error": type(cause).__name__},
        )

    def _held(self, message: str, slot: Slot | None, details: dict[str, object]) -> None:
        """The loop is held, or was; in the watchdog's thread."""
        runtime = logging.getLogger("roomhost.runtime")
        if slot is None:
            runtime.warning("%s", message, extra=details)
        else:
            of_object = about(slot.meter, slot) | details
            self._write(slot.meter, runtime, logging.WARNING, message, of_object)

    def _watch(self, meter: Meter) -> None:
        level = meter.observability.level
        logs = logger.isEnabledFor(logging.DEBUG) if level is None else level == "debug"
        if logs or self._followers or self._settings.inspector or self._end_span is not None:
            meter.watched = ALL
        else:
            meter.watched = self._settings.slow_handler_seconds or inf

    def _record(
        self, meter: Meter, slot: Slot, event: Event, took: float, error: BaseException | None
    ) -> EventRecord:
        return EventRecord(
            at_ms=self._clock.now_ms(),
            binding=meter.binding,
            object_id=str(slot.id),
            name=slot.id.name,
            kind=event.kind.value,
            what=event.what,
            queued_ms=round(_waited(event) * 1_000, 3),
            duration_ms=round(took * 1_000, 3),
            outcome="ok" if error is None else type(error).__name__,
        )

    def _log(
        self, meter: Meter, record: EventRecord, error: BaseException | None, slow: bool
    ) -> None:
        level = logging.WARNING if slow else logging.DEBUG
        if not self._logs(meter, logger, level):
            return

        message = (
            f"{'slow ' if slow else ''}{record.kind} {record.what} of {record.binding} "
            f"{record.name or record.object_id}: {record.outcome} in {record.duration_ms} ms"
        )
        details: dict[str, object] = {
            "binding": record.binding,
            "object_id": record.object_id,
            "object_name": record.name,
            "event": record.kind,
            "what": record.what,
            "queued_ms": record.queued_ms,
            "duration_ms": record.duration_ms,
            "outcome": outcome_of(error).value,
        }
        if error is not None:
            details["error"] = record.outcome
        self._write(meter, logger, level, message, details)

    def _logs(self, meter: Meter, to: logging.Logger, level: int) -> bool:
        own = meter.observability.level
        return to.isEnabledFor(level) if own is None else level >= LEVELS[own]

    def _write(
        self,
        meter: Meter,
        to: logging.Logger,
        level: int,
        message: str,
        details: dict[str, object],
    ) -> None:
        """Log a line about an object, by the level of its module, if it has one, instead of the
        logger's."""
        if self._logs(meter, to, level):
            to.handle(to.makeRecord(to.name, level, __file__, 0, message, (), None, None, details))

    def _logged(self, line: LogLine) -> None:
        for follower in self._followers:
            follower.offer(line)


def _waited(event: Event) -> float:
    return event.began - event.arrived if event.arrived and event.began else 0.0


def about(meter: Meter, slot: Slot) -> dict[str, object]:
    """What a line of the log says of the object that it is about."""
    return {"binding": meter.binding, "object_id": str(slot.id), "object_name": slot.id.name}
