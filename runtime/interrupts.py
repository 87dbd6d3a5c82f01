"""Whose a KeyboardInterrupt is: the user's, who pressed Ctrl-C, or an actor's own."""

from __future__ import annotations

import signal
from functools import partial
from typing import cast

# What raises one when the signal comes: Python's own handler, and those of whoever runs a loop for a
# script. A server takes the signal by other means.
RAISING = ("asyncio.runners", "trio.")


def is_interrupt(error: BaseException) -> bool:
    """Whether an error that left an actor's code is for the process, not for the object: it may be that
    of Ctrl-C. Where a server has taken the signal nothing raises it but code that means to."""
    if not isinstance(error, KeyboardInterrupt):
        return False

    handler: object = signal.getsignal(signal.SIGINT)
    if handler is signal.default_int_handler:
        return True

    if isinstance(handler, partial):
        handler = cast("partial[object]", handler).func
    return str(getattr(handler, "__module__", "")).startswith(RAISING)
