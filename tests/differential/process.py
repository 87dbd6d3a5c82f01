"""workerd, as a child process that runs programs."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

HERE = Path(__file__).parent
BINARY = HERE.parent.parent / "node_modules" / "workerd" / "bin" / "workerd"
# Where syncing takes no time, which would let timers of workerd pass before what they wait for.
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
TIMEOUT_SECONDS = 60


def require_workerd() -> None:
    """Skip the test, with the reason, where workerd is missing."""
    if not BINARY.exists():
        pytest.skip("workerd is not installed: make clients")


class Workerd:
    """One workerd on a free port of 127.0.0.1, its storage in a directory that is deleted."""

    def __init__(self) -> None:
        require_workerd()
        self._storage = tempfile.TemporaryDirectory(prefix="workerd-", dir=MEMORY)
        control, told = os.pipe()
        self._log = Path(self._storage.name, "log")
        disk = Path(self._storage.name, "disk")
        disk.mkdir()
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    BINARY,
                    "serve",
                    "--experimental",
                    f"--control-fd={told}",
                    f"--directory-path=storage={disk}",
                    HERE / "workerd.capnp",
                ],
                pass_fds=[told],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        os.close(told)
        with os.fdopen(control) as messages:
            line = messages.readline()
        assert line, self._log.read_text()
        self._port: int = json.loads(line)["port"]

    def run(self, programs: Sequence[Any]) -> list[Any]:
        """What each program does, each on an object of its own."""
        # A connection each time: workerd closes one that is idle for 15 s, while our side runs.
        client = http.client.HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT_SECONDS)
        try:
            client.connect()
            # A body goes out after its headers: without this it waits for an answer to them.
            client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.request("POST", "/", json.dumps(programs))
            response = client.getresponse()
            body = response.read().decode()
        except (OSError, http.client.HTTPException) as error:
            log = self._log.read_text()[-2_000:]
            raise AssertionError(f"workerd has died ({self._process.poll()}): {log}") from error
        finally:
            client.close()

        assert response.status == 200, f"{body}\n{self._log.read_text()[-2_000:]}"
        transcripts: list[Any] = json.loads(body)
        return transcripts

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._process.wait(timeout=TIMEOUT_SECONDS)
        self._storage.cleanup()
