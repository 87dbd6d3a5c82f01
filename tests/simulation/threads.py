"""Threads that run one at a time: greenlets behind the names of the module `threading`.

It promises that a simulated thread gives way only here: at each operation on a lock, when it waits,
and where the disk says so. What runs next is drawn from the seed. Who waits in the loop's own thread
has the others run until it may go on; when nobody can, the run ends with who waits for what.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterator
from contextvars import Context
from dataclasses import dataclass
from random import Random
from typing import Any, Protocol, TypeVar

from greenlet import getcurrent, greenlet

MAIN = "the loop"
FIRST_IDENT = 1_000  # no thread of the system has it
TICK_SECONDS = 0.000_001  # the shortest wait
T = TypeVar("T")


class RunFailed(BaseException):
    """The run cannot go on; it says why. No code of the product catches it."""


class Deadlock(RunFailed):
    """Nobody can go on; it says who waits for what."""


class Killed(BaseException):
    """Thrown into a simulated thread when its process dies."""


class Time(Protocol):
    """The virtual time that threads share with the loop."""

    def time(self) -> float: ...

    def move(self, to: float) -> None:
        """Time moves on, to this moment at most."""
        ...


@dataclass(eq=False, slots=True)
class Wait:
    """One wait of one thread; `thread` is None for the loop's own."""

    thread: Thread | None
    what: str
    woken: bool = False
    timed_out: bool = False


class Scheduler:
    """The simulated threads of one run. `preempt`: how likely another thread runs at an operation of
    the loop's own thread that a thread may interrupt."""

    def __init__(self, rng: Random, time: Time, preempt: float) -> None:
        self._rng = rng
        self._time = time
        self._preempt = preempt
        self._serials = itertools.count(1)
        self._orders = itertools.count()
        self._timers: list[tuple[float, int, Wait]] = []
        self._main = getcurrent()
        self.current: Thread | None = None
        self.runnable: list[Thread] = []
        self.alive: dict[Thread, None] = {}
        self.failures: list[str] = []  # of threads that ended with an error
        self.blocked: Wait | None = None  # what the loop's own thread waits for
        # Called while the loop's own thread waits, before each turn of another one.
        self.on_blocked_step: Callable[[], object] = bool
        self.on_turn: Callable[[Thread], object] = id  # before each turn of a thread

    @property
    def next_timer(self) -> float | None:
        """When the next thread wakes by itself."""
        while self._timers and self._timers[0][2].woken:
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    def wake_due(self) -> None:
        """Wake the threads whose time has come."""
        now = self._time.time()
        while self._timers and self._timers[0][0] <= now:
            wait = heapq.heappop(self._timers)[2]
            if not wait.woken:
                wait.timed_out = True
                self.wake(wait)

    def run_one(self) -> None:
        """Let one runnable thread have a turn."""
        index = int(self._rng.random() * len(self.runnable))
        thread = self.runnable.pop(index)
        self.on_turn(thread)
        before, self.current = self.current, thread
        try:
            thread.greenlet.switch()
        finally:
            self.current = before

    def give_way(self) -> None:
        """A point at which the system may let another thread run."""
        thread = self.current
        if thread is not None:
            if not thread.dying:
                self.runnable.append(thread)
                self._main.switch()
        elif self.runnable and self._rng.random() < self._preempt:
            self.run_one()

    def sleep(self, seconds: float, what: str) -> None:
        """Wait so long, in virtual time."""
        wait = self.wait_of(what)
        self.wake_at(self._time.time() + seconds, wait)
        self.wait(wait)

    def wait_of(self, what: str) -> Wait:
        """A new wait of who runs now."""
        return Wait(self.current, what)

    def wake_at(self, when: float, wait: Wait) -> None:
        """End a wait at this time, if nothing else does; not at once, or time would stand still for
        who waits for the rest of a time again and again."""
        when = max(when, self._time.time() + TICK_SECONDS)
        heapq.heappush(self._timers, (when, next(self._orders), wait))

    def wake(self, wait: Wait) -> None:
        """End a wait."""
        if not wait.woken:
            wait.woken = True
            if wait.thread is not None:
                self.runnable.append(wait.thread)

    def wait(self, wait: Wait) -> None:
        """Return when a wait has ended. Deadlock: it is the loop's, and nobody can end it."""
        thread = wait.thread
        if thread is not None:
            if thread.dying:
                raise Killed

            thread.waits = wait
            while not wait.woken:
                self._main.switch()
            thread.waits = None
            return

        self.blocked = wait
        try:
            while not wait.woken:
                self._step_blocked()
        finally:
            self.blocked = None

    def waiting(self) -> Iterator[str]:
        """Who waits for what, in words."""
        if self.blocked is not None:
            yield f"{MAIN} waits for {self.blocked.what}"
        for thread in self.alive:
            if thread.waits is not None:
                yield f"{thread.name} waits for {thread.waits.what}"

    def kill_all(self) -> None:
        """End every thread where it is, as the end of its process would."""
        for thread in list(self.alive):
            thread.kill()
        self.runnable.clear()
        self._timers.clear()

    def serial(self) -> int:
        """The next thread's number."""
        return next(self._serials)

    def _step_blocked(self) -> None:
        self.on_blocked_step()
        if self.runnable:
            self.run_one()
            return

        when = self.next_timer
        if when is None:
            raise Deadlock("nobody can go on: " + "; ".join(self.waiting()))

        self._time.move(when)
        self.wake_due()


