"""Tasks that wait for something to run: handing over costs a fifth of starting a task."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Protocol

from anyio import CancelScope

from . import limits

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from .backend import Backend, Waiter


class Job(Protocol):
    """Something to run in a task of the pool."""

    async def serve(self, scope: CancelScope) -> None:
        """Run it. `scope` is around it alone until it returns; cancelling it ends the job only."""
        ...


class TaskPool:
    """The tasks of one host that run its objects' code. They end with the task group.

    `run` never waits: a waiting task takes the job, or a new one is started. Jobs handed over one
    after the other may start in any order (trio shuffles), so what must be in order is kept in a
    queue of its own, and a job takes the head of that.
    """

    def __init__(self, group: TaskGroup, backend: Backend) -> None:
        self._group = group
        self._new_waiter = backend.waiter
        self._idle: list[Waiter] = []
        self._unserved: deque[Job] = deque()
        self._starter: Waiter | None = None

    def run(self, job: Job) -> None:
        """Have `job` served soon. Called from any task, and from callbacks of the loop."""
        idle = self._idle
        while idle:
            waiter = idle.pop()
            if not waiter.done():
                waiter.set_result(job)
                return

        self._unserved.append(job)
        if self._starter is not None and not self._starter.done():
            self._starter.set_result(None)

    async def start_tasks(self) -> None:
        """Start a task for each job that found none waiting, until cancelled.

        In a task of its own, because a task group takes new tasks from tasks alone, not from
        callbacks; and a task started by an actor's code would inherit its frame.
        """
        while True:
            while self._unserved:
                self._group.start_soon(self._serve, self._unserved.popleft())
            self._starter = self._new_waiter()
            await self._starter

    async def _serve(self, job: Job | None) -> None:
        while job is not None:
            with CancelScope() as scope:
                while job is not None and not scope.cancel_called:
                    serving, job = job, None
                    await serving.serve(scope)
                    del serving  # while the task waits, what it has run is nobody's
                    if scope.cancel_called:
                        break
                    job = await self._next()
            if scope.cancel_called:
                # The scope is spent: what was cancelled is over, the task takes a fresh one.
                job = await self._next()

    async def _next(self) -> Job | None:
        if len(self._idle) >= limits.MAX_IDLE_TASKS:
            return None

        waiter = self._new_waiter()
        self._idle.append(waiter)
        job: Job = await waiter
        return job
