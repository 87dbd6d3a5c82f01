"""The event loop of a host's process, which no code of an actor ends.

What an object's handler raises stays in the object. A task that it has started is the loop's: SystemExit
or KeyboardInterrupt leaves that through the loop, and `loop.stop()` ends it, all objects with it.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, TypeVar

import uvloop

from .interrupts import is_interrupt

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

logger = logging.getLogger("roomhost.runtime")

T = TypeVar("T")


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run `main` on a loop of its own, as `uvloop.run` does, to its end. KeyboardInterrupt: Ctrl-C, while
    nobody took the signal; `main` was cancelled."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        loop = runner.get_loop()
        task = loop.create_task(main)
        while True:
            try:
                return loop.run_until_complete(task)
            except (SystemExit, KeyboardInterrupt, RuntimeError) as error:
                if task.done():
                    raise

                if is_interrupt(error):
                    task.cancel()
                    loop.run_until_complete(asyncio.wait([task]))
                    raise

                logger.error(
                    "code of an actor would have ended the event loop, which goes on: %r", error
                )
