"""What can be said of this process as a whole."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

STATM = Path("/proc/self/statm")  # in pages: all of its addresses, then what is in memory


def memory_bytes() -> int:
    """The memory that the process has now; 0 where the system does not say (it is no Linux)."""
    try:
        pages = int(STATM.read_text().split()[1])
    except OSError:
        return 0

    return pages * os.sysconf("SC_PAGESIZE")


def tasks() -> int:
    """The tasks of the asyncio loop that runs here; 0 where another kind does."""
    try:
        return len(asyncio.all_tasks())
    except RuntimeError:
        return 0
