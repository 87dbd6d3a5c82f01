"""What the operating system says of this process."""

from __future__ import annotations

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
