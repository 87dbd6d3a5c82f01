"""The preloaded library that makes a disk and a clock fail, as the test that runs it sees it."""

from __future__ import annotations

import mmap
import struct
import subprocess
from enum import Enum
from pathlib import Path

SOURCE = Path(__file__).parent / "shim.c"
FIELD = struct.Struct("=q")
SIZE_BYTES = 128
MATCH_BYTES = 64
UNLIMITED = -1
NS_PER_SECOND = 1_000_000_000


class Control(Enum):
    """A field of the control file, by its place."""

    SPACE = 0  # bytes that files may still grow by
    REFUSED = 1  # calls that found no space
    SYNC_AFTER = 2  # calls that reach the disk until one fails
    SYNC_TIMES = 3  # how many then fail
    SYNC_WRITES = 4  # whether a failing write is there all the same
    SYNCS = 5  # calls that reached the disk
    SYNC_FAILED = 6  # of those, the failed ones
    CLOCK_STEP = 7  # nanoseconds that the wall clock is ahead


class Shim:
    """Faults of the processes that are started with `environment`, below `directory` alone.

    It is compiled into `scratch`. CalledProcessError: there is no C compiler, or it refuses.
    """

    def __init__(self, scratch: Path, directory: Path) -> None:
        library = scratch / "shim.so"
        if not library.exists():
            subprocess.run(
                ["cc", "-O1", "-Wall", "-fPIC", "-shared", "-o", library, SOURCE, "-ldl"],
                check=True,
            )
        control = scratch / "shim.control"
        control.write_bytes(bytes(SIZE_BYTES))
        with control.open("r+b") as file:
            self._fields = mmap.mmap(file.fileno(), SIZE_BYTES)
        self.free()
        self.repair()
        self.environment = {
            "LD_PRELOAD": str(library),
            "SHIM_CONTROL": str(control),
            "SHIM_DIRECTORY": str(directory),
        }

    def fill(self, space: int = 0) -> None:
        """Let files grow by `space` bytes more, all together."""
        self._set(Control.SPACE, space)

    def free(self) -> None:
        """Let files grow again."""
        self._set(Control.SPACE, UNLIMITED)

    def fail_syncs(
        self, match: str = "", after: int = 0, times: int = UNLIMITED, *, written: bool = False
    ) -> None:
        """Have `times` of the calls that reach the disk fail with EIO, after `after` that do not, on
        files whose paths contain `match`. `written`: what such a call was to write is there all the
        same."""
        assert len(match) < MATCH_BYTES
        start = len(Control) * FIELD.size
        self._set(Control.SYNC_AFTER, UNLIMITED)
        self._fields[start : start + MATCH_BYTES] = match.encode().ljust(MATCH_BYTES, b"\0")
        self._set(Control.SYNC_WRITES, int(written))
        self._set(Control.SYNC_TIMES, times)
        self._set(Control.SYNC_AFTER, after)

    def repair(self) -> None:
        """Have no call fail any more."""
        self._set(Control.SYNC_AFTER, UNLIMITED)

    def step_clock(self, seconds: float) -> None:
        """Have the wall clock that far ahead of the machine's."""
        self._set(Control.CLOCK_STEP, round(seconds * NS_PER_SECOND))

    def count(self, field: Control) -> int:
        """What a counter says now."""
        value: int = FIELD.unpack_from(self._fields, field.value * FIELD.size)[0]
        return value

    def _set(self, field: Control, value: int) -> None:
        FIELD.pack_into(self._fields, field.value * FIELD.size, value)
