"""What listens on the local socket of a data directory: the admin API alone, without a key.

Who may open the socket may read the data anyway. Nothing that a client sends can make a request a
local one: it is the listener that says so, in the scope.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import uvicorn

from . import limits
from .asgi import refuse
from .backend import AsyncioBackend, current_backend
from .host_routes import HostRoutes
from .local_socket import listen_locally, remove_socket
from .problems import problem
from .remote_server import path_of

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncGenerator

    from .application import Receive, Scope, Send
    from .host import Host

LOCAL_EXTENSION = "roomhost.local"  # in the scope of a request that came in by the local socket
ADMIN_PREFIX = "/_admin/"

logger = logging.getLogger("roomhost.runtime")


def is_local(scope: Scope) -> bool:
    """Whether a request came in by the local socket."""
    return LOCAL_EXTENSION in (scope.get("extensions") or {})


class LocalASGI:
    """The requests of the local socket."""

    def __init__(self, host: Host) -> None:
        self._routes = HostRoutes(host)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = self._routes.find(scope) if path_of(scope).startswith(ADMIN_PREFIX) else None
        if answer is None:
            refusal = problem(404, "not_found", f"this socket serves {ADMIN_PREFIX} alone")
            await refuse(scope, receive, send, refusal)
            return

        extensions: dict[str, Any] = dict(scope.get("extensions") or {})
        extensions[LOCAL_EXTENSION] = {}
        await answer({**scope, "extensions": extensions}, receive, send)


class LocalConfig(uvicorn.Config):
    """uvicorn's, beside that of another server in this process, whose loggers are the same."""

    def configure_logging(self) -> None:
        """Leave them as they are."""


class LocalServer(uvicorn.Server):
    """uvicorn's server on one Unix socket, without a loop of its own: it is started and stopped."""

    async def start(self, listening: socket.socket) -> None:
        """Accept connections from now on."""
        config = self.config
        config.load()
        self.lifespan = config.lifespan_class(config)

        def protocol() -> asyncio.Protocol:
            make: Any = config.http_protocol_class
            made: asyncio.Protocol = make(
                config=config, server_state=self.server_state, app_state={}
            )
            return made

        loop = asyncio.get_running_loop()
        self.servers = [await loop.create_unix_server(protocol, sock=listening)]

    async def stop(self) -> None:
        """Let the requests in flight end, for a while."""
        await self.shutdown()


@asynccontextmanager
async def local_server(host: Host) -> AsyncGenerator[None]:
    """Serve the admin API of a running host at the socket in its data directory, until the host is
    about to stop: leaving the block begins that.

    Where the file system has no sockets the host does without, which is logged; on trio too, for which
    there is no such server.
    """
    directory = host.directory
    if not isinstance(current_backend(), AsyncioBackend):
        yield
        return

    try:
        listening = listen_locally(directory)
    except OSError as error:
        logger.warning("no local socket in %s, commands need --url: %s", directory, error)
        yield
        return

    server = LocalServer(local_config(host))
    try:
        await server.start(listening)
        try:
            yield
        finally:
            host.refuse()  # what would go on for ever ends now
            await server.stop()
    finally:
        listening.close()
        remove_socket(directory)


def local_config(host: Host) -> uvicorn.Config:
    """How uvicorn serves the local socket."""
    return LocalConfig(
        LocalASGI(host),
        http="httptools",
        ws="none",
        lifespan="off",
        timeout_graceful_shutdown=int(limits.DRAIN_SECONDS),
        proxy_headers=False,
        server_header=False,
    )
