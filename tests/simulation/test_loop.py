"""The loop: what it may change the order of, and what it may not."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from random import Random

import pytest

from .loop import Pace, SimulatedLoop, TooManySteps
from .threads import Deadlock

PACE = Pace(in_order=0.0, threads=0.5, preempt=0.1, step_seconds=0.0)
MAX_STEPS = 2_000


def run(
    function: Callable[[SimulatedLoop], Awaitable[None]], seed: int = 1, pace: Pace = PACE
) -> SimulatedLoop:
    """Run something in a new loop, which is closed afterwards."""
    loop = SimulatedLoop(Random(seed), pace, MAX_STEPS)

    async def main() -> None:
        await function(loop)

    try:
        loop.run_until_complete(main())
    finally:
        loop.on_step = bool
        loop.unbound()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(1))
        loop.threads.kill_all()
        loop.close()
    return loop


def test_plain_callbacks_keep_their_order() -> None:
    """However tasks and threads come between, callbacks run as they were handed over."""

    async def check(loop: SimulatedLoop) -> None:
        seen: list[int] = []
        for number in range(20):
            loop.call_soon(seen.append, number)
            loop.run_in_thread(bool)
        await asyncio.sleep(0.001)
        assert seen == list(range(20))

    for seed in range(5):
        run(check, seed)


def test_tasks_run_in_any_order() -> None:
    """Three tasks that are ready together run in each of their orders, by the seed."""
    orders: set[tuple[int, ...]] = set()

    async def check(_loop: SimulatedLoop) -> None:
        seen: list[int] = []

        async def note(number: int) -> None:
            seen.append(number)

        async with asyncio.TaskGroup() as group:
            for number in range(3):
                group.create_task(note(number))
        orders.add(tuple(seen))

    for seed in range(60):
        run(check, seed)
    assert len(orders) == 6


def test_time_jumps_to_the_next_timer() -> None:
    """An hour's sleep takes an hour of virtual time, exactly, and no other."""

    async def check(loop: SimulatedLoop) -> None:
        begun = loop.time()
        await asyncio.sleep(3_600)
        assert loop.time() == begun + 3_600

    run(check)


def test_a_timer_is_never_early() -> None:
    """Also where each step takes time, and timers are due while others run."""
    slow = Pace(in_order=0.0, threads=0.5, preempt=0.1, step_seconds=0.01)

    async def check(loop: SimulatedLoop) -> None:
        async def sleeper(seconds: float) -> None:
            begun = loop.time()
            await asyncio.sleep(seconds)
            assert loop.time() >= begun + seconds

        async with asyncio.TaskGroup() as group:
            for number in range(20):
                group.create_task(sleeper(number / 100))

    for seed in range(5):
        run(check, seed, slow)


def test_who_waits_for_ever_is_named() -> None:
    """A run in which nothing can go on ends at once, with who waits where."""

    async def lonely(loop: SimulatedLoop) -> None:
        await loop.create_future()

    with pytest.raises(Deadlock, match=r"lonely"):
        run(lonely)


def test_a_run_that_does_not_end_is_ended() -> None:
    """So many steps, and no more."""

    async def busy(_loop: SimulatedLoop) -> None:
        for _ in itertools.count():
            await asyncio.sleep(0)

    with pytest.raises(TooManySteps, match=f"{MAX_STEPS} steps"):
        run(busy)


def test_a_function_in_a_thread_is_awaited() -> None:
    """Its result and its error come back."""

    async def check(loop: SimulatedLoop) -> None:
        assert await loop.run_in_executor(None, divmod, 7, 4) == (1, 3)
        with pytest.raises(ZeroDivisionError):
            await loop.run_in_executor(None, divmod, 1, 0)

    run(check)


def test_the_next_step_can_be_given_to_a_task() -> None:
    """`run_next`: nothing comes between."""

    async def check(loop: SimulatedLoop) -> None:
        seen: list[str] = []

        async def note(what: str) -> None:
            seen.append(what)

        tasks = [loop.create_task(note("other")) for _ in range(10)]
        loop.call_soon(seen.append, "plain")
        loop.run_next(loop.create_task(note("first")))
        await asyncio.wait(tasks)
        assert seen[0] == "first"

    for seed in range(5):
        run(check, seed)


def test_the_trace_is_the_same_for_the_same_seed() -> None:
    """And another one for another seed."""

    async def check(loop: SimulatedLoop) -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(10):
                group.create_task(asyncio.sleep(number % 3))
                loop.run_in_thread(bool)

    traces = [run(check, seed).trace for seed in (1, 1, 2)]
    assert traces[0] == traces[1] != traces[2]
