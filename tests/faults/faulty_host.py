"""A `roomhost serve` whose resources a test takes away while it runs, and what it says of that."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from ..helpers.host_process import COMMAND, READY, REPOSITORY
from .shim import Shim

APPLICATION = "tests.faults.book_app:app"
STOP_SECONDS = 60.0
PROBE_SECONDS = 0.02


class FaultyHost:
    """The host on `data_dir`; a context that kills what still runs. `ended`: its exit status."""

    def __init__(
        self, data_dir: Path, scratch: Path, *, shim: Shim | None = None, **settings: object
    ) -> None:
        self.data_dir = data_dir
        self.ended: int | None = None
        self.port = 0
        self._errors = scratch / "stderr"
        self._output = scratch / "stdout"
        self._seen = 0  # bytes of its errors that were read
        self._environment = {
            name: value for name, value in os.environ.items() if "ROOMHOST" not in name
        }
        for name, value in settings.items():
            self._environment[f"ROOMHOST_{name.upper()}"] = str(value)
        if shim is not None:
            self._environment |= shim.environment
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self, command: tuple[str, ...] = ()) -> Self:
        """Start it; returns once it listens, or has ended: see `ended`. `command`: what runs it."""
        self.ended = None
        process = self._process = self._spawn(command)
        while (ready := READY.match(self._output.read_text())) is None:
            self.ended = process.poll()
            if self.ended is not None:
                return self
            await asyncio.sleep(PROBE_SECONDS)
        self.port = int(ready["port"])
        return self

    def _spawn(self, command: tuple[str, ...]) -> subprocess.Popen[bytes]:
        served = ("serve", APPLICATION, "--data-dir", str(self.data_dir), "--port", "0")
        with self._output.open("wb") as output, self._errors.open("wb") as errors:
            self._seen = 0
            return subprocess.Popen(
                [*command, sys.executable, str(COMMAND), *served],
                cwd=REPOSITORY,
                env=self._environment,
                stdout=output,
                stderr=errors,
            )

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        assert self._process is not None
        return self._process.poll() is None

    def limit(self, which: int, value: int) -> None:
        """Have the system give it no more of a resource than `value`, from now on; -1: any amount."""
        hard = resource.prlimit(self.pid, which)[1]
        resource.prlimit(self.pid, which, (value, hard))

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    async def stop(self) -> int:
        """SIGTERM; its exit status."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return await self.end()

    async def end(self) -> int:
        """Its exit status, once it has ended by itself. TimeoutError: it does not."""
        assert self._process is not None
        self.ended = await asyncio.to_thread(self._process.wait, STOP_SECONDS)
        return self.ended

    def lines(self) -> list[str]:
        """What it has written to stderr since the last call."""
        written = self._errors.read_bytes()[self._seen :]
        whole = written[: written.rfind(b"\n") + 1]
        self._seen += len(whole)
        return whole.decode().splitlines()

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
