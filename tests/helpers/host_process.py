"""A host in a child process, to be stopped, killed and started again on the same directory."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

REPOSITORY = Path(__file__).parent.parent.parent
COMMAND = Path(sys.executable).parent / "roomhost"
READY = re.compile(r"^roomhost: .* on (?P<url>http://\S+:(?P<port>\d+)) \(data in ")


class HostProcess:
    """`roomhost serve APPLICATION` on a directory; a context that kills what still runs. It works in
    `directory`, where it finds the application."""

    def __init__(
        self,
        application: str,
        data_dir: Path,
        environment: Mapping[str, str] | None = None,
        directory: Path = REPOSITORY,
        log: Path | None = None,
    ) -> None:
        """`log`: the file that what it logs is appended to; None: the tests' own."""
        self.application = application
        self.log = log
        self.directory = directory
        self.data_dir = data_dir
        self.environment = dict(environment or {})
        self.port = 0  # the first start takes a free one, later starts the same
        self.url = ""
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> Self:
        """Start it; returns once it listens."""
        self.launch()
        line = self.first_line()
        assert READY.match(line), f"the host said {line!r}"
        return self

    def launch(self) -> None:
        """Start it; returns at once."""
        command = [str(COMMAND), "serve", self.application, "--data-dir", str(self.data_dir)]
        with open(self.log or os.devnull, "a") as log:
            self._process = subprocess.Popen(
                [*command, "--port", str(self.port)],
                cwd=self.directory,
                env={name: value for name, value in os.environ.items() if "ROOMHOST" not in name}
                | self.environment,
                stdout=subprocess.PIPE,
                stderr=log if self.log else None,
                text=True,
            )

    def first_line(self) -> str:
        """What it says once it listens, or nothing if it ends before that."""
        assert self._process is not None
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        ready = READY.match(line)
        if ready is not None:
            self.url = ready["url"]
            self.port = int(ready["port"])
        return line

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """`kill -9`, and wait until it is gone."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        return self._end(signal.SIGTERM)

    def wait(self) -> int:
        """The exit status of a process that was told to stop."""
        process, self._process = self._process, None
        assert process is not None
        status = process.wait(timeout=40)
        assert process.stdout is not None
        process.stdout.close()
        return status

    def _end(self, number: signal.Signals) -> int:
        assert self._process is not None
        self._process.send_signal(number)
        return self.wait()

    @contextmanager
    def killed_at_the_end(self) -> Generator[Self]:
        """A block in which it is started and stopped as one likes."""
        try:
            yield self
        finally:
            if self._process is not None:
                self.kill()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._process is not None:
            self.kill()
