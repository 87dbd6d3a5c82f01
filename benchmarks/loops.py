"""The event loops that a benchmark runs on."""

from __future__ import annotations

import asyncio
from typing import Any

LOOPS: dict[str, dict[str, Any]] = {
    "uvloop": {"backend": "asyncio", "backend_options": {"use_uvloop": True}},
    "asyncio": {"backend": "asyncio"},
    "trio": {"backend": "trio"},
}


def loop_name() -> str:
    """Which of them runs."""
    try:
        return type(asyncio.get_running_loop()).__module__.split(".")[0]
    except RuntimeError:
        return "trio"
