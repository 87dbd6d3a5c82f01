"""A host that is served in this process, on a real socket: for what is asked over the network."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from typing import Any

import anyio

from roomhost.runtime import Host
from roomhost.runtime.application import Application
from roomhost.runtime.server import Server, listen
from roomhost.runtime.settings import make_settings
from roomhost.runtime.testing import host_for
from roomhost.runtime.tls import scheme_of


class QuietServer(Server):
    """The server of `roomhost serve`, but the signals are the test runner's."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield

    def stop(self) -> None:
        """What SIGTERM does."""
        self._stop()


@asynccontextmanager
async def serving(host: Host, port: int = 0) -> AsyncGenerator[tuple[str, QuietServer]]:
    """Serve a running host; its URL, and the server, which is stopped at the end."""
    with listen(make_settings({"port": port})) as listening:
        url = f"{scheme_of(host.settings)}://127.0.0.1:{listening.getsockname()[1]}"
        started = anyio.Event()
        server = QuietServer(host, started.set)
        failed: Exception | None = None
        async with anyio.create_task_group() as group:
            group.start_soon(_serve, server, listening)
            await started.wait()
            try:
                yield url, server
            except Exception as error:  # raised outside of the group, which would wrap it
                failed = error
            finally:
                server.should_exit = True
    if failed is not None:
        raise failed


async def _serve(server: QuietServer, listening: socket.socket) -> None:
    # A server that is cancelled leaves its sockets open: it is told to stop, always.
    with anyio.CancelScope(shield=True):
        await server.serve([listening])


@asynccontextmanager
async def served(app: Application, **settings: Any) -> AsyncGenerator[tuple[str, Host]]:
    """A host for `app` with the API key "key", and its URL."""
    settings.setdefault("api_keys", ("key",))
    async with host_for(app, **settings) as host:
        async with serving(host) as (url, _):
            yield url, host
