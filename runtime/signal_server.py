"""uvicorn's server with signals as a host takes them: a drained stop is a success, not a signal."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import TYPE_CHECKING

import uvicorn

if TYPE_CHECKING:
    from collections.abc import Generator

SIGNALS = (signal.SIGINT, signal.SIGTERM)
ACCEPTED_SECONDS = 0.05  # that a connection accepted last gets to say what it asks for


class SignalServer(uvicorn.Server):
    """Serves until SIGTERM or SIGINT; a second one does not wait for what is in flight.

    `relieved`: another process holds the listening socket open, and goes on with it. Then what is not
    accepted when the signal comes waits there, and what is gets its answer before anything is
    refused. It is that process that sends SIGTERM: Ctrl-C, which reaches both, is left to it.
    """

    def __init__(self, config: uvicorn.Config, *, relieved: bool = False) -> None:
        super().__init__(config)
        self._relieved = relieved
        self._signals = (signal.SIGTERM,) if relieved else SIGNALS

    def refuse(self) -> None:
        """The server is about to stop: refuse what comes from now on."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        loop = asyncio.get_running_loop()
        for number in self._signals:
            loop.add_signal_handler(number, self._signalled)
        try:
            yield
        finally:
            for number in self._signals:
                loop.remove_signal_handler(number)

    def _signalled(self) -> None:
        if self._relieved and not self.should_exit:
            for server in self.servers:
                server.close()
            asyncio.get_running_loop().call_later(ACCEPTED_SECONDS, self._stop)
        else:
            self._stop()

    def _stop(self) -> None:
        self.refuse()
        # A second signal does not wait for connections that will not end.
        self.force_exit = self.should_exit
        self.should_exit = True
