"""Where hosts of tests keep their data."""

from __future__ import annotations

import os
import tempfile

MEMORY = "/dev/shm"  # a file system in memory, where nobody waits for a disk
LEAST_MEMORY_BYTES = 2**30  # free there, of which a container may have 64 MiB in all


def temporary_directory() -> tempfile.TemporaryDirectory[str]:
    """A directory that is deleted when its context ends: in memory where there is plenty, since a new
    host waits for a disk a dozen times."""
    return tempfile.TemporaryDirectory(prefix="roomhost-", dir=MEMORY if _has_memory() else None)


def _has_memory() -> bool:
    try:
        state = os.statvfs(MEMORY)
    except (AttributeError, OSError):  # not on every system
        return False

    return os.access(MEMORY, os.W_OK) and state.f_bavail * state.f_frsize >= LEAST_MEMORY_BYTES
