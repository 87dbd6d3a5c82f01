"""Which alarms run when: one read position in the table of due times, one timer.

It promises that an alarm never runs before its time, that it runs at least once, and that one
object has at most one run in progress (semantics.md 6.2). The table holds what is committed; what
is in memory here (runs in progress, retries) may be lost at any time: after a restart the table is
read from its start.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import limits
from .alarm_retry import NO_RETRIES, Retries, after_failure, delay_seconds, is_counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..storage import Partition
    from .alarm_event import AlarmOutcome
    from .clock import Clock
    from .timers import Timer, Timers


class Retry:
    """An alarm whose run failed and that will run again."""

    __slots__ = ("due_ms", "retries", "timer")

    def __init__(self, due_ms: int, retries: Retries) -> None:
        self.due_ms = due_ms
        self.retries = retries
        self.timer: Timer | None = None


class AlarmScheduler:
    """The alarms of one partition.

    `fire(number, due_ms, retries)` starts a run, which ends with `finished`; `give_up(number,
    due_ms)` deletes an alarm that failed too often; `jitter()` is a random number from 0 to 1.
    """

    def __init__(
        self,
        partition: Partition,
        timers: Timers,
        clock: Clock,
        fire: Callable[[int, int, Retries], object],
        give_up: Callable[[int, int], object],
        jitter: Callable[[], float],
    ) -> None:
        self._partition = partition
        self._timers = timers
        self._clock = clock
        self._fire = fire
        self._give_up = give_up
        self._jitter = jitter
        self._position: tuple[int, int] | None = None  # every alarm up to here has been looked at
        self._running: dict[int, int] = {}  # number -> due time of the run in progress
        # Of those, number -> the alarm that was committed since the run began; None: no alarm.
        self._changed: dict[int, int | None] = {}
        self._retries: dict[int, Retry] = {}
        self._timer: Timer | None = None
        self._stopped = False
        self._watching: dict[int, list[Callable[[AlarmOutcome], object]]] = {}
        self._on_quiet: list[Callable[[], object]] = []

    @property
    def running(self) -> int:
        """The number of runs in progress."""
        return len(self._running)

    def committed(self, number: int) -> int | None:
        """The alarm that is stored of an object with a run in progress, without reading it."""
        return self._changed[number] if number in self._changed else self._running[number]

    def is_running(self, number: int) -> bool:
        """Whether a run for an object is in progress."""
        return number in self._running

    def retry(self, number: int) -> Retry | None:
        """The retry that waits for an object, if its alarm failed."""
        return self._retries.get(number)

    def hurry(self, number: int) -> bool:
        """Start the retry that waits for an object now; whether there is one."""
        retry = self._retries.get(number)
        if retry is None or number in self._running or self._stopped:
            return False

        self._run(number, retry.due_ms, retry.retries)
        return True

    def watch(self, number: int, callback: Callable[[AlarmOutcome], object]) -> None:
        """Call `callback(outcome)` once, when the run of an object's alarm ends, the one in progress
        or the next one."""
        self._watching.setdefault(number, []).append(callback)

    def unwatch(self, number: int, callback: Callable[[AlarmOutcome], object]) -> None:
        """Call it no more."""
        left = [each for each in self._watching.pop(number, ()) if each is not callback]
        if left:
            self._watching[number] = left

    def when_quiet(self, callback: Callable[[], object]) -> None:
        """Call `callback()` once, when no run is in progress; at once if that is so."""
        if self._running:
            self._on_quiet.append(callback)
        else:
            callback()

    def start(self) -> None:
        """Look at the table for the first time; overdue alarms run at once."""
        self._set_timer()

    def look_again(self) -> None:
        """Alarms that were passed over may have a class now: look at the table from its start."""
        self._position = None
        self._set_timer()

    def stop(self) -> None:
        """Start no more runs."""
        self._stopped = True
        for retry in self._retries.values():
            if retry.timer is not None:
                retry.timer.cancel()
        if self._timer is not None:
            self._timer.cancel()

    def changed(self, number: int, due_ms: int | None) -> None:
        """The alarm of an object was committed; None: it has none any more."""
        if number in self._running:
            self._changed[number] = due_ms
        retry = self._retries.get(number)
        if retry is not None and retry.due_ms != due_ms:
            self._forget(number)
        if due_ms is not None:
            self._see(number, due_ms)

    def run_due(self) -> int:
        """Start every alarm that is due, as far as the limit of runs in progress allows; how many.
        A retry that waits is started too."""
        started = self._scan()
        now_ms = self._clock.now_ms()
        for number, retry in list(self._retries.items()):
            if number not in self._running and retry.due_ms <= now_ms:
                self._run(number, retry.due_ms, retry.retries)
                started += 1
        return started

    def finished(self, number: int, due_ms: int, outcome: AlarmOutcome) -> None:
        """A run ended, and what it wrote is durable."""
        self._running.pop(number, None)
        if not self._stopped:
            self._decide(number, due_ms, outcome)
        if self._watching:
            for watcher in self._watching.pop(number, ()):
                watcher(outcome)
        if not self._running:
            quiet, self._on_quiet = self._on_quiet, []
            for callback in quiet:
                callback()

    def _see(self, number: int, due_ms: int) -> None:
        """An alarm is there that the next scan must not miss."""
        if self._position is not None and (due_ms, number) <= self._position:
            self._position = (due_ms, number - 1)
        self._wake_at(due_ms)

    def _decide(self, number: int, due_ms: int, outcome: AlarmOutcome) -> None:
        """What follows a run: a retry, the end, or the alarm that took its place."""
        # What is stored is what the run was for, unless a change was committed: no need to read it.
        stored_ms = self._changed.pop(number, due_ms)
        same = stored_ms == due_ms
        if outcome.error is not None and same and not outcome.replaced:
            self._failed(number, due_ms, outcome)
        else:
            self._forget(number)
            # A wake-up for nothing: the change that made it so is on its way to the disk, and is
            # told when it is there. Unless it was too early, by a clock that was set back.
            again = outcome.ran or not same or due_ms > self._clock.now_ms()
            if again and stored_ms is not None:
                self._see(number, stored_ms)
        if len(self._running) == limits.MAX_ALARMS_IN_FLIGHT - 1:
            self._set_timer()

    def _failed(self, number: int, due_ms: int, outcome: AlarmOutcome) -> None:
        assert outcome.error is not None
        waiting = self._retries.get(number)
        before = waiting.retries if waiting is not None else NO_RETRIES
        counted = is_counted(outcome.error, outcome.own)
        retries = after_failure(before, counted) if outcome.retries else None
        self._forget(number)
        if retries is None:
            self._give_up(number, due_ms)
            return

        again = self._retries[number] = Retry(due_ms, retries)
        again.timer = self._timers.after(
            delay_seconds(retries, self._jitter()), lambda: self._run(number, due_ms, retries)
        )

    def _run(self, number: int, due_ms: int, retries: Retries) -> None:
        waiting = self._retries.get(number)
        if waiting is not None and waiting.timer is not None:
            waiting.timer.cancel()
        self._running[number] = due_ms
        self._fire(number, due_ms, retries)

    def _scan(self) -> int:
        room = limits.MAX_ALARMS_IN_FLIGHT - len(self._running)
        if room <= 0 or self._stopped:
            return 0

        started = 0
        rows = self._partition.alarms.due(self._clock.now_ms(), after=self._position, limit=room)
        for due_ms, number in rows:
            self._position = (due_ms, number)
            if number not in self._running and number not in self._retries:
                self._run(number, due_ms, NO_RETRIES)
                started += 1
        self._set_timer()
        return started

    def _set_timer(self) -> None:
        """Wake for the first alarm after the position; with no room left, `finished` wakes us."""
        if self._stopped or len(self._running) >= limits.MAX_ALARMS_IN_FLIGHT:
            return

        first = self._partition.alarms.first(after=self._position)
        if first is not None:
            self._wake_at(first[0])

    def _wake_at(self, when_ms: int) -> None:
        """Scan at this time, or before. Not without room: `finished` scans then."""
        if self._stopped or len(self._running) >= limits.MAX_ALARMS_IN_FLIGHT:
            return

        if self._timer is not None and not self._timer.cancelled:
            if self._timer.when_ms <= when_ms:
                return
            self._timer.cancel()
        self._timer = self._timers.at(when_ms, self._scan)

    def _forget(self, number: int) -> None:
        retry = self._retries.pop(number, None)
        if retry is not None and retry.timer is not None:
            retry.timer.cancel()
