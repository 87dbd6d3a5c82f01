"""The process that a crash test kills: a host whose objects write numbers and say so.

`python crash_child.py write DIRECTORY FIRST`: prints the state it finds as one JSON line, then one
line `OBJECT NUMBER` for each acknowledged write, numbers from FIRST on, until it is killed.
`python crash_child.py alarm DIRECTORY HOLD`: arms an alarm if there is none stored, prints `ran` when
its handler has run, and with HOLD `1` stops for ever in the commit that follows, saying `held`.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import anyio

from roomhost.bindings import App
from roomhost.runtime import AlarmInfo, DurableObject, Host
from roomhost.storage import Batch

OBJECTS = tuple(f"object-{number}" for number in range(6))
CALLERS_PER_OBJECT = 2
FAR_MS = 4_000_000_000_000  # in the year 2096
Commit = Callable[[Sequence[Batch]], None]


def say(line: str) -> None:
    """One line to the parent, whole or not at all."""
    os.write(1, f"{line}\n".encode())


class Writer(DurableObject):
    """Writes pairs of keys that must agree, and alarms that count up."""

    async def write(self, number: int) -> None:
        """Two keys in one turn, and for every third number an alarm that no run reaches."""
        await self.ctx.storage.put(f"a:{number:08}", number)
        await self.ctx.storage.put(f"b:{number:08}", number)
        if number % 3 == 0:
            await self.ctx.storage.set_alarm(FAR_MS + number)

    async def alarm(self, info: AlarmInfo) -> None:
        """Never due while a test runs."""

    async def state(self) -> dict[str, Any]:
        """All that is stored."""
        return {
            "a": list((await self.ctx.storage.list(prefix="a:")).values()),
            "b": list((await self.ctx.storage.list(prefix="b:")).values()),
            "alarm": await self.ctx.storage.get_alarm(),
        }


class Ticker(DurableObject):
    """Arms an alarm for now, again and again; its handler notes what it ran for."""

    async def write(self, number: int) -> None:
        """Arm."""
        await self.ctx.storage.put("armed", number)
        await self.ctx.storage.set_alarm(time.time() * 1000 + 1)

    async def alarm(self, info: AlarmInfo) -> None:
        """Note it."""
        runs = await self.ctx.storage.get("runs", 0)
        await self.ctx.storage.put({"fired": await self.ctx.storage.get("armed"), "runs": runs + 1})
        say("ran")

    async def state(self) -> dict[str, Any]:
        """All that is stored."""
        return {
            "armed": await self.ctx.storage.get("armed", 0),
            "fired": await self.ctx.storage.get("fired", 0),
            "runs": await self.ctx.storage.get("runs", 0),
            "alarm": await self.ctx.storage.get_alarm(),
        }


app = App(name="crash", bindings={"WRITER": Writer, "TICKER": Ticker})


async def write(directory: str, first: int) -> None:
    """Say what is there, then write until killed."""
    async with Host(app, data_dir=directory) as host:
        stubs = {name: host.env.WRITER.get_by_name(name) for name in OBJECTS}
        stubs["ticker"] = host.env.TICKER.get_by_name("ticker")
        say(json.dumps({name: await stub.state() for name, stub in stubs.items()}))
        numbers = itertools.count(first)
        async with anyio.create_task_group() as group:
            for name, stub in stubs.items():
                for _ in range(CALLERS_PER_OBJECT):
                    group.start_soon(keep_writing, name, stub, numbers)


async def keep_writing(name: str, stub: Any, numbers: Iterator[int]) -> None:
    """One caller."""
    for number in numbers:
        await stub.write(number)
        say(f"{name} {number}")


async def run_alarm(directory: str, hold: bool) -> None:
    """Let the alarm run, and stop in the commit of its success."""

    def held(commit: Commit) -> Commit:
        def stop(batches: Sequence[Batch]) -> None:
            if any(batch.alarm is None for batch in batches):
                say("held")
                threading.Event().wait()
            commit(batches)

        return stop if hold else commit

    async with Host(app, data_dir=directory, wrap_commit=held) as host:
        stub = host.env.TICKER.get_by_name("ticker")
        found = await stub.state()
        if not found["armed"]:
            await stub.write(1)
        await host.run_due_alarms()
        while (found := await stub.state())["alarm"] is not None or not found["runs"]:
            await anyio.sleep(0.001)
        say(json.dumps(found))


if __name__ == "__main__":
    _, what, where, argument = sys.argv
    if what == "write":
        anyio.run(write, where, int(argument), backend_options={"use_uvloop": True})
    else:
        anyio.run(run_alarm, where, argument == "1")
