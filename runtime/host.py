"""The host: one data directory, one clock, and the objects of one application."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import anyio
from anyio import CancelScope, move_on_after

from ..storage import DataDirectory, Partition
from . import limits
from .asgi import HostASGI
from .backend import current_backend
from .clock import SystemClock
from .deployment import (
    Deployment,
    Namespace,
    check,
    delete_gone,
    deploy,
    gone_of,
    install,
    log,
    plan_for,
)
from .edits import evict
from .errors import DurableObjectError, HostError
from .event_kind import ResetCause
from .failed_keys import FailedKeys
from .intake import Intake
from .object_id import DurableObjectId, IdFactory, id_factory, maker_of
from .observer import Observer
from .public_url import PublicUrl
from .running import host_started, host_stopped
from .settings import HostSettings
from .telemetry import engine_maker
from .token_secrets import load_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from pathlib import Path
    from types import TracebackType

    from anyio.abc import TaskGroup, TaskStatus

    from ..storage import Batch
    from .application import Application, ASGIApp
    from .backend import Backend, Waiter
    from .channel import LocalChannel
    from .clock import Clock
    from .engine import Engine
    from .slot import Slot

    CommitFunction = Callable[[Sequence[Batch]], None]


@dataclass(frozen=True, slots=True)
class HostStatistics:
    """Figures of one host, since it started or right now.

    `objects_in_memory`: of which an instance, a queue or a socket is; `activations`: instances;
    `events_in_flight`; `web_sockets`; `alarms_running`; `commits`: appends to the log, one fsync each;
    `batches`: turns made durable by them; `largest_group`: batches of one commit; `failed_batches`.
    """

    objects_in_memory: int
    activations: int
    events_in_flight: int
    web_sockets: int
    alarms_running: int
    commits: int
    batches: int
    largest_group: int
    failed_batches: int


class Host:
    """Runs the objects of an application: `async with Host(app, data_dir="state") as host`.

    One host owns a data directory: a second one on it is refused with a `DataDirectoryError`.
    Leaving the block drains: what is in flight ends, what is written is on disk, sockets close with
    1012. `env` are the application's bindings, `asgi` its HTTP and WebSocket side. Without
    `run_alarms` no alarm runs, however overdue: for looking at a directory, with a
    `StoredApplication`. With `refuse_orphans` it does not start with an application that lacks the
    class of stored objects (HostError); else that is logged, and each binding gets the objects that
    were stored under its name.
    """

    def __init__(
        self,
        app: Application,
        data_dir: str | Path | None = None,
        clock: Clock | None = None,
        settings: HostSettings | None = None,
        wrap_commit: Callable[[CommitFunction], CommitFunction] | None = None,
        *,
        run_alarms: bool = True,
        refuse_orphans: bool = False,
    ) -> None:
        self.app = app
        self.settings = settings or HostSettings()
        self.data_dir = data_dir if data_dir is not None else self.settings.data_dir
        self.clock = clock or SystemClock()
        self.namespaces: dict[str, Namespace] = {}
        self.env: Any = None
        self.location = PublicUrl(self.settings)
        self.intake = Intake(self.settings.max_incoming_bytes)
        self.failed_keys = FailedKeys(self.clock, self.settings.trusted_proxies, self.intake)
        self.observer = Observer(self.settings, self.clock)
        self.started_ms = 0  # since the epoch, once it has
        self._run_alarms = run_alarms
        self._refuse_orphans = refuse_orphans
        self._wrap_commit = wrap_commit
        self._on_refuse: dict[Callable[[], object], None] = {}
        self._asgi: ASGIApp | None = None
        self._front: HostASGI | None = None
        self._directory: DataDirectory | None = None
        self._token_secrets: tuple[tuple[str, str], ...] | None = None
        self._engine: Engine | None = None
        self._outer: TaskGroup | None = None
        self._group: TaskGroup
        self._ended: anyio.Event
        self._deploying: anyio.Lock

    @property
    def engine(self) -> Engine:
        """The running objects. HostError: the host has not started, or has stopped."""
        if self._engine is None:
            raise HostError("the host is not running: use it inside `async with Host(...)`")

        return self._engine

    @property
    def directory(self) -> Path:
        """The data directory, absolute. HostError: the host has not started, or has stopped."""
        if self._directory is None or self._engine is None:
            raise HostError("the host is not running: use it inside `async with Host(...)`")

        return self._directory.path

    @property
    def public_url(self) -> str:
        """How clients reach this host, without a slash at its end: see `PublicUrl`."""
        return str(self.location)

    @property
    def asgi(self) -> ASGIApp:
        """An ASGI 3 application, to be served or mounted while the host runs. It stays the same one
        when a deploy replaces what answers."""
        if self._asgi is None:
            self._asgi = self.front
        return self._asgi

    @property
    def front(self) -> HostASGI:
        """What a deploy replaces the application in."""
        if self._front is None:
            self._front = HostASGI(self, self.app.asgi_for(self))
        return self._front

    @property
    def token_secrets(self) -> tuple[tuple[str, str], ...]:
        """Key id and secret of each key for tokens; the first one signs. HostError: the host has not
        started."""
        if self._token_secrets is None:
            raise HostError("the host is not running: use it inside `async with Host(...)`")

        return self._token_secrets

    async def __aenter__(self) -> Self:
        self._directory = DataDirectory.open(self.data_dir)
        try:
            self._token_secrets = load_secrets(self._directory.path, self.settings.token_secrets)
            backend = current_backend()
            partition = Partition.open(
                self._directory.partition,
                deliver=backend.call_from_thread,
                soon=backend.call_soon,
                max_map_bytes=self.settings.max_storage_bytes,
                wrap_commit=self._wrap_commit,
            )
        except BaseException:
            self._directory.close()
            raise

        self._ended = anyio.Event()
        self._deploying = anyio.Lock()
        self._outer = anyio.create_task_group()
        await self._outer.__aenter__()
        self._group = await self._outer.start(self._hold_group)
        try:
            self._start_engine(backend, partition)
        except BaseException:
            with CancelScope(shield=True):
                await anyio.to_thread.run_sync(partition.close)
                await self._stop()
            await self._outer.__aexit__(None, None, None)
            raise

        host_started(self)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._outer is not None
        if self._engine is not None:
            with CancelScope(shield=True):
                await self._drain()
                await anyio.to_thread.run_sync(self._engine.partition.close)
                await self._stop()
        # Not given to the group, which would wrap it: an error of the block leaves as it is.
        await self._outer.__aexit__(None, None, None)

    async def crash(self) -> None:
        """Drop everything as `kill -9` would: nothing more is written, nothing drains, callers get a
        retryable error, sockets are lost. For tests of what a restart finds."""
        engine = self.engine
        engine.alarms.stop()
        engine.refusal = _lost
        engine.partition.abandon()
        for slot in engine.resident:
            if slot.running is not None:
                slot.running.reset(_lost(), ResetCause.HOST)
                continue

            slot.fail_queue(_lost())
            if slot.sockets is not None:
                slot.sockets.drop()
        with CancelScope(shield=True):
            await self._stop()

    async def deploy(self, app: Application) -> Deployment:
        """Run the code of another application from now on, without losing a write, an alarm or a
        socket, and return when nothing runs the older code any more.

        In one step every binding gets its new class. What runs in an object ends in its old
        instance; what comes for it waits for the new one, and its hibernatable sockets stay. An
        instance that has not ended in 10 seconds is reset, with an error that may be retried.
        Requests in flight end with the old routes. A second deploy waits for the first.

        HostError: the application cannot be built, does not start, or lacks the class of stored
        objects; StorageError: what changes cannot be recorded. Then nothing has changed.
        """
        async with self._deploying:
            return await deploy(self, app)

    async def evict(self, stub: Any) -> bool:
        """Drop the instance of a stub's object, once what is in flight has ended: it hibernates.

        Its sockets stay, the next event starts it again. Returns whether there was an instance.
        """
        channel: LocalChannel = stub.__channel__
        return await evict(channel.slot())

    async def abort_all(self) -> None:
        """Reset every object that is in memory; callers in flight get the error."""
        for slot in self.engine.resident:
            if slot.running is not None:
                slot.running.reset(
                    DurableObjectError("Application called abortAllDurableObjects()."),
                    ResetCause.HOST,
                )

    async def run_due_alarms(self) -> int:
        """Run every alarm that is due, and retries that wait, now; returns how many were started,
        when their handlers have ended."""
        alarms = self.engine.alarms
        started = alarms.run_due()
        waiter = self.engine.backend.waiter()
        alarms.when_quiet(partial(_wake, waiter))
        await waiter
        return started

    def list_objects(
        self, binding: str, *, after: DurableObjectId | None = None, limit: int = 1_000
    ) -> list[DurableObjectId]:
        """The stored objects of a binding, in the order of their ids, with their names where known;
        at most `limit`, after `after`. KeyError: no such binding."""
        namespace = self.namespaces[binding]
        records = self.engine.partition.list_objects(
            namespace.number, after=None if after is None else bytes(after), limit=limit
        )
        ids_of = partial(self.ids, binding)
        return [
            maker_of(record.id, ids_of).from_bytes(record.id, record.name) for record in records
        ]

    def statistics(self) -> HostStatistics:
        """What is in memory and what was committed."""
        resident = self.engine.resident
        activations = [slot.running for slot in resident if slot.running is not None]
        writer = self.engine.partition.statistics()
        return HostStatistics(
            objects_in_memory=len(resident),
            activations=len(activations),
            events_in_flight=sum(len(activation.events) for activation in activations),
            web_sockets=sum(len(slot.sockets) for slot in resident if slot.sockets is not None),
            alarms_running=self.engine.alarms.running,
            commits=writer.commits,
            batches=writer.batches,
            largest_group=writer.largest_group,
            failed_batches=writer.failed_batches,
        )

    def ids(self, binding: str, jurisdiction: str | None = None) -> IdFactory:
        """What makes and checks the ids of a binding. KeyError: no such binding."""
        return id_factory(self.namespaces[binding].unique_key, jurisdiction)

    async def settle(self) -> None:
        """Return when every task is waiting and nothing written is on its way to the disk.

        What a clock that is moved by hand waits for between two steps.
        """
        while self._engine is not None:
            await anyio.wait_all_tasks_blocked()
            # It may have stopped meanwhile.
            if self._engine is None or self._engine.quiet:  # pyright: ignore[reportUnnecessaryComparison]
                return

            # No task waits for the disk: the writer's thread wakes the loop when a group is done.
            waiter = self._engine.backend.waiter()
            self._engine.when_quiet(partial(_wake, waiter))
            await waiter

    def _start_engine(self, backend: Backend, partition: Partition) -> None:
        engine = self._engine = engine_maker(self.observer)(
            self._group, backend, self.clock, partition, self.settings, self.observer.meters
        )
        plan = plan_for(self, self.app)
        if self._refuse_orphans:
            check(plan)
        log(plan)
        engine.classes = install(self, self.app, plan)
        self.observer.runs(engine)
        self.clock.attach(self.settle)
        self._group.start_soon(engine.pool.start_tasks)
        self._group.start_soon(engine.timers.run)
        self.started_ms = self.clock.now_ms()
        if self._run_alarms:
            engine.alarms.start()
        else:
            engine.alarms.stop()
        self.delete_gone()

    def delete_gone(self) -> None:
        """Delete, from now on, the objects of classes that were deleted, if there are any; not where
        somebody only looks at the directory."""
        gone = gone_of(self.engine)
        if gone and self._run_alarms:
            self._group.start_soon(delete_gone, self.engine, gone)

    async def _hold_group(self, *, task_status: TaskStatus[TaskGroup]) -> None:
        """The task that owns the objects' tasks, so that they can all be dropped without
        cancelling whoever runs the host."""
        try:
            async with anyio.create_task_group() as group:
                task_status.started(group)
                await anyio.sleep_forever()
        finally:
            self._ended.set()

    def refuse(self) -> None:
        """Deliver nothing more from outside: the host is about to stop. What is in flight goes on,
        callers get a retryable error, no alarm starts."""
        self.engine.alarms.stop()
        self.engine.refusal = _stopping
        waiting, self._on_refuse = self._on_refuse, {}
        for callback in waiting:
            callback()

    @contextmanager
    def when_refusing(self, callback: Callable[[], object]) -> Generator[None]:
        """While the block runs, call `callback()` once when the host is about to stop; at once if it
        is. For what would go on for ever, a stream of events say."""
        if self.engine.refusal is not None:
            callback()
        self._on_refuse[callback] = None
        try:
            yield
        finally:
            self._on_refuse.pop(callback, None)

    async def _drain(self) -> None:
        engine = self.engine
        self.refuse()
        with move_on_after(limits.DRAIN_SECONDS):
            while busy := [slot for slot in engine.resident if _is_busy(slot)]:
                activation = busy[0].running
                waiter = engine.backend.waiter()
                if activation is not None:
                    activation.when_idle(partial(_wake, waiter), pinned=True)
                elif engine.quiet:
                    engine.backend.call_soon(partial(_wake, waiter))  # it is about to start
                else:
                    engine.when_quiet(partial(_wake, waiter))
                await waiter
        for slot in engine.resident:
            if slot.activation is None:
                slot.fail_queue(_stopping())
            if slot.sockets is not None:
                slot.sockets.restart()
            if slot.running is not None and not slot.running.evict():
                slot.running.reset(_stopping(), ResetCause.HOST)

    async def _stop(self) -> None:
        assert self._directory is not None
        host_stopped(self)
        self.clock.detach(self.settle)
        engine, self._engine = self._engine, None
        self.observer.runs(None)
        if engine is not None:
            engine.became_quiet()
        self._group.cancel_scope.cancel()
        await self._ended.wait()
        self._directory.close()


def _is_busy(slot: Slot) -> bool:
    activation = slot.running
    if activation is None:
        return bool(slot.queue)

    return activation.broken is None and activation.busy


def _wake(waiter: Waiter) -> None:
    if not waiter.done():
        waiter.set_result(None)


def _stopping() -> DurableObjectError:
    error = DurableObjectError("The host is stopping. Reconnect or retry the request.")
    error.retryable = True
    return error


def _lost() -> DurableObjectError:
    error = DurableObjectError("Network connection lost.")
    error.retryable = True
    return error
