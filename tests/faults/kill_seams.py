"""Moments at which a process kills itself: before, within or after a call by which it gets onto the disk.

`CALL.PLACE:N`, as in `pwritev.within:3`: at the third call from when it was armed. `within` a write is
when a part of it was written; within a commit of LMDB, when all is written that is committed.
`python -m tests.faults.kill_seams SPEC COMMAND...` runs a command of `roomhost` that is killed there.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any

from roomhost.storage.environment import Environment

VARIABLE = "KILL_AT"
APPLIER = "roomhost-applier"  # the thread that brings LMDB up to the log


class Call(Enum):
    """What the disk is asked for."""

    PWRITEV = "pwritev"  # a record of the commit log
    FSYNC = "fsync"
    RENAME = "rename"
    REPLACE = "replace"
    UNLINK = "unlink"
    FTRUNCATE = "ftruncate"
    APPLY = "apply"  # LMDB is brought up to the log
    RECORD = "record"  # what else is written to LMDB: the catalogue, deletions of objects


class Place(Enum):
    """Where in a call."""

    BEFORE = "before"
    WITHIN = "within"
    AFTER = "after"


SYSTEM_CALLS = (Call.PWRITEV, Call.FSYNC, Call.RENAME, Call.REPLACE, Call.UNLINK, Call.FTRUNCATE)


class Trap:
    """What the process waits for to kill itself: one at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._at: tuple[Call, Place] | None = None
        self._left = 0

    def arm(self, spec: str) -> None:
        """Wait for this from now on. ValueError: it is none."""
        where, _, count = spec.partition(":")
        call, _, place = where.partition(".")
        with self._lock:
            self._at, self._left = (Call(call), Place(place)), int(count)

    def pass_by(self, call: Call, place: Place) -> None:
        """Die here, if it is the moment."""
        with self._lock:
            if self._at == (call, place):
                self._left -= 1
                if self._left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)


trap = Trap()
arm = trap.arm


def install(spec: str) -> None:
    """Have every call watched, once for each process, and wait for `spec`, if it is not empty."""
    if not hasattr(os.fsync, "__wrapped__"):
        for call in SYSTEM_CALLS:
            setattr(os, call.value, watched(call, getattr(os, call.value)))
        # Mypy knows no way to replace a method.
        setattr(Environment, "_commit", watched_commit(Environment._commit))  # noqa: B010
    if spec:
        arm(spec)


def watched(call: Call, function: Callable[..., Any]) -> Callable[..., Any]:
    """A call of the system that the process may die at."""

    @functools.wraps(function)
    def watch(*arguments: Any, **named: Any) -> Any:
        trap.pass_by(call, Place.BEFORE)
        if call is Call.PWRITEV and trap._at == (call, Place.WITHIN):
            file, parts, offset = arguments
            whole = b"".join(parts)
            written: int = function(file, [whole[: len(whole) // 2]], offset)
            trap.pass_by(call, Place.WITHIN)
            return written + os.pwrite(file, whole[written:], offset + written)

        result = function(*arguments, **named)
        trap.pass_by(call, Place.AFTER)
        return result

    return watch


def watched_commit(commit: Callable[..., None]) -> Callable[..., None]:
    """A commit of LMDB that the process may die at."""

    def watch(environment: Environment, write: Callable[[Any], object], **options: Any) -> None:
        applies = threading.current_thread().name == APPLIER
        call = Call.APPLY if applies else Call.RECORD

        def written(transaction: Any) -> None:
            write(transaction)
            trap.pass_by(call, Place.WITHIN)

        trap.pass_by(call, Place.BEFORE)
        commit(environment, written, **options)
        trap.pass_by(call, Place.AFTER)

    return watch


def main(arguments: Sequence[str]) -> None:
    """Run a command of `roomhost`."""
    from roomhost.runtime.commands import main as run

    spec, *command = arguments
    install(spec)
    sys.argv = ["roomhost", *command]
    run()


if __name__ == "__main__":
    main(sys.argv[1:])
