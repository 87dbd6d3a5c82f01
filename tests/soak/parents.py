"""Processes that do not outlive who started them, however that ended."""

from __future__ import annotations

import ctypes
import signal
from types import FrameType

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>

_libc = ctypes.CDLL(None)


def end_with_parent() -> None:
    """In a child, before it becomes what it is to be: it is killed when the thread that started it
    ends, which is the main one here."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def exit_on_sigterm() -> None:
    """Have this process clean up when it is told to end."""

    def leave(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, leave)
