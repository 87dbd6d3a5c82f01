"""`python -m roomhost.storage.backup_process SOURCE TARGET VERSION MADE_AT FILE...`: the process that
copies the map of a host, beside it.

It says how it goes in lines of JSON on its standard output: `{"progress": {"step", "done", "total"}}`, at
most ten a second, and at the end `{"result": manifest}` or `{"error": message}`. Nobody who reads them
any more ends it, as SIGTERM and SIGINT do: what it made is removed.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import msgspec

from .backup import back_up
from .errors import DataDirectoryError
from .limits import PROGRESS_SECONDS

if TYPE_CHECKING:
    from .copy_step import Step

NICENESS = 10  # the host comes first


class Teller:
    """Says each step once, and of one step no more than one line in `PROGRESS_SECONDS`."""

    def __init__(self) -> None:
        self._step: Step | None = None
        self._said = 0.0

    def report(self, step: Step, done: int, total: int) -> None:
        """As `back_up` calls it."""
        now = time.monotonic()
        if step is not self._step or done >= total or now >= self._said + PROGRESS_SECONDS:
            self._step, self._said = step, now
            say({"progress": {"step": step.value, "done": done, "total": total}})


def say(line: dict[str, object]) -> None:
    """One line. OSError: nobody reads."""
    os.write(1, msgspec.json.encode(line) + b"\n")


def main(source: str, target: str, version: str, made_at: str, *files: str) -> int:
    """The exit status. OSError: nobody reads what it says. KeyboardInterrupt: a signal came."""
    os.nice(NICENESS)
    try:
        manifest = back_up(
            Path(source),
            Path(target),
            version=version,
            made_at=made_at,
            files=files,
            report=Teller().report,
        )
    except DataDirectoryError as error:
        say({"error": str(error)})
        return 1

    say({"result": msgspec.to_builtins(manifest)})
    return 0


def _interrupt(_number: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        status = main(*sys.argv[1:])
    except (OSError, KeyboardInterrupt):
        status = 1
    sys.exit(status)
