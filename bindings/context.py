"""Which request is being answered here, and whose `env` is meant where nobody passes one on."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from ..runtime import HostError
from ..runtime.events import CURRENT
from ..runtime.running import running_hosts
from .env import Env

if TYPE_CHECKING:
    from collections.abc import Generator

    from ..runtime import Host
    from ..runtime.application import ASGIApp, Receive, Scope, Send
    from ..runtime.events import Event


@dataclass(frozen=True, slots=True)
class RequestContext:
    """A request, or a WebSocket, that `main` is answering: the `env`, the ASGI scope, the host.

    `frame` is the event of an object whose code sent it, if it came from one within the process.
    """

    env: Env
    scope: Scope
    host: Host
    frame: Event | None = None


REQUEST: ContextVar[RequestContext | None] = ContextVar("roomhost_request", default=None)


def current_request() -> RequestContext | None:
    """The request whose handler in `main` runs here, in a task or a thread of it too. None: this runs
    for no request; an object's code never does, even while a request waits for it."""
    request = REQUEST.get()
    return request if request is not None and request.frame is CURRENT.get() else None


def current_env() -> Env:
    """The `env` of the request that is being answered here; else of the object whose code runs; else
    of the only host that runs in this event loop, or in the process where no event loop is.

    HostError: none of them is there, or several hosts run.
    """
    request = current_request()
    if request is not None:
        return request.env

    event = CURRENT.get()
    if event is not None:
        return cast("Env", event.activation.actor_class.env)

    hosts = [host for host in running_hosts() if host.namespaces and isinstance(host.env, Env)]
    if len(hosts) == 1:
        return cast("Env", hosts[0].env)

    raise HostError(
        "several hosts run here: use the env of the one that is meant, host.env"
        if hosts
        else "no host runs here: use this inside `async with Host(app)`, in an actor, or in a "
        "route of the App's main"
    )


@contextmanager
def request_context(request: RequestContext | None) -> Generator[None]:
    """Make it the current request, or make that none, until the block ends."""
    token = REQUEST.set(request)
    try:
        yield
    finally:
        REQUEST.reset(token)


class InRequest:
    """`main` of a host's application, each request and WebSocket of it in its own context."""

    def __init__(self, host: Host, main: ASGIApp) -> None:
        self._host = host
        self._main = main

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._main(scope, receive, send)
            return

        with request_context(RequestContext(self._host.env, scope, self._host, CURRENT.get())):
            await self._main(scope, receive, send)
