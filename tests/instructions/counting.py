"""Runs the script under Valgrind, and reads what it counted."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from .client_requests import MACHINE
from .events import KINDS

REPOSITORY = Path(__file__).parent.parent.parent
MEMORY = Path("/dev/shm")  # a file system on which nobody waits for a disk
TIMEOUT_SECONDS = 240.0
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


def count() -> dict[str, int]:
    """Instructions of one event of each kind, in the thread of the loop; and of all that the other
    threads did. RuntimeError: the script failed; the message is what it wrote."""
    with tempfile.TemporaryDirectory(prefix="roomhost-") as directory:
        command = [
            *("valgrind", "-q", "--tool=callgrind", "--instr-atstart=no", "--separate-threads=yes"),
            f"--callgrind-out-file={directory}/out",
            *(sys.executable, "-m", f"{__package__}.script"),
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