class Thread:
    """`threading.Thread`. It runs in a context of its own, or in `context`."""

    def __init__(
        self,
        scheduler: Scheduler,
        target: Callable[..., object],
        name: str | None = None,
        args: tuple[Any, ...] = (),
        daemon: bool | None = None,
        context: Context | None = None,
    ) -> None:
        self._scheduler = scheduler
        self._target = target
        self._arguments = args
        self._joining: list[Wait] = []
        self.serial = scheduler.serial()
        self.name = name or f"thread-{self.serial}"
        self.daemon = daemon
        self.ident = FIRST_IDENT + self.serial
        self.waits: Wait | None = None
        self.started = self.dying = self.ended = False
        self.greenlet = greenlet(self._run, scheduler._main)
        self.greenlet.gr_context = Context() if context is None else context

    def start(self) -> None:
        """Let it run from now on."""
        self.started = True
        self._scheduler.alive[self] = None
        self._scheduler.runnable.append(self)
        self._scheduler.give_way()

    def is_alive(self) -> bool:
        """Whether it has begun and not ended."""
        return self.started and not self.ended

    def join(self, timeout: float | None = None) -> None:
        """Return when it has ended."""
        scheduler = self._scheduler
        if self.is_alive():
            wait = scheduler.wait_of(f"the end of {self.name}")
            self._joining.append(wait)
            if timeout is not None:
                scheduler.wake_at(scheduler._time.time() + timeout, wait)
            scheduler.wait(wait)

    def kill(self) -> None:
        """End it where it is. From the loop's own thread."""
        self.dying = True
        if not self.greenlet:  # it has not begun: nothing of it is to be undone
            self._end()
            return

        before, self._scheduler.current = self._scheduler.current, self
        try:
            self.greenlet.throw(Killed)
        finally:
            self._scheduler.current = before

    def _run(self) -> None:
        try:
            self._target(*self._arguments)
        except Killed:
            pass
        except BaseException as error:
            self._scheduler.failures.append(f"{self.name} ended with {error!r}")
        finally:
            self._end()

    def _end(self) -> None:
        self.ended = True
        self._scheduler.alive.pop(self, None)
        for wait in self._joining:
            self._scheduler.wake(wait)


