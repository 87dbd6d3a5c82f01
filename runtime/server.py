"""The host process: an application served by uvicorn until a signal, then drained."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from . import limits
from .connection import ABORT_EXTENSION
from .errors import HostError
from .host import Host
from .remote_server import DRAIN_EXTENSION

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from .application import Application
    from .settings import HostSettings

BACKLOG = 2_048  # connections not yet accepted
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's protocol, whose connections can also be dropped without a close frame: that is how
    a client sees 1006 when its object was reset (semantics.md 3.4). One that carries calls from
    another process is asked to drain when the server stops, before it is closed."""

    _drain: Callable[[], None] | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._transport_to_abort = transport

    async def run_asgi(self) -> None:
        extensions: dict[str, Any] = self.scope.setdefault("extensions", {})
        extensions[ABORT_EXTENSION] = self._transport_to_abort.abort
        extensions[DRAIN_EXTENSION] = self._drain_with
        await super().run_asgi()

    async def send(self, message: Any) -> None:
        await super().send(message)
        if self.initial_response is not None and self.close_sent:
            # The refusal is complete, which uvicorn would log as an error of the application.
            self.handshake_complete = True

    def shutdown(self) -> None:
        drain, self._drain = self._drain, None
        if drain is None or self.close_sent or self.disconnected:
            super().shutdown()
        else:
            drain()

    def _drain_with(self, drain: Callable[[], None]) -> None:
        self._drain = drain


class Server(uvicorn.Server):
    """uvicorn's server, without its signal handling: a drained stop is a success, not a signal."""

    def __init__(self, host: Host, listening: Callable[[], object]) -> None:
        super().__init__(server_config(host))
        self._host = host
        self._listening = listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._listening()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self._stop)
        try:
            yield
        finally:
            for number in SIGNALS:
                loop.remove_signal_handler(number)

    def _stop(self) -> None:
        self._host.refuse()
        # A second signal does not wait for connections that will not end.
        self.force_exit = self.should_exit
        self.should_exit = True


async def serve(app: Application, settings: HostSettings, started: Callable[[str], object]) -> None:
    """Serve until SIGTERM or SIGINT; then refuse what comes, end what is in flight, close sockets
    with 1012, and return with everything on disk. `started(url)` is called once it listens.

    DataDirectoryError, HostError: the data directory, the address or the application cannot be used.
    """
    with listen(settings) as listening:
        name, port = listening.getsockname()[:2]
        url = f"http://{f'[{name}]' if ':' in name else name}:{port}"
        async with Host(app, settings=settings) as host:
            server = Server(host, lambda: started(url))
            await server.serve(sockets=[listening])
            if not server.started:
                raise HostError("the application did not start: its lifespan failed (see above)")


def listen(settings: HostSettings) -> socket.socket:
    """The socket to serve on. HostError: the address is taken, or not this machine's."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        return socket.create_server((settings.host, settings.port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise HostError(
            f"cannot listen on {settings.host}:{settings.port}: {error.strerror or error}; "
            "name another --host or --port"
        ) from error


def server_config(host: Host) -> uvicorn.Config:
    """How uvicorn serves a host."""
    return uvicorn.Config(
        host.asgi,
        http="httptools",
        ws=WebSocketProtocol,
        lifespan="auto",
        log_level="warning",
        ws_max_size=limits.MAX_MESSAGE_BYTES,
        # Bounded memory for each connection comes before bandwidth.
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=int(limits.DRAIN_SECONDS),
        server_header=False,
    )
