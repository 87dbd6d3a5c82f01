"""Whoever pauses goes on when nobody else can, in order, one at a time."""

from __future__ import annotations

from collections.abc import Callable

import anyio
import anyio.lowlevel
import pytest

from .turnstile import QUIET_ROUNDS, Turnstile

pytestmark = pytest.mark.anyio


class SlowDisk:
    """A disk that is busy until it is told to be done."""

    def __init__(self) -> None:
        self.quiet = True
        self._waiting: list[Callable[[], object]] = []

    def when_quiet(self, callback: Callable[[], object]) -> None:
        self._waiting.append(callback)

    def done(self) -> None:
        """Say that everything is written."""
        self.quiet = True
        for callback in self._waiting:
            callback()


async def busy(turnstile: Turnstile, log: list[str], name: str) -> None:
    """A strand that gets on for longer than one window of quiet, in small moves."""
    for _ in range(3):
        for _ in range(QUIET_ROUNDS - 5):
            await anyio.lowlevel.checkpoint()
        turnstile.moved()
    log.append(name)


async def test_one_in_line_waits_for_whoever_can_get_on() -> None:
    """However long that takes, as long as it moves."""
    log: list[str] = []
    turnstile = Turnstile(SlowDisk())
    async with anyio.create_task_group() as group:
        group.start_soon(turnstile.run)
        group.start_soon(busy, turnstile, log, "busy")
        await turnstile.pause()
        log.append("paused")
        group.cancel_scope.cancel()
    assert log == ["busy", "paused"]


async def test_those_in_line_go_on_in_their_order_and_one_at_a_time() -> None:
    """Each until it stops: the next does not begin in between."""
    log: list[str] = []
    turnstile = Turnstile(SlowDisk())
    in_line = 0

    async def strand(name: str) -> None:
        nonlocal in_line
        while in_line < int(name):
            await anyio.lowlevel.checkpoint()
        in_line += 1
        await turnstile.pause()
        log.append(f"{name} goes on")
        await busy(turnstile, log, f"{name} ends")

    async with anyio.create_task_group() as group:
        for name in "012":
            group.start_soon(strand, name)
        group.start_soon(turnstile.run)
        await turnstile.settle()
        group.cancel_scope.cancel()
    assert log == [f"{name} {what}" for name in "012" for what in ("goes on", "ends")]


async def test_an_answer_of_the_disk_begins_the_quiet_anew() -> None:
    """Also one that comes just before the quiet would have been long enough."""
    disk = SlowDisk()
    turnstile = Turnstile(disk)
    log: list[str] = []

    async def write() -> None:
        for _ in range(QUIET_ROUNDS - 3):
            await anyio.lowlevel.checkpoint()
        disk.quiet = False
        await anyio.lowlevel.checkpoint()
        await anyio.lowlevel.checkpoint()
        disk.done()
        for _ in range(QUIET_ROUNDS - 5):
            await anyio.lowlevel.checkpoint()
        log.append("went on after the answer")

    async with anyio.create_task_group() as group:
        group.start_soon(write)
        await turnstile.settle()
        log.append("settled")
    assert log == ["went on after the answer", "settled"]


async def test_one_that_cannot_take_its_turn_does_not_hold_up_the_line() -> None:
    """A strand at a gate, which the next in line has to open."""
    turnstile, gate = Turnstile(SlowDisk()), anyio.Event()
    log: list[str] = []

    async def at_a_gate() -> None:
        await turnstile.pause()
        await gate.wait()
        log.append("through the gate")

    async with anyio.create_task_group() as group:
        group.start_soon(at_a_gate)
        await anyio.wait_all_tasks_blocked()
        group.start_soon(turnstile.run)
        await turnstile.pause()
        log.append("opens the gate")
        gate.set()
        await turnstile.settle()
        group.cancel_scope.cancel()
    assert log == ["opens the gate", "through the gate"]


async def test_who_is_cancelled_leaves_the_line() -> None:
    """As a reset does it."""
    turnstile = Turnstile(SlowDisk())
    with anyio.CancelScope() as scope:
        scope.cancel()
        await turnstile.pause()
    with anyio.fail_after(5):
        await turnstile.settle()  # nobody lets anyone go on, and nobody has to


async def test_after_the_end_a_pause_is_only_a_suspension() -> None:
    """What runs on after a program, a retry of its alarm, hangs nowhere."""
    turnstile = Turnstile(SlowDisk())
    async with anyio.create_task_group() as group:
        group.start_soon(turnstile.run)
        await anyio.wait_all_tasks_blocked()
        group.cancel_scope.cancel()
    with anyio.fail_after(5):
        await turnstile.pause()