class Lock:
    """`threading.Lock`; who is let in next is drawn from the seed."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._held_by: str | None = None
        self._waiting: list[Wait] = []

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Take it; False: it is taken, or time is up."""
        scheduler = self._scheduler
        scheduler.give_way()
        while self._held_by is not None:
            if not blocking:
                return False

            wait = scheduler.wait_of(f"a lock that {self._held_by} holds")
            self._waiting.append(wait)
            if timeout >= 0:
                scheduler.wake_at(scheduler._time.time() + timeout, wait)
            scheduler.wait(wait)
            if wait.timed_out:
                self._waiting.remove(wait)
                return False

        current = scheduler.current
        self._held_by = MAIN if current is None else current.name
        return True

    def release(self) -> None:
        """Give it back, whoever took it."""
        current = self._scheduler.current
        if current is not None and current.dying:
            # It may not hold this: a condition that it waited for has given it back already.
            if self._held_by == current.name:
                self._held_by = None
            return

        if self._held_by is None:
            raise RuntimeError("release unlocked lock")

        self._held_by = None
        if self._waiting:
            index = int(self._scheduler._rng.random() * len(self._waiting))
            self._scheduler.wake(self._waiting.pop(index))

    def locked(self) -> bool:
        """Whether somebody holds it."""
        return self._held_by is not None

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


class Condition:
    """`threading.Condition`, over a lock that is not taken twice by one thread."""

    def __init__(self, scheduler: Scheduler, lock: Lock | None = None) -> None:
        self._scheduler = scheduler
        self._lock = Lock(scheduler) if lock is None else lock
        self._waiting: list[Wait] = []

    def __enter__(self) -> bool:
        return self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def wait(self, timeout: float | None = None) -> bool:
        """Give the lock back until somebody notifies; False: time was up before."""
        scheduler = self._scheduler
        wait = scheduler.wait_of("a condition")
        self._waiting.append(wait)
        if timeout is not None:
            scheduler.wake_at(scheduler._time.time() + timeout, wait)
        self._lock.release()
        try:
            scheduler.wait(wait)
        finally:
            if wait in self._waiting:
                self._waiting.remove(wait)
        self._lock.acquire()
        return not wait.timed_out

    def wait_for(self, predicate: Callable[[], T], timeout: float | None = None) -> T:
        """Wait until `predicate()`, or until time is up; what it says then."""
        until = None if timeout is None else self._scheduler._time.time() + timeout
        while not (result := predicate()):
            left = None if until is None else until - self._scheduler._time.time()
            if left is not None and left <= 0:
                break
            self.wait(left)
        return result

    def notify(self, n: int = 1) -> None:
        """Wake so many of those that wait."""
        woken, self._waiting = self._waiting[:n], self._waiting[n:]
        for wait in woken:
            self._scheduler.wake(wait)

    def notify_all(self) -> None:
        """Wake all that wait."""
        self.notify(len(self._waiting))


class Event:
    """`threading.Event`."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._changed = Condition(scheduler)
        self._set = False

    def is_set(self) -> bool:
        """Whether it was set."""
        return self._set

    def set(self) -> None:
        """Wake all that wait for it, and whoever comes later."""
        with self._changed:
            self._set = True
            self._changed.notify_all()

    def clear(self) -> None:
        """Let who comes later wait again."""
        self._set = False

    def wait(self, timeout: float | None = None) -> bool:
        """Return when it is set, or when time is up; whether it is set."""
        with self._changed:
            return bool(self._changed.wait_for(self.is_set, timeout))


ALock = Lock  # where a method of that name hides it


class Threading:
    """What stands in for the module `threading` in modules of the product."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    def Thread(
        self,
        target: Callable[..., object],
        name: str | None = None,
        args: tuple[Any, ...] = (),
        daemon: bool | None = None,
    ) -> Thread:
        """A new thread."""
        return Thread(self._scheduler, target, name, args, daemon)

    def Lock(self) -> Lock:
        """A new lock."""
        return Lock(self._scheduler)

    def Condition(self, lock: ALock | None = None) -> Condition:
        """A new condition."""
        return Condition(self._scheduler, lock)

    def Event(self) -> Event:
        """A new event."""
        return Event(self._scheduler)

    def get_ident(self) -> int:
        """Which thread runs."""
        current = self._scheduler.current
        return FIRST_IDENT if current is None else current.ident
