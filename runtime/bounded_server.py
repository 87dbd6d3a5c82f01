"""uvicorn's server with what the settings say about connections: TLS, and the bounds of requests."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import uvicorn

from . import limits
from .descriptors import connection_limit
from .http_protocol import HttpProtocol
from .intake import Intake
from .request_limits import RequestLimits
from .server_protocol import WebSocketProtocol
from .signal_server import SignalServer
from .tls import tls_context
from .tls_server import Secured, TlsServer

if TYPE_CHECKING:
    import socket
    from ssl import SSLContext

    from .application import ASGIApp
    from .settings import HostSettings

BACKLOG = 2_048  # connections not yet accepted


class BoundedServer(SignalServer):
    """Serves an ASGI application on the sockets that it is given."""

    def __init__(
        self,
        app: ASGIApp,
        settings: HostSettings,
        *,
        relieved: bool = False,
        intake: Intake | None = None,
    ) -> None:
        self._intake = intake or Intake(settings.max_incoming_bytes)
        super().__init__(server_config(app, settings, self._intake), relieved=relieved)
        self._intake.connections = self.server_state.connections
        self._settings = settings
        asked = RequestLimits.of(settings)
        self._limits = asked._replace(connections=connection_limit(asked.connections))

    def listens(self, sockets: list[socket.socket]) -> None:
        """The application has started, and connections are accepted from now on."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application's lifespan, then listen. uvicorn's own has no word for the time and the
        number of TLS handshakes."""
        await self.lifespan.startup()
        if self.lifespan.should_exit:
            self.should_exit = True
            return

        context = tls_context(self._settings)
        self.servers = [await self._serve_on(listening, context) for listening in sockets or ()]
        self.started = True
        self.listens(sockets or [])

    async def _serve_on(self, listening: socket.socket, context: SSLContext | None) -> Any:
        if context is None:
            loop = asyncio.get_running_loop()
            return await loop.create_server(self.make_protocol, sock=listening, backlog=BACKLOG)

        listening.listen(BACKLOG)
        seconds = self._settings.ssl_handshake_timeout_seconds
        connections = self._limits.connections
        secured = Secured(context, seconds, self.make_protocol, connections, self._intake)
        return TlsServer(listening, secured)

    def make_protocol(self, loop: asyncio.AbstractEventLoop | None = None) -> asyncio.Protocol:
        """What serves one connection; `loop`: whose timers it takes, when they are not the loop's."""
        return HttpProtocol(
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
            limits=self._limits,
            intake=self._intake,
            _loop=loop,
        )


class ServerConfig(uvicorn.Config):
    """uvicorn's, with what all connections share: WebSockets, which uvicorn makes, are given no more."""

    intake: Intake


def server_config(app: ASGIApp, settings: HostSettings, intake: Intake) -> uvicorn.Config:
    """How uvicorn serves an application with these settings."""
    config = ServerConfig(
        app,
        http=HttpProtocol,
        ws=WebSocketProtocol,
        lifespan="auto",
        log_config=None,  # its lines go where all others go
        log_level="warning",
        access_log=False,  # it would be made for each request, though nothing below a warning is written
        ws_max_size=limits.MAX_MESSAGE_BYTES,
        # Bounded memory for each connection comes before bandwidth.
        ws_per_message_deflate=False,
        timeout_keep_alive=settings.keep_alive_timeout_seconds,
        timeout_graceful_shutdown=int(limits.DRAIN_SECONDS),
        # The peer stays the peer: `trusted_proxies` says whose word about a request counts, and the
        # address of a client in the place of the proxy's would hide who says it.
        proxy_headers=False,
        server_header=False,
    )
    config.intake = intake
    return config
