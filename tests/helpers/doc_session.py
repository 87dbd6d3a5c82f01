"""A page as one session: its files in one directory, its commands one after the other, its host running.

What a page shows as 127.0.0.1:8787 has a free port here: what is run names the real one, and what is
printed is read as if it were the page's. Commands that would change the machine, as `systemctl`, have
a stand-in that checks what they name.
"""

from __future__ import annotations

import os
import re
import subprocess
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from .doc_checks import CHECKS
from .doc_console import Step, begins, matches, plain, read_steps
from .doc_node import run_node
from .doc_page import Block, BlockError
from .doc_python import Names, importing_from, run_module, run_snippet
from .doc_server import DocServer, deadline
from .doc_stand_ins import stand_in

DEFAULT_PORT = "8787"
UVICORN_PORT = "8000"
COMMAND_SECONDS = 60
PORT_FLAG = re.compile(r"(--port[ =])(\d+)")
LANGUAGES = ("python", "js", "console", *CHECKS)


class DocSession:
    """Runs the blocks of one page in order. `path`: where `roomhost` is, and the Python it belongs to.
    `wheel`: what `pip install roomhost` installs there; Python files run there too, then."""

    def __init__(self, directory: Path, path: Path, *, wheel: Path | None = None) -> None:
        self.directory = directory
        self.ran: list[Block] = []
        self._wheel = wheel
        self._environment = environment_of(path, directory)
        self._stack = ExitStack()
        self._names: Names = {"__name__": "page"}
        self._server: DocServer | None = None
        self._shown_port = DEFAULT_PORT

    def __enter__(self) -> Self:
        self._stack.enter_context(importing_from(self.directory))
        # As on a terminal, where curl shows no progress.
        self._write(".curlrc", "silent\nshow-error\n")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop_server()
        self._stack.close()

    def run(self, block: Block) -> None:
        """Run one block. BlockError: it is not what the page says, or of a language nobody runs."""
        if block.language not in LANGUAGES:
            raise BlockError(block, f"{block.language or 'no language'} is not one that runs here")

        wanted, failure = block.options.get("error"), None
        try:
            self._run(block)
        except BlockError:
            raise
        except Exception as error:
            failure = error
        name = None if failure is None else type(failure).__name__
        if name != wanted:
            message = f"{name}: {failure}" if name else f"it should fail with {wanted}"
            raise BlockError(block, message) from failure

        self.ran.append(block)

    def _run(self, block: Block) -> None:
        if block.title is not None:
            self._write(block.title, self._real(block.text))
        match block.language:
            case "console":
                for step in read_steps(block.text):
                    self._run_step(block, step)
            case "js":
                run_node(self._real(block.text), self.directory, self.url)
            case "python":
                self._run_python(block)
            case language:
                CHECKS[language](block, self.directory)

    def _run_python(self, block: Block) -> None:
        if block.title is None:
            # As many lines ahead of it as on the page: tracebacks name the page's lines.
            source = "\n" * block.line + self._real(block.text)
            run_snippet(source, block.page, self._names)
        elif self._wheel is not None:
            self._command(block, f"python -c 'import {Path(block.title).stem}'", "")
        else:
            run_module(Path(block.title).stem, self.directory)

    def _write(self, title: str, text: str) -> None:
        path = self.directory / (title if not title.startswith("/") else Path(title).name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def _run_step(self, block: Block, step: Step) -> None:
        if step.command is None:
            self._await_output(block, step.expected)
            self._interrupt(block, step)
        elif step.serves:
            self._serve(block, step)
        elif step.command.startswith("pip ") and self._wheel is not None:
            self._install(block, step.command, self._wheel)
        elif not stand_in(step.command, self.directory):
            self._command(block, self._real(step.command), step.expected)

    def _install(self, block: Block, command: str, wheel: Path) -> None:
        """Run pip, for which `roomhost` is the wheel; what it prints nobody promises."""
        constraint = self.directory.parent / "constraint.txt"
        constraint.write_text(f"roomhost @ {wheel.as_uri()}\n")
        self._environment |= {"PIP_CONSTRAINT": str(constraint), "PIP_QUIET": "1"}
        self._command(block, command, "...")

    def _command(self, block: Block, command: str, expected: str) -> None:
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=self.directory,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=COMMAND_SECONDS,
        )
        output = self._as_shown(done.stdout.decode(errors="replace"))
        self._check_status(block, command, done.returncode, output)
        if not matches(expected, output):
            raise BlockError(block, f"{command} prints\n{plain(output)}")

    def _check_status(self, block: Block, command: str, status: int, output: str) -> None:
        if status != int(block.options.get("exit", "0")):
            raise BlockError(block, f"{command} exits {status}:\n{output}")

    def _serve(self, block: Block, step: Step) -> None:
        assert step.command is not None
        self._stop_server()
        flag = PORT_FLAG.search(step.command)
        usual = UVICORN_PORT if step.command.startswith("uvicorn") else DEFAULT_PORT
        self._shown_port = flag[2] if flag else usual
        command = PORT_FLAG.sub(r"\g<1>0", step.command)
        self._server = DocServer(command, self.directory, self._environment)
        self._await_output(block, step.expected)
        self._interrupt(block, step)

    def _interrupt(self, block: Block, step: Step) -> None:
        if step.interrupted is not None and self._server is not None:
            status = self._server.interrupt()
            output = self._as_shown(self._server.output)
            self._check_status(block, "Ctrl-C", status, output)
            if not matches(step.interrupted, output):
                raise BlockError(block, f"after Ctrl-C it prints\n{plain(output)}")

    def _await_output(self, block: Block, expected: str) -> None:
        server = self._server
        if server is None:
            raise BlockError(block, "output of a host, and none runs")

        until = deadline()
        while server.port is None or not begins(expected, self._as_shown(server.output)):
            if not server.read(until):
                raise BlockError(block, f"the host prints\n{plain(self._as_shown(server.output))}")

        server.taken()

    def _stop_server(self) -> None:
        if self._server is not None:
            self._server.stop()
            self._server = None

    @property
    def url(self) -> str | None:
        """Where the host of the page really is, while one runs."""
        port = None if self._server is None else self._server.port
        return None if port is None else f"http://127.0.0.1:{port}"

    def _real(self, text: str) -> str:
        port = None if self._server is None else self._server.port
        return text if port is None else text.replace(f":{self._shown_port}", f":{port}")

    def _as_shown(self, text: str) -> str:
        port = None if self._server is None else self._server.port
        return text if port is None else text.replace(f":{port}", f":{self._shown_port}")


def environment_of(path: Path, directory: Path) -> dict[str, str]:
    """What commands of a page run in: `roomhost` on the PATH, a free port, data in the page's own
    directory, whatever a `roomhost.toml` of the page says, and instances that stay in memory."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ROOMHOST")}
    return kept | {
        "PATH": f"{path}{os.pathsep}{os.environ['PATH']}",
        "ROOMHOST_DATA_DIR": "state",
        "ROOMHOST_PORT": "0",
        "ROOMHOST_IDLE_EVICTION_SECONDS": "600",
        "UVICORN_PORT": "0",
        "CURL_HOME": str(directory),
        "COLUMNS": "100",
        "NO_COLOR": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
