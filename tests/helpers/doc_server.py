"""What a page starts and leaves running: a host, its output, and the port it has."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

WAIT_SECONDS = 30.0  # that a host gets to say what the page says, or to end
READ_BYTES = 65_536
PORT = re.compile(r"http://127\.0\.0\.1:(\d+)")


class DocServer:
    """A command in a process group of its own, whose output is read while it runs."""

    def __init__(self, command: str, directory: Path, environment: Mapping[str, str]) -> None:
        self._said = bytearray()
        self._seen = 0
        self._process = subprocess.Popen(
            ["bash", "-c", command],
            cwd=directory,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        self._pipe = self._process.stdout

    @property
    def output(self) -> str:
        """What it printed since `taken()`, as far as it was read."""
        return self._said[self._seen :].decode(errors="replace")

    def taken(self) -> None:
        """What was read so far has been looked at."""
        self._seen = len(self._said)

    @property
    def port(self) -> str | None:
        """The port it listens on, if it has said so."""
        found = PORT.search(self._said.decode(errors="replace"))
        return found[1] if found else None

    def read(self, until: float) -> bool:
        """Wait for more output, until a time of `time.monotonic()`; whether some came."""
        ready, _, _ = select.select([self._pipe], [], [], max(0.0, until - time.monotonic()))
        data = os.read(self._pipe.fileno(), READ_BYTES) if ready else b""
        self._said += data
        return bool(data)

    def interrupt(self) -> int:
        """Ctrl-C; the exit status, with everything read that it still said."""
        os.killpg(self._process.pid, signal.SIGINT)
        until = deadline()
        while self.read(until):
            pass
        return self._process.wait(WAIT_SECONDS)

    def stop(self) -> None:
        """End it, and what it started."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGTERM)
            try:
                self._process.communicate(timeout=WAIT_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
        self._pipe.close()


def deadline() -> float:
    """When to give up on something that begins now."""
    return time.monotonic() + WAIT_SECONDS
