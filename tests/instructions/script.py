"""What runs under Valgrind: every kind of event, some to be warm, then some between two marks.

The counts repeat to some tenths of a percent: hashes are not random (the caller says so), garbage is
not collected, no clock runs, and threads take turns only where one waits. Its argument is the layout.
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
TYPES_EACH = 37


async def main() -> None:
    """Run it all."""
    valgrind = Valgrind()
    clock = ManualClock()
    async with host_for(app, clock=clock) as host:
        gc.disable()
        valgrind.count()
        for name, kind in KINDS.items():
            step = await kind.prepare(host, clock)
            await repeat(step, warm_steps(kind))
            await host.settle()
            valgrind.mark(BETWEEN)
            await repeat(step, kind.steps)
            valgrind.mark(name)


async def repeat(step: Step, times: int) -> None:
    """One after the other."""
    for _ in range(times):
        await step()


def other_types(layout: int) -> None:
    """Give `layout` times some types a version, so that all that come later have other ones: see
    `counting.least`."""
    for number in range(layout * TYPES_EACH):
        assert type(f"Other{number}", (), {"value": number})().value == number


def warm_steps(kind: Kind) -> int:
    """How many steps run before those that count; two at least, for what the first one sets up."""
    return max(2, WARM_EVENTS // kind.events)


if __name__ == "__main__":
    other_types(int(sys.argv[1]))
    sys.setswitchinterval(SWITCH_SECONDS)
    asyncio.run(main())
