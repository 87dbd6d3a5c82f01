"""Runs a history on real hosts and returns what happened."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from tempfile import TemporaryDirectory
from typing import Any

import anyio
import anyio.lowlevel
from anyio import create_task_group, move_on_after
from anyio.abc import TaskGroup

from roomhost.runtime import Host, HostError, Response, WebSocket
from roomhost.runtime.testing import ManualClock, host_for
from roomhost.storage import UNCHANGED, Batch, StorageError, decode

from .events import (
    Called,
    Crashed,
    Durable,
    Ended,
    Event,
    Evicted,
    Evicting,
    Received,
    Refused,
    Reset,
    State,
)
from .history import (
    LINES,
    OBJECTS,
    AbortAll,
    Break,
    Call,
    Crash,
    Evict,
    History,
    Hold,
    Increment,
    Mark,
    Mend,
    Message,
    Op,
    Open,
    Release,
    Run,
    Step,
)
from .subject import FAR_MS, Failure, Recorder, Subject, app, value_of

# A disk that costs no time: a crash here ends a host, not the machine.
MEMORY = "/dev/shm" if os.path.isdir("/dev/shm") else None
Commit = Callable[[Sequence[Batch]], None]
SILENT_ROUNDS = 15  # without an event, then nobody goes on until the disk does
HANG_SECONDS = 20.0  # of a whole history, which takes a fraction of one


class Disk:
    """The disk of one host: commits can be held, or refused, and are recorded once they are done."""

    def __init__(self, recorder: Recorder, names: dict[int, str]) -> None:
        self._recorder = recorder
        self._names = names  # of objects, by the number they have on disk
        self._changed = threading.Condition()
        self._held = False
        self._lost: bool | None = None  # the host crashes; True: what is held is lost too
        self.stuck = False  # a commit has come to the hold
        self.broken: set[str] = set()
        self.on_stuck: Callable[[], object] = bool

    def wrap(self, commit: Commit) -> Commit:
        """The commit function to use."""

        def commit_when_let(batches: Sequence[Batch]) -> None:
            self._wait()
            writes = self._writes(batches)
            for name in self.broken.intersection(writes):
                self._recorder.add(Refused(name))
            if self._lost or self.broken.intersection(writes):
                raise StorageError("the disk refuses")
            if self._lost is not None:
                self._lost = True  # one commit was in progress, no more begins
            commit(batches)
            self._recorder.add(Durable(writes))

        return commit_when_let

    def hold(self) -> None:
        """Let no commit get further."""
        self._held = True

    def release(self) -> None:
        """Let them go on."""
        with self._changed:
            self._held = False
            self._changed.notify_all()

    def crash(self, torn: bool) -> None:
        """Let the held commit end, as it may, and no other begin."""
        self._lost = torn or not self.stuck
        self.release()

    def _wait(self) -> None:
        with self._changed:
            if self._held:
                self.stuck = True
                self.on_stuck()
            assert self._changed.wait_for(lambda: not self._held, HANG_SECONDS)
            self.stuck = False

    def _writes(self, batches: Sequence[Batch]) -> dict[str, State]:
        writes: dict[str, State] = {}
        for batch in batches:
            if batch.record is not None:
                self._names[batch.number] = batch.record.name or ""
            state = writes.setdefault(self._names[batch.number], {})
            for key, value in batch.writes.items():
                assert value is not None
                state[key.decode()] = value_of(decode(value))
            if batch.alarm is not UNCHANGED:
                assert batch.alarm is not None
                state["alarm"] = (0, batch.alarm - FAR_MS)
        return writes


class Driver:
    """One host of a history, and its callers."""

    def __init__(
        self, recorder: Recorder, group: TaskGroup, host: Host, disk: Disk, calls: Iterator[int]
    ) -> None:
        self._recorder = recorder
        self._group = group
        self._host = host
        self._disk = disk
        self._calls = calls
        self._crashed = False
        self._in_flight: set[int] = set()
        self._nothing_in_flight = anyio.Event()
        self._stubs: list[tuple[str, Any]] = [self._stub(name) for name in LINES]
        self._sockets: dict[str, list[tuple[str, WebSocket]]] = {name: [] for name in OBJECTS}
        self._unanswered: dict[str, list[int]] = {}  # calls over a socket, by line

    async def take(self, step: Step) -> None:
        """Do one step. After a crash there is nothing more to do."""
        match step:
            case Call():
                self._call(step)
            case Message():
                self._message(step)
            case Run(None):
                await self.settle()
            case Run(rounds):
                for _ in range(rounds or 0):
                    await anyio.lowlevel.checkpoint()
            case Open(barrier):
                self._recorder.barriers[barrier].set()
            case Hold():
                self._disk.hold()
            case Release():
                self._disk.release()
            case Break(name):
                self._disk.broken.add(name)
            case Mend():
                self._disk.broken.clear()
            case Evict(line):
                self._recorder.add(Evicting(LINES[line]))
                self._group.start_soon(self._evict, LINES[line], self._stubs[line][1])
            case AbortAll():
                for name in OBJECTS:
                    self._recorder.add(Reset(name))
                await self._host.abort_all()
            case Crash(torn):
                await self.crash(torn)

    async def finish(self) -> None:
        """Let everything end that was begun."""
        await self.settle()
        self._recorder.all_is_well()
        await self.settle()
        self._disk.broken.clear()
        self._disk.release()
        if self._in_flight:
            self._nothing_in_flight = anyio.Event()
            await self._nothing_in_flight.wait()
        await self.settle()

    async def probe(self) -> None:
        """Call every object over a new stub."""
        for name in OBJECTS:
            line, stub = self._stub(name)
            call = self._issue(line, (Increment(), Mark()), probe=True)
            await self._await(call, stub.run(call))

    async def crash(self, torn: bool) -> None:
        """Drop the host, unless that was done."""
        if not self._crashed:
            self._crashed = True
            self._disk.crash(torn)
            await self._host.crash()
            self._recorder.add(Crashed())

    async def settle(self) -> None:
        """Return when nobody can go on, but for a commit that is held."""
        engine = self._host.engine
        while True:
            await silence(self._recorder)
            if engine.quiet or self._disk.stuck:
                return

            moved = anyio.Event()
            backend = engine.backend
            engine.when_quiet(moved.set)
            self._disk.on_stuck = partial(backend.call_from_thread, moved.set)
            if not self._disk.stuck:
                await moved.wait()
            self._disk.on_stuck = bool

    def _stub(self, name: str) -> tuple[str, Any]:
        stub = self._host.env.OBJECT.get_by_name(name)
        return f"stub {-self._recorder.internal()} of {name}", stub

    def _issue(self, line: str, ops: tuple[Op, ...], probe: bool = False) -> int:
        call = next(self._calls)
        self._recorder.ops[call] = ops
        self._recorder.add(Called(call, line, probe))
        self._in_flight.add(call)
        return call

    def _ended(self, ended: Ended) -> None:
        self._recorder.add(ended)
        self._in_flight.discard(ended.call)
        if not self._in_flight:
            self._nothing_in_flight.set()

    def _call(self, step: Call) -> None:
        if step.fresh:
            self._stubs[step.line] = self._stub(LINES[step.line])
        line, stub = self._stubs[step.line]
        call = self._issue(line, step.ops)
        if step.connects:
            response = stub.fetch(f"http://object/{call}")
            self._group.start_soon(self._connect, call, LINES[step.line], response)
        else:
            self._group.start_soon(self._await, call, stub.run(call))

    def _message(self, step: Message) -> None:
        if self._sockets[step.object]:
            line, ws = self._sockets[step.object][-1]
            call = self._issue(line, step.ops)
            self._unanswered[line].append(call)
            ws.send(str(call))

    async def _await(self, call: int, sent: Coroutine[Any, Any, Any]) -> None:
        """What the caller does: wait, and note what it hears."""
        try:
            instance, seen = await sent
        except Exception as error:
            self._ended(ended_by(call, error))
        else:
            self._ended(Ended(call, "ok", instance, seen))

    async def _connect(self, call: int, name: str, sent: Coroutine[Any, Any, Response]) -> None:
        """The same for a request that opens a socket; then listen to it until it closes."""
        try:
            response = await sent
        except Exception as error:
            self._ended(ended_by(call, error))
            return

        instance, seen = map(int, response.headers["seen"].split())
        self._ended(Ended(call, "ok", instance, seen))
        ws = response.web_socket
        assert ws is not None
        ws.accept()
        await self._listen(name, f"socket {-self._recorder.internal()} of {name}", ws)

    async def _listen(self, name: str, line: str, ws: WebSocket) -> None:
        self._unanswered[line] = []
        self._sockets[name].append((line, ws))
        async for message in ws:
            what, outcome, instance, seen = str(message).split()
            if what == "push":
                self._recorder.add(Received(int(instance), int(seen)))
            else:
                self._unanswered[line].remove(int(what))
                self._ended(Ended(int(what), outcome, int(instance), int(seen)))
        self._sockets[name].remove((line, ws))
        for call in self._unanswered.pop(line):
            self._ended(Ended(call, "closed"))

    async def _evict(self, name: str, stub: Any) -> None:
        with suppress(HostError):  # it crashed before
            await self._host.evict(stub)
        self._recorder.add(Evicted(name))


def ended_by(call: int, error: Exception) -> Ended:
    """The end of a call with an error."""
    flags = vars(error)
    if flags["durable_object_reset"] or flags["retryable"]:
        return Ended(call, "reset")
    if isinstance(error, Failure):
        return Ended(call, "raised", *error.args)

    return Ended(call, repr(error))


async def silence(recorder: Recorder) -> None:
    """Return when no event has come for some rounds of the loop."""
    silent = 0
    while silent < SILENT_ROUNDS:
        before = len(recorder.events)
        await anyio.lowlevel.checkpoint()
        silent = silent + 1 if len(recorder.events) == before else 0


async def run(history: History, hang_seconds: float = HANG_SECONDS) -> list[Event]:
    """Run a history, on as many hosts as it has crashes, and look at what is left with one more.

    A history that does not end is cut off: the calls in it that never ended are not in the events.
    """
    recorder = Subject.recorder = Recorder()
    names: dict[int, str] = {}
    calls = itertools.count(1)
    steps = iter(history.steps)
    with (
        TemporaryDirectory(prefix="roomhost-", dir=MEMORY) as directory,
        move_on_after(hang_seconds),
    ):
        async with create_task_group() as group:
            if history.stored:
                async with started(recorder, names, group, calls, directory) as driver:
                    await driver.probe()
            recorder.starts = iter(history.starts)
            crashes = True
            while crashes:
                async with started(recorder, names, group, calls, directory) as driver:
                    crashes = await take_steps(driver, steps)
            async with started(recorder, names, group, calls, directory) as driver:
                await driver.probe()
            group.cancel_scope.cancel()  # sockets that nobody closes
    return recorder.events


async def take_steps(driver: Driver, steps: Iterator[Step]) -> bool:
    """Take the steps up to a crash, or all, and then see everything end and everything work.
    Returns whether it was a crash."""
    for step in steps:
        await driver.take(step)
        if isinstance(step, Crash):
            return True

    await driver.finish()
    await driver.probe()
    return False


@asynccontextmanager
async def started(
    recorder: Recorder,
    names: dict[int, str],
    group: TaskGroup,
    calls: Iterator[int],
    directory: str,
) -> AsyncGenerator[Driver]:
    """A host on the directory, driven; it ends with a crash in any case."""
    disk = Disk(recorder, names)
    async with host_for(
        app, clock=ManualClock(), data_dir=directory, wrap_commit=disk.wrap
    ) as host:
        driver = Driver(recorder, group, host, disk, calls)
        try:
            yield driver
        finally:
            await driver.crash(torn=True)
