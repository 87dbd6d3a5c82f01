"""The process of a run, again and again: a host starts, is struck by faults, crashes or stops."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable
from random import Random
from typing import Any

import anyio
import lmdb

from roomhost.runtime import Host, HostError
from roomhost.runtime.edits import evict
from roomhost.runtime.settings import HostSettings
from roomhost.storage import DataDirectoryError, StorageError

from .faults import A_START, A_STOP, Fault, Temptation
from .world import GENERATION, Workload, World

HOUR_MS = 3_600_000
MOST_DOWN_SECONDS = 0.2  # from the end of a host to the start of the next one
MOST_FULL_SECONDS = 3.0
MOST_BROKEN_SECONDS = 1.0  # from a write that failed to the restart
DISK_FULL_OF_LMDB = "mdb_txn_commit: No space left on device"


class HostCrashed(BaseException):
    """Thrown where the loop waits while a host starts: its process is gone."""


class Process:
    """Runs one host after the other, in the world of a run. Faults strike by `strike`."""

    def __init__(
        self, world: World, workload: Workload, settings: HostSettings, rng: Random
    ) -> None:
        self._world = world
        self._workload = workload
        self._settings = settings
        self._rng = rng
        self._life: asyncio.Task[None] | None = None
        self._host: Host | None = None  # from before its start to its end
        self._up = False  # it has started
        self._stop: asyncio.Event  # this host stops, drained
        self._gone: asyncio.Event  # this host is gone, however
        self._over = False  # no host follows
        self._well = False  # nothing more is broken
        self._postponed: Fault | None = None
        self._closing: list[asyncio.Task[Any]] = []  # what crashed hosts leave to be cleaned up
        self.tempt: Callable[[Temptation], object] = id
        self._strikes: dict[Fault, Callable[[], object]] = {
            Fault.CRASH: self.crash,
            Fault.RESTART: self._restart,
            Fault.DEPLOY: self._deploy,
            Fault.EVICT: self._evict,
            Fault.ABORT_ALL: self._abort_all,
            Fault.CLOCK_STEP: self._step_clock,
            Fault.FULL_DISK: self._fill_disk,
            Fault.BROKEN_DISK: self._break_disk,
            Fault.STUCK_DISK: self._stick_disk,
            Fault.SLOW_DISK: self._slow_disk,
            Fault.SHORT_WRITE: self._shorten_write,
            Fault.LMDB_FULL: self._refuse_commit,
            Fault.MAP_FULL: self._fill_map,
        }

    def strike(self, fault: Fault) -> None:
        """Have a fault happen now, or as soon as it may."""
        if self._world.loop.threads.blocked is not None and not (
            fault is Fault.CRASH and self._is_starting_now()
        ):
            # What the loop's own code waits for cannot be taken from under it.
            self._postponed = fault
            return

        self._strikes[fault]()

    def step(self) -> None:
        """A step begins: what was postponed may happen."""
        if self._postponed is not None and self._world.loop.threads.blocked is None:
            fault, self._postponed = self._postponed, None
            self._strikes[fault]()

    async def run(self) -> None:
        """Run hosts until `end`."""
        world = self._world
        while not self._over:
            self._stop, self._gone = asyncio.Event(), asyncio.Event()
            self._life = world.loop.create_task(self._live(), name="a host")
            await self._gone.wait()
            if not self._over:
                await anyio.sleep(self._rng.random() * MOST_DOWN_SECONDS)

    async def again(self) -> None:
        """Have a new host, after a crash or a stop."""
        self._well = True
        await self._world.host()
        if self._rng.random() < 0.7:
            self.crash()
        else:
            self._restart()
        await self._world.host()

    async def end(self) -> None:
        """Stop the host, drained, and start no other one."""
        await self._world.host()
        self._over = True
        self._world.runs(None)
        self._stop.set()
        await self._gone.wait()
        for task in self._closing:
            await asyncio.wait([task], timeout=60)

    def crash(self) -> None:
        """The process dies: at once nothing more of it is seen, and the disk is what it is."""
        world, host, life = self._world, self._host, self._life
        if host is None or life is None:
            return

        self._count(Fault.CRASH)
        world.disk.crash()
        world.loop.threads.kill_all()
        world.ended(world.generation)
        world.runs(None)
        if world.serving is not None:
            world.serving.crash()
        self._host = None
        gone = self._gone
        if self._up:
            self._up = False
            if self._stop.is_set():
                self._count(Fault.CRASH_IN_STOP)
            task = world.loop.create_task(
                self._bury(host, life, gone, world.generation), name="the end of a host"
            )
            self._closing.append(task)
            world.loop.run_next(task)
        elif self._is_starting_now():
            self._count(Fault.CRASH_IN_START)
            raise HostCrashed
        else:
            self._count(Fault.CRASH_IN_START)
            life.cancel()
            self._closing.append(life)
            gone.set()

    async def _live(self) -> None:
        """The life of one host."""
        world, gone, stop = self._world, self._gone, self._stop
        generation = world.begins()
        disturbed = world.disk.disturbances
        self.tempt(A_START)
        GENERATION.set(generation)
        host = self._host = Host(
            self._workload.app(),
            data_dir=world.disk.directory,
            clock=world.clock,
            settings=self._settings,
        )
        try:
            async with host:
                if self._host is host:
                    self._up = True
                    world.runs(host)
                    await stop.wait()
                    if world.serving is not None:
                        await world.serving.stop()
        except (DataDirectoryError, HostError, StorageError) as error:
            if self._host is host and not self._up:
                self._refused(error, disturbed)
            elif self._host is host:
                world.loop.abort(f"a host failed: {_words(error)}")
        except HostCrashed:
            pass
        except Exception as error:
            # What becomes of a host that has crashed is nobody's business.
            if self._host is host:
                world.loop.abort(f"a host failed: {_words(error)}")
        finally:
            world.ended(generation)
            if self._host is host:
                self._host = None
                self._up = False
                gone.set()
            elif not gone.is_set():
                gone.set()

    async def _bury(
        self, host: Host, life: asyncio.Task[None], gone: asyncio.Event, generation: int
    ) -> None:
        """Tell everybody who is connected to a host that it is gone; the first step does that."""
        GENERATION.set(generation)
        try:
            await host.crash()
        finally:
            gone.set()
            life.cancel()

    def _refused(self, error: Exception, disturbed: int) -> None:
        """A host did not start; that is well only if the disk had a fault meanwhile."""
        self._count(Fault.REFUSED_START)
        self._world.loop.note(f"a host could not start: {error}")
        if self._world.disk.disturbances == disturbed:
            self._world.loop.abort(f"a host does not start on a disk that is well: {error}")

    def _is_starting_now(self) -> bool:
        """Whether the code that waits in the loop's own thread is the start of a host."""
        return (
            not self._up
            and self._host is not None
            and self._world.loop.threads.blocked is not None
            and asyncio.current_task(self._world.loop) is self._life
        )

    def _restart(self) -> None:
        if self._up and not self._stop.is_set():
            self._count(Fault.RESTART)
            self._world.runs(None)
            self._stop.set()
            self.tempt(A_STOP)

    def _deploy(self) -> None:
        if (host := self._world.running) is not None:
            self._count(Fault.DEPLOY)
            self._start(host.deploy, self._workload.app())

    def _evict(self) -> None:
        if (host := self._world.running) is not None and (slots := host.engine.resident):
            self._count(Fault.EVICT)
            self._start(evict, self._rng.choice(slots))

    def _abort_all(self) -> None:
        if (host := self._world.running) is not None:
            self._count(Fault.ABORT_ALL)
            self._start(host.abort_all)

    def _step_clock(self) -> None:
        self._count(Fault.CLOCK_STEP)
        self._world.clock.step(self._rng.choice((-HOUR_MS, HOUR_MS)))

    def _fill_disk(self) -> None:
        self._count(Fault.FULL_DISK)
        self._world.disk.full = True
        seconds = self._rng.random() * MOST_FULL_SECONDS
        self._world.loop.call_later(seconds, self._free_disk)

    def _free_disk(self) -> None:
        self._world.disk.full = False

    def _break_disk(self) -> None:
        """Once a write has failed only a restart helps: somebody does that."""
        disk = self._world.disk
        disk.break_next = True

        def restart() -> None:
            broke, disk.break_next = not disk.break_next, False
            if broke and not self._well:
                if self._rng.random() < 0.5:
                    self.crash()
                else:
                    self._restart()

        self._world.loop.call_later(self._rng.random() * MOST_BROKEN_SECONDS, restart)

    def _stick_disk(self) -> None:
        self._world.disk.stick_next = True

    def _slow_disk(self) -> None:
        self._world.disk.slow = self._rng.choice((0.0, 0.05, 0.3))

    def _shorten_write(self) -> None:
        self._world.disk.shorten_next = True

    def _refuse_commit(self) -> None:
        self._count(Fault.LMDB_FULL)
        times = self._rng.randint(1, 3)
        self._world.disk.refuse_next += [lmdb.DiskError(DISK_FULL_OF_LMDB)] * times

    def _fill_map(self) -> None:
        self._count(Fault.MAP_FULL)
        self._world.disk.refuse_next.append(lmdb.MapFullError("the map is full"))

    def _start(self, function: Callable[..., Any], *args: Any) -> None:
        """Do something to the host that runs, whatever becomes of that."""

        async def act() -> None:
            try:
                await function(*args)
            except Exception as error:
                self._world.loop.note(f"{function.__qualname__} failed: {error!r}")

        self._closing.append(self._world.loop.create_task(act(), name=function.__qualname__))

    def _count(self, fault: Fault) -> None:
        self._world.faults[fault] += 1
        self._world.loop.note(f"fault: {fault.value}")


def _words(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))
