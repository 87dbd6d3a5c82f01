"""One run: a workload and a seed in, what was wrong out, always the same."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import logging
import shutil
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from roomhost.runtime.settings import make_settings
from roomhost.runtime.temporary import MEMORY

from .clock import SimulatedClock
from .disk import SimulatedDisk
from .entropy import seeded
from .faults import Fault, Nemesis, Plan
from .loop import Pace, SimulatedLoop
from .process import Process
from .seams import Bounds, simulated
from .threads import RunFailed
from .world import Workload, World

MAX_STEPS = 100_000
DIGEST_BYTES = 16
SETTINGS = {"held_loop_seconds": 0}  # its thread looks at the machine's time
# What the product has to say as an error when the disk refuses, as it was made to.
OF_THE_DISK = "commits fail: "


@dataclass(frozen=True)
class Result:
    """What became of a run. `complaints`: what was wrong, nothing if all was well; `digest`: of each
    decision and each observation; `faults`: how often each happened."""

    seed: int
    workload: str
    complaints: tuple[str, ...]
    digest: str
    steps: int
    virtual_ms: float
    faults: Counter[str]


def simulate(
    workload_factory: Callable[[], Workload],
    seed: int,
    tell: Callable[[str], object] | None = None,
    plan: Mapping[int, Fault] | None = None,
) -> Result:
    """Run a workload once. `tell` gets each step, in words; `plan`: faults by step, in place of those
    that are drawn."""
    with _uncollected():
        return _simulate(workload_factory(), seed, tell, plan)


def _simulate(
    workload: Workload,
    seed: int,
    tell: Callable[[str], object] | None,
    plan: Mapping[int, Fault] | None,
) -> Result:
    streams = Random(seed)
    scheduling, disk_rng, fault_rng, own, start = (
        Random(streams.getrandbits(64)) for _ in range(5)
    )
    loop = SimulatedLoop(scheduling, Pace.drawn(start), MAX_STEPS)
    loop.tell = tell
    clock = SimulatedClock(loop, start)
    root = Path(tempfile.mkdtemp(prefix="roomhost-simulation-", dir=_memory()))
    world: World | None = None
    try:
        disk = SimulatedDisk(root, disk_rng, loop.threads, lambda fault: count(fault))
        world = World(seed, own, loop, clock, disk)

        def count(fault: Any) -> None:
            assert world is not None
            world.faults[fault] += 1

        with (
            _errors(loop, world) as errors,
            seeded(start.getrandbits(64)),
            simulated(loop, disk, Bounds.drawn(start)),
        ):
            complaints = _run(world, workload, fault_rng, plan)
        complaints += errors
    finally:
        shutil.rmtree(root)
    return Result(
        seed,
        workload.name,
        tuple(complaints),
        _digest(world),
        loop.steps,
        loop.time() * 1_000,
        Counter({fault.value: times for fault, times in world.faults.items()}),
    )


def _run(
    world: World, workload: Workload, rng: Random, plan: Mapping[int, Fault] | None
) -> list[str]:
    loop = world.loop
    process = Process(world, workload, make_settings(SETTINGS | workload.settings), rng)
    nemesis: Nemesis | Plan
    if plan is None:
        nemesis = Nemesis(workload.faults, rng, process.strike)
    else:
        nemesis = Plan(plan, process.strike)
    process.tempt = world.disk.tempt = lambda by: nemesis.tempted(by, loop.steps)

    def step() -> None:
        process.step()
        nemesis.step(loop.steps)

    async def main() -> None:
        hosts = loop.create_task(process.run(), name="the hosts")
        loop.on_step = step
        await workload.run(world)
        await world.clients_done()
        nemesis.active = False
        world.disk.mend()
        await process.again()
        await workload.settle(world)
        await world.clients_done()
        await process.end()
        await hosts

    complaints: list[str] = []
    try:
        loop.run_until_complete(loop.create_task(main(), name="the run"))
    except RunFailed as error:
        complaints.append(str(error))
    except Exception as error:
        complaints.append(f"the workload failed: {error!r}")
    else:
        complaints += _checked(workload, world)
    complaints += loop.failures + loop.threads.failures
    _clean_up(world)
    return complaints


def _checked(workload: Workload, world: World) -> list[str]:
    try:
        return list(workload.check(world))
    except Exception as error:
        return [f"the check cannot say: {error!r}"]


def _clean_up(world: World) -> None:
    """End what is left: of hosts that crashed, or of a run that did not end."""
    loop = world.loop
    loop.on_step = bool
    loop.threads.kill_all()
    loop.unbound()
    try:
        for _ in range(3):
            tasks = sorted(asyncio.all_tasks(loop), key=hash)
            if not tasks:
                break
            for task in tasks:
                task.cancel()
            loop.run_until_complete(asyncio.wait(tasks, timeout=60))
    except RunFailed:
        pass
    loop.threads.kill_all()
    loop.close()
    world.disk.close_files()


def _digest(world: World) -> str:
    digest = hashlib.blake2b(world.loop.trace.tobytes(), digest_size=DIGEST_BYTES)
    for seen in world.history:
        digest.update(repr(seen).encode())
    return digest.hexdigest()


@contextmanager
def _uncollected() -> Generator[None]:
    """No garbage collection in a run: when it comes depends on what ran before. What the run leaves
    in circles is collected after it, and that alone; tasks are in it that a crash left unbegun."""
    gc.disable()
    gc.freeze()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".* was never awaited", RuntimeWarning)
        try:
            yield
        finally:
            gc.collect()
            gc.unfreeze()
            gc.enable()


@contextmanager
def _errors(loop: SimulatedLoop, world: World) -> Generator[list[str]]:
    """What the product logs as an error, which is a complaint; the rest is told in a trace."""
    found: list[str] = []

    class Errors(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            loop.note(f"log: {record.levelname} {record.getMessage()}")
            expected = world.disk.disturbances and record.getMessage().startswith(OF_THE_DISK)
            if record.levelno >= logging.ERROR and world.is_seen() and not expected:
                found.append(f"an error was logged: {logging.Formatter().format(record)}")

    handler = Errors()
    loggers = [logging.getLogger(name) for name in ("roomhost", "asyncio", "uvicorn")]
    before = [(logger.level, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.WARNING if loop.tell is None else logging.DEBUG)
        logger.propagate = False
    try:
        yield found
    finally:
        for logger, (level, propagate) in zip(loggers, before, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(level)
            logger.propagate = propagate


def _memory() -> str | None:
    return MEMORY if Path(MEMORY).is_dir() else None
