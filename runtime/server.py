"""The host process: an application served by uvicorn until a signal, then drained."""

from __future__ import annotations

import gc
import logging
import socket
import sys
from typing import TYPE_CHECKING

from .bounded_server import BACKLOG, BoundedServer
from .errors import HostError
from .exposure import exposures
from .host import Host
from .local_server import local_server
from .logs import configure
from .tls import scheme_of, tls_context

if TYPE_CHECKING:
    from collections.abc import Callable

    from .application import Application
    from .settings import HostSettings

logger = logging.getLogger("roomhost.runtime")

# The threads of the commit log wait this long for the interpreter when the loop is busy, and so does every
# write. With 64 callers in memory beside 64 that write, the slowest hundredth of the writes takes 20 to
# 40 ms instead of 200 at the interpreter's own 5 ms, and three times as many are written; the calls in
# memory pay with half of their rate, as much as the writes then take.
SWITCH_SECONDS = 0.0001
# Objects made beyond those freed, until the collector looks at what is young. Hardly anything of a host
# waits for it, and what stays in memory is not garbage: at the interpreter's own 700, looking through it
# again and again is half of what an alarm costs when 30,000 objects wake (134 µs instead of 70).
YOUNG_OBJECTS = 50_000


class Server(BoundedServer):
    """The server of a host. `listening()` is called once it listens."""

    def __init__(
        self, host: Host, listening: Callable[[], object], *, relieved: bool = False
    ) -> None:
        super().__init__(host.asgi, host.settings, relieved=relieved, intake=host.intake)
        self._host = host
        self._listening = listening

    def listens(self, sockets: list[socket.socket]) -> None:
        for listening in sockets:
            name, port = listening.getsockname()[:2]
            self._host.location.listens(name, port, scheme_of(self._host.settings))
        self._listening()

    def refuse(self) -> None:
        self._host.refuse()


async def serve(
    app: Application,
    settings: HostSettings,
    started: Callable[[str], object],
    inherited: socket.socket | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT; then refuse what comes, end what is in flight, close sockets
    with 1012, and return with everything on disk. `started(url)` is called once it listens. The admin
    API is served at the socket in the data directory too. `inherited`: listen there; whoever handed it
    over holds it open, and what comes after the signal waits there instead of being refused.

    The process is taken to be the host's: see `own_process`, and its logging is configured.

    DataDirectoryError, HostError: the data directory, the address or the application cannot be used.
    """
    own_process()
    configure(settings)
    tls_context(settings)  # what is wrong with the files is told before anything is opened
    for line in exposures(settings):
        logger.warning(line)
    with inherited or listen(settings) as listening:
        url = listening_url(settings, listening)
        async with (
            Host(app, settings=settings, refuse_orphans=True) as host,
            local_server(host),
        ):
            server = Server(host, lambda: started(url), relieved=inherited is not None)
            await server.serve(sockets=[listening])
            if not server.started:
                raise HostError("the application did not start: its lifespan failed (see above)")


def listening_url(settings: HostSettings, listening: socket.socket) -> str:
    """The URL of the address that a socket listens on."""
    name, port = listening.getsockname()[:2]
    return f"{scheme_of(settings)}://{f'[{name}]' if ':' in name else name}:{port}"


def own_process() -> None:
    """Set up the interpreter of a process that is a host's alone: how its threads are switched, and
    when garbage is looked for."""
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.set_threshold(YOUNG_OBJECTS)


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
