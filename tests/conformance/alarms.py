"""What the tests of alarms share: objects whose alarm is set over a stub, and a note of each run."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from roomhost.bindings import App, DurableObjectStub
from roomhost.runtime import AlarmInfo, DurableObject, DurableObjectState, Host
from roomhost.runtime.testing import ManualClock, host_for

from ..helpers.scripted import Scripted, script

START_MS = 1_800_000_000_000
SEVEN_RUNS = 2 + 4 + 8 + 16 + 32 + 64  # seconds, without jitter


class Alarmed(Scripted):
    """A scripted object: scripts named `alarm` and `construct` are its handler and constructor."""

    def __init__(self, ctx: DurableObjectState, env: Any) -> None:
        super().__init__(ctx, env)
        if "construct" in Scripted.scripts:
            Scripted.scripts["construct"](self)

    async def set_alarm(self, when: float | datetime) -> None:
        await self.ctx.storage.set_alarm(when)

    async def get_alarm(self) -> int | None:
        return await self.ctx.storage.get_alarm()

    async def delete_alarm(self) -> None:
        await self.ctx.storage.delete_alarm()

    async def put(self, key: str, value: Any) -> None:
        await self.ctx.storage.put(key, value)

    async def get(self, key: str) -> Any:
        return await self.ctx.storage.get(key)


class Mute(DurableObject):
    """It has no alarm handler, and sets an alarm all the same when it starts as `early`."""

    def __init__(self, ctx: DurableObjectState, env: Any) -> None:
        super().__init__(ctx, env)
        if ctx.id.name == "early":
            ctx.storage.set_alarm(START_MS + 1_000)

    async def set_alarm(self) -> None:
        await self.ctx.storage.set_alarm(START_MS + 1_000)

    async def get_alarm(self) -> int | None:
        return await self.ctx.storage.get_alarm()


app = App(name="alarms", bindings={"OBJECT": Alarmed, "MUTE": Mute})


@dataclass
class Stage:
    """A host, its clock, and what ran when: `seconds` since the start, and what it was told."""

    host: Host
    clock: ManualClock
    seconds: list[float] = field(default_factory=list[float])
    infos: list[AlarmInfo] = field(default_factory=list[AlarmInfo])

    def object(self, name: str = "a") -> DurableObjectStub:
        """A new stub."""
        stub: DurableObjectStub = self.host.env.OBJECT.get_by_name(name)
        return stub

    def note(self, info: AlarmInfo) -> None:
        """A run has begun."""
        self.seconds.append((self.clock.now_ms() - START_MS) / 1_000)
        self.infos.append(info)


def at(seconds: float) -> int:
    """A moment, in milliseconds since the epoch."""
    return START_MS + round(seconds * 1_000)


@asynccontextmanager
async def stage(clock: ManualClock | None = None, **options: Any) -> AsyncGenerator[Stage]:
    """A host whose alarms are noted, unless a test makes its own `alarm` script."""
    clock = clock or ManualClock(START_MS)
    async with host_for(app, clock=clock, **options) as host:
        made = Stage(host, clock)

        @script
        def alarm(actor: Alarmed, info: AlarmInfo) -> None:
            made.note(info)

        yield made
