"""What a page starts and leaves running: a host, its output, and the port it has."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO

WAIT_SECONDS = 30.0  # that a host gets to say what the page says
POLL_SECONDS = 0.02
PORT = re.compile(r"http://127\.0\.0\.1:(\d+)")


class DocServer:
    """A command in a process group of its own, whose output is read while it runs."""

    def __init__(self, command: str, directory: Path, environment: Mapping[str, str]) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile()
        self._seen = 0
        self._process = subprocess.Popen(
            ["bash", "-c", command],
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=self._file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    @property
    def output(self) -> str:
        """What it printed since `taken()`."""
        return os.pread(self._file.fileno(), 10_000_000, self._seen).decode(errors="replace")

    def taken(self) -> None:
        """What was printed so far has been looked at."""
        self._seen += len(os.pread(self._file.fileno(), 10_000_000, self._seen))

    @property
    def port(self) -> str | None:
        """The port it listens on, if it has said so."""
        whole = os.pread(self._file.fileno(), 100_000, 0).decode(errors="replace")
        found = PORT.search(whole)
        return found[1] if found else None

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def interrupt(self) -> int:
        """Ctrl-C; the exit status."""
        os.killpg(self._process.pid, signal.SIGINT)
        return self._process.wait(WAIT_SECONDS)

    def stop(self) -> None:
        """End it, and what it started."""
        if self.runs:
            os.killpg(self._process.pid, signal.SIGTERM)
            try:
                self._process.wait(WAIT_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
        self._file.close()


def deadline() -> float:
    """When to give up on something that begins now."""
    return time.monotonic() + WAIT_SECONDS


def pause(until: float) -> bool:
    """Wait for a process a little; False when the time is over."""
    time.sleep(POLL_SECONDS)
    return time.monotonic() < until
