"""The watchdog of the disk: 30 s without an answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import pytest

from roomhost.runtime import Clock, OverloadedError
from roomhost.runtime.testing import host_for
from roomhost.runtime.watchdog import CommitWatchdog

from ..helpers.disk import Disk
from ..helpers.scripted import Scripted, app, script

pytestmark = pytest.mark.anyio


class Fakes:
    """A partition, timers and a clock, each as far as the watchdog looks."""

    def __init__(self) -> None:
        self.idle = True
        self.answered = 0
        self.stuck = 0
        self._busy: Callable[[], object] = lambda: None
        self._callback: Callable[[], object] | None = None
        CommitWatchdog(self, self, self._count)  # type: ignore[arg-type]

    def on_busy(self, callback: Callable[[], object]) -> None:
        self._busy = callback

    def after(self, seconds: float, callback: Callable[[], object]) -> None:
        assert seconds == 1.0
        assert self._callback is None
        self._callback = callback

    def submit(self) -> None:
        """Something is to be committed."""
        was_idle, self.idle = self.idle, False
        if was_idle:
            self._busy()

    def pass_seconds(self, seconds: int) -> None:
        """Time goes by."""
        for _ in range(seconds):
            callback, self._callback = self._callback, None
            if callback is not None:
                callback()

    def sleep(self, _seconds: float) -> None:
        """The process is stopped for so long: of all its timers it finds the first one due."""
        self.pass_seconds(1)

    @property
    def looking(self) -> bool:
        """Whether it will look again."""
        return self._callback is not None

    def _count(self) -> None:
        self.stuck += 1


def test_thirty_seconds_without_an_answer_are_noticed() -> None:
    """Not a second less; and again after thirty more."""
    fakes = Fakes()
    fakes.submit()
    fakes.pass_seconds(29)
    assert fakes.stuck == 0
    fakes.pass_seconds(1)
    assert fakes.stuck == 1
    fakes.pass_seconds(30)
    assert fakes.stuck == 2


def test_a_slow_disk_that_answers_is_left_alone() -> None:
    """Each answer begins the thirty seconds anew, however many commits follow."""
    fakes = Fakes()
    fakes.submit()
    for _ in range(10):
        fakes.pass_seconds(25)
        fakes.answered += 1
        fakes.submit()
    assert fakes.stuck == 0


def test_nothing_is_looked_at_while_nothing_is_committed() -> None:
    """It stops by itself and begins with the next commit, whose time counts from there."""
    fakes = Fakes()
    fakes.submit()
    fakes.idle = True
    fakes.pass_seconds(100)
    assert not fakes.looking
    fakes.submit()
    fakes.pass_seconds(29)
    assert fakes.stuck == 0


class JumpingClock(Clock):
    """Moved by hand, and waits for nothing: not for a disk that is held either."""

    def __init__(self) -> None:
        self._now_ms = 1_700_000_000_000
        self._moved = anyio.Event()

    def now_ms(self) -> int:
        return self._now_ms

    async def sleep_until(self, when_ms: int) -> None:
        while self._now_ms < when_ms:
            await self._moved.wait()

    async def jump(self, seconds: int) -> None:
        """Move, second by second."""
        for _ in range(seconds):
            self._now_ms += 1_000
            moved, self._moved = self._moved, anyio.Event()
            moved.set()
            await anyio.wait_all_tasks_blocked()


async def test_an_object_whose_commit_hangs_is_reset_and_its_callers_told() -> None:
    """4.3: an overloaded error; who has nothing to write lives on. When the disk goes on, so does
    the object."""
    disk, clock = Disk(), JumpingClock()

    @script
    async def put(actor: Scripted, key: str) -> None:
        await actor.ctx.storage.put(key, key)

    @script
    async def stored(actor: Scripted) -> dict[str, Any]:
        return await actor.ctx.storage.list()

    async with host_for(app, clock=clock, wrap_commit=disk.wrap) as host:
        stub, other = (host.env.OBJECT.get_by_name(name) for name in "ab")
        await other.run("stored")
        disk.hold()
        call = stub.run("put", "lost?")
        await disk.reached()
        await clock.jump(31)
        with pytest.raises(OverloadedError, match="storage operation exceeded timeout") as caught:
            await call
        assert caught.value.durable_object_reset
        assert await other.run("stored") == {}
        again = host.env.OBJECT.get_by_name("a").run("stored")
        disk.release()
        # Nobody was told that it is stored, and nobody that it is not.
        assert set(await again) <= {"lost?"}
