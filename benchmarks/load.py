"""The one load generator of all servers: `python -m benchmarks.load`. Each of its commands is a
function that measures one thing.

A process of its own that must cost less than any server it drives: what it sends is in frames before
the time is taken, and what comes is counted by its bytes where all of it is of one size. So every
result says how busy it was, and whether it was the limit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import uvloop

from . import children
from .load_echo import echo
from .load_fan_out import fan_out
from .load_http import http
from .load_realtime import realtime

COMMANDS: dict[str, Callable[..., Any]] = {
    command.__name__: command for command in (http, echo, fan_out, realtime)
}


async def answer(command: dict[str, Any]) -> dict[str, Any]:
    """What one command finds: `do` names it, the rest are its arguments."""
    result: dict[str, Any] = await COMMANDS[command.pop("do")](**command)
    return result


async def main() -> None:
    """Serve commands."""
    children.say({"ready": True})
    await children.serve(answer)


if __name__ == "__main__":
    uvloop.run(main())
