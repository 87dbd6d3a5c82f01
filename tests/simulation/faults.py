"""Which faults a run has, and when: all drawn from a stream of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from enum import Enum
from random import Random

MEAN_STEPS = (40, 150, 400, 1_000)  # between two faults of a run; one of these
MOST_FAULTS = 8  # of one run


class Fault(Enum):
    """What can happen to a host. The first ones are drawn; the others follow from them."""

    CRASH = "crash"  # at any step
    RESTART = "restart"  # a stop that drains, and a new process
    DEPLOY = "deploy"  # of the same application
    EVICT = "evict"  # one object's instance
    ABORT_ALL = "abort_all"  # objects are reset
    CLOCK_STEP = "clock_step"  # by an hour, forward or back
    FULL_DISK = "full_disk"  # and space again later
    BROKEN_DISK = "broken_disk"  # a write fails, and may have got there in part
    STUCK_DISK = "stuck_disk"  # a write takes more than the host waits for one
    SLOW_DISK = "slow_disk"  # a write takes up to seconds
    SHORT_WRITE = "short_write"  # a write that was cut short, and goes on
    LMDB_FULL = "lmdb_full"  # the file of LMDB cannot grow
    MAP_FULL = "map_full"  # its map is too small: it grows
    CRASH_IN_START = "crash_in_start"
    CRASH_IN_STOP = "crash_in_stop"
    REFUSED_START = "refused_start"  # the disk let no host start
    TORN_WRITE = "torn_write"


@dataclass(frozen=True)
class Faults:
    """How likely each is, beside the others; 0: never. `most`: of one run, `crashes` likewise."""

    crash: float = 3.0
    restart: float = 1.0
    deploy: float = 1.0
    evict: float = 2.0
    abort_all: float = 1.0
    clock_step: float = 0.0
    full_disk: float = 1.0
    broken_disk: float = 0.5
    stuck_disk: float = 0.5
    slow_disk: float = 1.0
    short_write: float = 1.0
    lmdb_full: float = 1.0
    map_full: float = 0.5
    most: int = MOST_FAULTS
    crashes: int = 2  # crashes, restarts and broken disks, at most


@dataclass(frozen=True)
class Temptation:
    """How likely a crash comes within so many steps of what begins."""

    likely: float
    steps: int


A_START = Temptation(0.1, 20)
A_STOP = Temptation(0.15, 30)
A_WRITE = Temptation(0.01, 3)
NO_FAULTS = Faults(most=0)
STOPPING = (Fault.CRASH, Fault.RESTART, Fault.BROKEN_DISK)


class Plan:
    """Faults at given steps, and no others."""

    def __init__(self, plan: Mapping[int, Fault], strike: Callable[[Fault], object]) -> None:
        self._left = sorted(plan.items(), key=lambda item: -item[0])
        self._strike = strike
        self.active = True

    def step(self, number: int) -> None:
        """A step begins."""
        while self.active and self._left and number >= self._left[-1][0]:
            self._strike(self._left.pop()[1])

    def tempted(self, by: Temptation, number: int) -> None:
        """Nothing is drawn."""


class Nemesis:
    """Strikes at steps that are drawn. `strike(fault)` makes one happen."""

    def __init__(self, faults: Faults, rng: Random, strike: Callable[[Fault], object]) -> None:
        self._rng = rng
        self._soon: Fault | None = None
        self._strike = strike
        self._weights = {
            Fault(field.name): getattr(faults, field.name)
            for field in fields(faults)
            if field.name not in ("most", "crashes") and getattr(faults, field.name)
        }
        self._left = rng.randint(0, faults.most)
        self._stops_left = faults.crashes
        self._mean = rng.choice(MEAN_STEPS)
        self._next = self._drawn(0)
        self.active = True

    def step(self, number: int) -> None:
        """A step begins: strike, if it is time."""
        if number < self._next or not self.active or not self._left or not self._weights:
            return

        self._left -= 1
        self._next = self._drawn(number)
        fault, self._soon = self._soon, None
        if fault is None or fault not in self._weights:
            kinds = list(self._weights)
            fault = self._rng.choices(kinds, list(self._weights.values()))[0]
        if fault in STOPPING:
            self._stops_left -= 1
            if self._stops_left <= 0:
                for each in STOPPING:
                    self._weights.pop(each, None)
        self._strike(fault)

    def tempted(self, by: Temptation, number: int) -> None:
        """At this step something begins in which a crash is worth more than elsewhere."""
        if self._rng.random() < by.likely:
            self._soon = Fault.CRASH
            self._next = min(self._next, number + self._rng.randint(1, by.steps))

    def _drawn(self, number: int) -> int:
        return number + 1 + int(self._rng.expovariate(1 / self._mean))
