"""An event loop without a system under it: virtual time, and a seed that says what runs next.

At each step one thing runs: the oldest plain callback, any task that may go on, or a turn of any
simulated thread. Plain callbacks keep their order among themselves, which `call_soon` promises;
tasks do not, as nobody promises that. Time moves when nothing can run, to the next timer; or a
little with each step, where the seed says that the machine is slow.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from array import array
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context, copy_context
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any, TypeVar, TypeVarTuple

from .threads import Deadlock, RunFailed, Scheduler, Thread

FRAMES_OF_A_TASK = 3  # that are told of one that waits
T = TypeVar("T")
Ts = TypeVarTuple("Ts")
OWN_NAME = "Task-"  # what asyncio calls a task that nobody named


@dataclass(frozen=True)
class Pace:
    """How a run goes, drawn once: `in_order`: how likely the oldest ready task runs next;
    `threads`: how likely a thread does, while both can; `preempt`: see `Scheduler`;
    `step_seconds`: at most how long a step takes."""

    in_order: float
    threads: float
    preempt: float
    step_seconds: float

    @classmethod
    def drawn(cls, rng: Random) -> Pace:
        """One of many."""
        return cls(
            in_order=rng.choice((0.0, 0.0, 0.5, 0.9)),
            threads=rng.choice((0.05, 0.3, 0.5, 0.9)),
            preempt=rng.choice((0.0, 0.1, 0.3)),
            step_seconds=rng.choice((0.0, 0.0, 0.000_02, 0.000_2)),
        )


class TooManySteps(RunFailed):
    """The run did not end."""


class SimulatedTask(asyncio.Task[Any]):
    """A task whose hash is its number, so that sets of tasks have the same order in each run."""

    def __init__(self, serial: int, coro: Any, **keywords: Any) -> None:
        self.serial = serial
        super().__init__(coro, **keywords)

    def __hash__(self) -> int:
        return self.serial


class SimulatedLoop(asyncio.BaseEventLoop):
    """The loop of one run. `on_step` is called before each step; `trace` has a number for each."""

    _scheduled: list[Any]  # of the base: a heap of timers

    def __init__(self, rng: Random, pace: Pace, max_steps: int) -> None:
        super().__init__()
        self._rng = rng
        self._pace = pace
        self._max_steps = max_steps
        self._now = 0.0
        self._plain: deque[asyncio.Handle] = deque()
        self._waking: list[asyncio.Handle] = []
        self._serials = itertools.count(1)
        self._first: SimulatedTask | None = None
        self._aborted: RunFailed | None = None
        self.threads = Scheduler(rng, self, pace.preempt)
        self.threads.on_turn = self._thread_runs
        self.threads.on_blocked_step = self._blocked_step
        self.steps = 0
        self.trace = array("q")
        self.tell: Callable[[str], object] | None = None  # each step, in words
        self.on_step: Callable[[], object] = bool
        self.set_task_factory(self._make_task)
        self.set_exception_handler(self._failed)
        self.failures: list[str] = []

    def time(self) -> float:
        return self._now

    def move(self, to: float) -> None:
        """Time moves on, to this moment; never back."""
        self._now = max(self._now, to)

    def run_next(self, task: asyncio.Task[Any]) -> None:
        """The next step is this task's, which is ready."""
        assert isinstance(task, SimulatedTask)
        self._first = task

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._add(handle)
        return handle

    def call_soon_threadsafe(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        if self.is_closed():
            raise RuntimeError("Event loop is closed")

        return self.call_soon(callback, *args, context=context)

    def run_in_executor(
        self, executor: Any, func: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        return self.run_in_thread(partial(func, *args))

    def run_in_thread(self, function: Callable[[], T]) -> asyncio.Future[T]:
        """What `function()` returns or raises, in a thread, with the context that is now."""
        future: asyncio.Future[T] = self.create_future()

        def run() -> None:
            try:
                result = function()
            except Exception as error:
                self.call_soon_threadsafe(_settle, future.set_exception, future, error)
            else:
                self.call_soon_threadsafe(_settle, future.set_result, future, result)

        Thread(self.threads, run, "a worker", context=copy_context()).start()
        return future

    def abort(self, why: str) -> None:
        """End the run at its next step. RunFailed, from `run_until_complete`."""
        self._aborted = RunFailed(why)

    def note(self, text: str) -> None:
        """Add something to what is told."""
        if self.tell is not None:
            self.tell(f"{self._now:.6f} {self.steps} {text}")

    def unbound(self) -> None:
        """As many steps again, to clean up."""
        self._max_steps = self.steps + self._max_steps
        self._aborted = None

    def stuck(self) -> str:
        """Who waits for what, in words."""
        told = list(self.threads.waiting())
        for task in sorted(asyncio.all_tasks(self), key=hash):
            told.append(f"{_name_of(task)} waits at {_place_of(task)}")
        return "; ".join(told)

    def _write_to_self(self) -> None:
        """Nobody sleeps in a selector."""

    def _process_events(self, event_list: Any) -> None:
        """There are none."""

    def _run_once(self) -> None:
        self._take_step()
        first, self._first = self._first, None
        if first is not None:
            handle = next(h for h in self._waking if _task_of(h) is first)
            self._waking.remove(handle)
            self._run(handle, first.serial)
            return

        if self._scheduled and self._scheduled[0].when() <= self._now:
            self._move_due()
        self.threads.wake_due()
        while not (self._plain or self._waking or self.threads.runnable):
            if not self._wait_for_timer():
                raise Deadlock(f"nobody can go on: {self.stuck()}")

        self._run_any()

    def _take_step(self) -> None:
        self.steps += 1
        if self._aborted is not None:
            raise self._aborted

        if self.steps > self._max_steps:
            raise TooManySteps(f"the run did not end in {self._max_steps} steps: {self.stuck()}")

        seconds = self._pace.step_seconds
        if seconds:
            self._now += seconds * self._rng.random()
        self.on_step()

    def _blocked_step(self) -> None:
        self._take_step()

    def _run_any(self) -> None:
        rng, pace = self._rng, self._pace
        plain, waking, runnable = self._plain, self._waking, self.threads.runnable
        if runnable and (not (plain or waking) or rng.random() < pace.threads):
            self.threads.run_one()
            return

        index = int(rng.random() * (len(waking) + (1 if plain else 0)))
        if index == len(waking):
            self._run(plain.popleft(), 0)
            return

        if pace.in_order and rng.random() < pace.in_order:
            index = 0
        handle = waking.pop(index)
        self._run(handle, hash(_task_of(handle)))

    def _run(self, handle: asyncio.Handle, serial: int) -> None:
        if handle.cancelled():
            return

        self.trace.append(serial)
        if self.tell is not None:
            self.note(_words(handle))
        _run_handle(handle)

    def _thread_runs(self, thread: Thread) -> None:
        self.trace.append(-thread.serial)
        self.note(f"thread {thread.name}")

    def _wait_for_timer(self) -> bool:
        """Move time to the next timer; False: there is none."""
        while self._scheduled and self._scheduled[0].cancelled():
            self._pop_timer()
        when = self.threads.next_timer
        if self._scheduled and (when is None or self._scheduled[0].when() < when):
            when = self._scheduled[0].when()
        if when is None:
            return False

        self.move(when)
        self._move_due()
        self.threads.wake_due()
        return True

    def _move_due(self) -> None:
        while self._scheduled and self._scheduled[0].when() <= self._now:
            handle = self._pop_timer()
            if not handle.cancelled():
                self._add(handle)

    def _pop_timer(self) -> asyncio.TimerHandle:
        handle: Any = heapq.heappop(self._scheduled)
        handle._scheduled = False  # else its cancellation counts as one in the heap
        timer: asyncio.TimerHandle = handle
        return timer

    def _add(self, handle: asyncio.Handle) -> None:
        if type(_task_of(handle)) is SimulatedTask:
            self._waking.append(handle)
        else:
            self._plain.append(handle)

    def _make_task(
        self,
        loop: asyncio.AbstractEventLoop,
        coro: Coroutine[Any, Any, Any] | Generator[Any, None, Any],
        **keywords: Any,
    ) -> asyncio.Task[Any]:
        return SimulatedTask(next(self._serials), coro, loop=loop, **keywords)

    def _failed(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        self.failures.append(context["message"] + (f": {error!r}" if error is not None else ""))


def _settle(settle: Callable[[Any], object], future: asyncio.Future[Any], outcome: Any) -> None:
    if not future.done():
        settle(outcome)


def _run_handle(handle: Any) -> None:
    handle._run()


def _task_of(handle: Any) -> object:
    """Whose step or wake-up it is, if it is one."""
    return getattr(handle._callback, "__self__", None)


def _words(handle: Any) -> str:
    task = _task_of(handle)
    if isinstance(task, SimulatedTask):
        return f"task {task.serial} {_name_of(task)} at {_place_of(task)}"

    function = handle._callback
    while isinstance(function, partial):
        function = function.func
    return f"call {getattr(function, '__qualname__', type(function).__qualname__)}"


def _name_of(task: asyncio.Task[Any]) -> str:
    """Its name, if somebody gave it one: asyncio's own numbers go on from run to run."""
    name = task.get_name()
    coro: Any = task.get_coro()
    return coro.__qualname__ if name.startswith(OWN_NAME) else name.rpartition(".<locals>.")[2]


def _place_of(task: asyncio.Task[Any]) -> str:
    """Where the innermost of its coroutines stand."""
    places: list[str] = []
    coro: Any = task.get_coro()
    while coro is not None and len(places) < 50:
        frame = getattr(coro, "cr_frame", None) or getattr(coro, "gi_frame", None)
        if frame is not None:
            file = frame.f_code.co_filename.rpartition("/")[2]
            places.append(f"{file}:{frame.f_lineno} {frame.f_code.co_name}")
        coro = getattr(coro, "cr_await", None) or getattr(coro, "gi_yieldfrom", None)
    return " > ".join(places[-FRAMES_OF_A_TASK:]) or "its start"
