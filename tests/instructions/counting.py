"""Runs the script under Valgrind, and reads what it counted."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from .client_requests import MACHINE
from .events import KINDS

REPOSITORY = Path(__file__).parent.parent.parent
MEMORY = Path("/dev/shm")  # a file system on which nobody waits for a disk
TIMEOUT_SECONDS = 240.0
LAYOUTS = 6
OTHER_THREADS = "other threads"  # of all kinds together: above all, the one that writes
LOOP_THREAD = "1"
MARK = re.compile(r"^desc: Trigger: Client Request: (.*)$", re.MULTILINE)
THREAD = re.compile(r"^thread: (\d+)$", re.MULTILINE)
TOTALS = re.compile(r"^totals: (\d+)$", re.MULTILINE)


def obstacle() -> str | None:
    """Why nothing can be counted here, if so."""
    if platform.machine() != MACHINE:
        return f"instructions are counted on {MACHINE} alone"

    if shutil.which("valgrind") is None:
        return "valgrind is not installed: apt-get install valgrind"

    return None


def least(enough: Callable[[dict[str, int]], bool] = lambda counted: False) -> dict[str, int]:
    """The fewest instructions of each kind among `LAYOUTS` counts, or among the first of them with
    which it is `enough`.

    CPython keeps what it found on which type in a table of 4,096 entries, by the type's version and
    the name's address. Two that an event needs and that meet in one entry drive each other out each
    time: up to 13 % of an event, which come and go with the length of a path or one more class. No
    more than some of the layouts have any, so the least says what the code itself takes.
    """
    counted: dict[str, int] = {}
    for layout in range(LAYOUTS):
        once = count(layout)
        counted = {name: min(number, counted.get(name, number)) for name, number in once.items()}
        if enough(counted):
            break
    return counted


def count(layout: int) -> dict[str, int]:
    """Instructions of one event of each kind, in the thread of the loop; and of all that the other
    threads did; once, in one layout of the interpreter's tables. RuntimeError: the script failed; the
    message is what it wrote."""
    with tempfile.TemporaryDirectory(prefix="roomhost-") as directory:
        command = [
            *("valgrind", "-q", "--tool=callgrind", "--instr-atstart=no", "--separate-threads=yes"),
            f"--callgrind-out-file={directory}/out",
            *(sys.executable, "-m", f"{__package__}.layout", str(layout)),
        ]
        done = subprocess.run(
            command,
            cwd=REPOSITORY,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
        )
        if done.returncode != 0:
            raise RuntimeError(done.stdout + done.stderr)

        return instructions(path.read_text() for path in Path(directory).iterdir())


def environment() -> dict[str, str]:
    """Of the script: hashes are the same each time, and writing waits for no disk."""
    fixed = {"PYTHONHASHSEED": "0"} | ({"TMPDIR": str(MEMORY)} if MEMORY.is_dir() else {})
    return {name: value for name, value in os.environ.items() if "ROOMHOST" not in name} | fixed


def instructions(dumps: Iterable[str]) -> dict[str, int]:
    """What the files that callgrind writes say. A mark writes what its own thread did, the end of the
    program what each thread did that is not written yet."""
    marked: dict[str, int] = {}
    others = 0
    for dump in dumps:
        total = TOTALS.search(dump)
        thread = THREAD.search(dump)
        if total is None or thread is None:
            continue  # the list of the other files

        mark = MARK.search(dump)
        if mark is not None and mark[1] in KINDS:
            marked[mark[1]] = int(total[1])
        elif thread[1] != LOOP_THREAD:
            others += int(total[1])
    each = {name: round(marked[name] / kind.steps / kind.events) for name, kind in KINDS.items()}
    return each | {OTHER_THREADS: others}
