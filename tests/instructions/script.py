"""What runs under Valgrind: every kind of event, some to be warm, then some between two marks.

The counts repeat to some tenths of a percent: hashes are not random (the caller says so), garbage is
not collected, no clock runs, and threads take turns only where one waits. What is stored reaches LMDB
between the kinds alone: else what an event reads would come from there, or from what waits to get
there, as the time has it. `layout.py` starts it.
"""

from __future__ import annotations

import asyncio
import gc
import sys

from roomhost.runtime.testing import ManualClock, host_for

from .client_requests import Valgrind
from .events import KINDS, Kind, Step, app

WARM_EVENTS = 16  # Python adapts its code to what runs often
BETWEEN = "between"  # the mark of what belongs to no kind
SWITCH_SECONDS = 1_000.0


async def main() -> None:
    """Run it all."""
    valgrind = Valgrind()
    clock = ManualClock()
    async with host_for(app, clock=clock) as host:
        gc.disable()
        partition = host.engine.partition
        partition._applier._delay_seconds = None  # it waits until it is told
        valgrind.count()
        for name, kind in KINDS.items():
            step = await kind.prepare(host, clock)
            await repeat(step, warm_steps(kind))
            await host.settle()
            partition.apply_now()
            valgrind.mark(BETWEEN)
            await repeat(step, kind.steps)
            valgrind.mark(name)


async def repeat(step: Step, times: int) -> None:
    """One after the other."""
    for _ in range(times):
        await step()


def warm_steps(kind: Kind) -> int:
    """How many steps run before those that count; two at least, for what the first one sets up."""
    return max(2, WARM_EVENTS // kind.events)


def run() -> None:
    """All of it, in this thread."""
    sys.setswitchinterval(SWITCH_SECONDS)
    asyncio.run(main())
