"""The process that serves under `roomhost dev`: the application, or the page about why it cannot.

It is started with two file descriptors: the socket to the supervisor, and the one to listen on.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
import socket
import sys
import threading
from typing import TYPE_CHECKING, cast

from rich.console import Console

from ..runtime.commands import load_application
from ..runtime.event_loop import run
from ..runtime.server import serve
from ..storage import DataDirectoryError
from . import limits
from .dev_application import DevApplication
from .dev_failed import serve_failure
from .dev_failure import failure_of, only_one
from .dev_messages import Failed, Ready, Refused, Start, line_of, start_decoder
from .dev_places import printable
from .dev_settings import dev_settings, first_settings
from .dev_sources import Sources
from .dev_text import failure_text

if TYPE_CHECKING:
    from ..runtime.application import Application
    from .dev_failure import Failure
    from .dev_messages import Said


class Child:
    """One life of the process. `control`: the socket to the supervisor; `listening`: the descriptor
    of the socket to serve on, which stays open."""

    def __init__(self, control: socket.socket, listening: int) -> None:
        self._control = control
        self._listening = listening
        self._serves = False
        self._console = Console(stderr=True, soft_wrap=True)

    def run(self) -> int:
        """Serve what the supervisor says, until it says stop. The exit status."""
        start = read_start(self._control)
        threading.Thread(target=leave_with, args=(self._control,), daemon=True).start()
        failure = start.failure
        if failure is None:
            try:
                self._serve(start)
                return 0
            except BaseException as error:  # a module may call exit()
                if self._serves:
                    raise

                if start.first and isinstance(only_one(error), DataDirectoryError):
                    self._say(Refused(str(only_one(error))))
                    return 2

                failure = failure_of(error, start.roots)
        self._say(Failed(failure))
        run(serve_failure(failure, first_settings(start.flags), self._socket()))
        return 0

    def _serve(self, start: Start) -> None:
        """Serve the application. Any error: it cannot start, or cannot be stopped."""
        settings = dev_settings(start)
        app = load_application(start.application)
        sources = Sources(start.roots)
        sources.note()
        served = DevApplication(app, start.roots, sources, self._report)

        def started(url: str) -> None:
            self._serves = True
            self._say(Ready(app.name, url, settings.data_dir, settings.api_keys[0]))

        try:
            shown = cast("Application", served)
            run(serve(shown, settings, started, self._socket()))
        except BaseException:
            if served.lifespan_error is not None:
                raise served.lifespan_error from None
            raise

    def _socket(self) -> socket.socket:
        return socket.socket(fileno=os.dup(self._listening))

    def _say(self, message: Said) -> None:
        with contextlib.suppress(
            OSError
        ):  # the supervisor is gone, and this process is about to be
            self._control.sendall(line_of(message))

    def _report(self, what: str, failure: Failure) -> None:
        line = f"roomhost: {printable(what)} failed"
        self._console.print(line, style="red", markup=False, highlight=False)
        self._console.print(failure_text(failure))


def read_start(control: socket.socket) -> Start:
    """What the supervisor says first."""
    line = bytearray()
    while not line.endswith(b"\n"):
        data = control.recv(65_536)
        if not data or len(line) > limits.MAX_DEV_MESSAGE_BYTES:
            raise SystemExit("the supervisor says nothing that can be understood")

        line += data
    return start_decoder.decode(line)


def leave_with(control: socket.socket) -> None:
    """End as by a signal when the supervisor has ended, however it did."""
    with contextlib.suppress(OSError):
        control.recv(1)
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> None:
    """Run one child, with the descriptors of its sockets as arguments."""
    # Ctrl-C reaches the supervisor too, which says what to do. A debugger may still read the terminal.
    signal.signal(signal.SIGINT, lambda number, frame: None)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True)  # a process that is killed has said it all
    control, listening = (int(argument) for argument in sys.argv[1:])
    sys.exit(Child(socket.socket(fileno=control), listening).run())


if __name__ == "__main__":
    main()
