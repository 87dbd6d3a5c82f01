"""`roomhost dev` in a child process, as somebody at a terminal has it: files that are edited, lines that
are read."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

from .host_process import COMMAND

SOURCE = '''"""An application that is worked on."""

import os

from roomhost.bindings import App
from roomhost.runtime import AlarmInfo, DurableObject, Request, Response, WebSocketPair

ANSWER = "one"


class Counter(DurableObject):
    """Counts, and does what its path says."""

    async def fetch(self, request: Request) -> Response:
        """The answer and the count."""
        action = request.url.path.rsplit("/", 1)[-1]
        if request.is_upgrade:
            pair = WebSocketPair()
            self.ctx.accept_web_socket(pair.server)
            return Response(status=101, web_socket=pair.client)
        if action == "fail":
            raise ValueError("<told to>")
        if action == "die":
            os._exit(3)
        if action == "alarm":
            await self.ctx.storage.set_alarm(4_000_000_000_000)
        n = await self.ctx.storage.get("n", 0) + 1
        await self.ctx.storage.put("n", n)
        return Response(f"{ANSWER} {n} {await self.ctx.storage.get_alarm()}")

    async def alarm(self, info: AlarmInfo) -> None:
        """Not in this century."""


app = App(name="demo", bindings={"COUNTER": Counter})
'''


class DevSession:
    """`roomhost dev demo:app` in a directory that holds `demo.py`; a context that kills what runs."""

    def __init__(self, directory: Path, *arguments: str) -> None:
        self.directory = directory
        self.source = directory / "demo.py"
        self.source.write_text(SOURCE)
        self.url = ""
        self._arguments = arguments
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> Self:
        """Start it, on a free port."""
        self._process = subprocess.Popen(
            [str(COMMAND), "dev", "demo:app", "--port", "0", *self._arguments],
            cwd=self.directory,
            env={name: value for name, value in os.environ.items() if "ROOMHOST" not in name},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        return self

    def until(self, pattern: str) -> str:
        """Read what it prints up to a line that a pattern is found in; all of that."""
        assert self._process is not None
        assert self._process.stdout is not None
        printed = ""
        for line in self._process.stdout:
            printed += line
            if re.search(pattern, line):
                return printed

        raise AssertionError(f"it ended without {pattern!r}, and said:\n{printed}")

    def edit(self, old: str, new: str) -> None:
        """Change the source, as an editor that replaces the file does."""
        draft = self.directory / ".demo.py.swp"
        draft.write_text(self.source.read_text().replace(old, new))
        draft.replace(self.source)

    def stop(self, number: signal.Signals, *, group: bool = False) -> tuple[int, str]:
        """Send a signal, to all of its processes as a terminal does, or to the outer one; its exit
        status, and what it printed until then."""
        process, self._process = self._process, None
        assert process is not None
        (os.killpg if group else os.kill)(process.pid, number)
        # Read to the end: no process of it holds the pipe any more.
        printed, _ = process.communicate(timeout=30)
        return process.returncode, printed

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._process is not None:
            self.stop(signal.SIGKILL, group=True)
