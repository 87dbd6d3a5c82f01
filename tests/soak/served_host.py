"""The host under test: a process of its own, whose log is kept."""

from __future__ import annotations

import os
import subprocess
from typing import Self

from ..helpers.host_process import COMMAND, READY
from . import limits
from .load import API_KEY
from .parents import end_with_parent
from .plan import Places, Plan, write_application

APPLICATION = "soak_application:app"


class ServedHost:
    """`roomhost serve` on the state of a run; a context that ends it."""

    def __init__(self, places: Places, plan: Plan) -> None:
        self._places = places
        self._plan = plan
        self._process: subprocess.Popen[str] | None = None
        self.port = 0

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    @property
    def status(self) -> int | None:
        """With what it ended; None: it runs."""
        assert self._process is not None
        return self._process.poll()

    def __enter__(self) -> Self:
        """Start it; returns once it listens."""
        write_application(self._places, self._plan, 1)
        environment = {name: value for name, value in os.environ.items() if "ROOMHOST" not in name}
        environment |= {
            "ROOMHOST_API_KEYS": API_KEY,
            "ROOMHOST_IDLE_EVICTION_SECONDS": str(limits.IDLE_EVICTION_SECONDS),
            "ROOMHOST_LOG_FORMAT": "json",
        }
        command = [str(COMMAND), "serve", APPLICATION, "--port", "0"]
        with self._places.host_log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--data-dir", str(self._places.state.absolute())],
                cwd=self._places.application,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                preexec_fn=end_with_parent,
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        ready = READY.match(line)
        if ready is None:
            self._process.kill()
            self._process.wait()
            raise RuntimeError(
                f"the host did not start: {self._places.host_log.read_text()[-500:]}"
            )

        self.port = int(ready["port"])
        return self

    def stop(self) -> int:
        """SIGTERM; the exit status, -9 where it had to be killed."""
        assert self._process is not None
        self._process.terminate()
        try:
            return self._process.wait(limits.STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def __exit__(self, *exception: object) -> None:
        assert self._process is not None
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
