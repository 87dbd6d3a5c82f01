"""The host process: an application served by uvicorn until a signal, then drained."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from . import limits
from .connection import ABORT_EXTENSION
from .host import Host

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .application import Application
    from .settings import HostSettings

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's protocol, whose connections can also be dropped without a close frame: that is how
    a client sees 1006 when its object was reset (semantics.md 3.4)."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._transport_to_abort = transport

    async def run_asgi(self) -> None:
        self.scope.setdefault("extensions", {})[ABORT_EXTENSION] = self._transport_to_abort.abort  # type: ignore[typeddict-unknown-key]
        await super().run_asgi()


class Server(uvicorn.Server):
    """uvicorn's server, without its signal handling: a drained stop is a success, not a signal."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            loop.add_signal_handler(number, self._stop)
        try:
            yield
        finally:
            for number in SIGNALS:
                loop.remove_signal_handler(number)

    def _stop(self) -> None:
        # A second signal does not wait for connections that will not end.
        self.force_exit = self.should_exit
        self.should_exit = True

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens, once it does."""
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        return host, port


async def serve(app: Application, settings: HostSettings, started: Callable[[str], object]) -> None:
    """Serve until SIGTERM or SIGINT; then refuse what comes, end what is in flight, close sockets
    with 1012, and return with everything on disk. `started(url)` is called once it listens.

    DataDirectoryError, HostError: the host cannot start. OSError: the address cannot be used.
    """
    async with Host(app, settings=settings) as host:
        config = uvicorn.Config(
            host.asgi,
            host=settings.host,
            port=settings.port,
            http="httptools",
            ws=WebSocketProtocol,
            lifespan="on",
            log_level="warning",
            ws_max_size=limits.MAX_MESSAGE_BYTES,
            ws_per_message_deflate=False,
            timeout_graceful_shutdown=int(limits.DRAIN_SECONDS),
            server_header=False,
        )
        server = Server(config)
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(server.serve())
            while not server.started and not serving.done():
                await asyncio.sleep(0.01)
            if server.started:
                name, port = server.address
                started(f"http://{name if ':' not in name else f'[{name}]'}:{port}")
