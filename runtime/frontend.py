"""What answers the requests of one application, from its start to its end.

A deploy puts another one in its place: what came before is answered by this one to the end, and its
lifespan ends after that.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import anyio

from . import limits
from .errors import HostError

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from .application import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger("roomhost.runtime")


class Frontend:
    """An ASGI application and its lifespan, if it has one. `state`: what that made for requests; None:
    the server keeps it."""

    def __init__(self, app: ASGIApp) -> None:
        self.state: dict[str, Any] | None = None
        self._app = app
        self._lifespan: Lifespan | None = None
        self._in_flight = 0  # HTTP requests; a WebSocket may last for ever
        self._quiet: anyio.Event | None = None  # set when none is

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        self._in_flight += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._in_flight -= 1
            if self._quiet is not None and not self._in_flight:
                self._quiet.set()

    def lifespan(self, scope: Scope, *, own_state: bool) -> Lifespan:
        """Its lifespan, to be started. `own_state`: the server does not know of it."""
        if own_state:
            self.state = {}
            scope = {**scope, "state": self.state}
        self._lifespan = Lifespan(self._app, scope)
        return self._lifespan

    async def stop(self) -> Message | None:
        """End its lifespan; what it says then, if it fails."""
        lifespan, self._lifespan = self._lifespan, None
        return None if lifespan is None else await lifespan.stop()

    async def retire(self) -> None:
        """Another one answers what comes: end the lifespan when the requests in flight have ended, or
        have taken too long."""
        if self._in_flight:
            self._quiet = anyio.Event()
            with anyio.move_on_after(limits.DEPLOY_SECONDS):
                await self._quiet.wait()
        failed = await self.stop()
        if failed is not None:
            logger.error("the lifespan of the older code failed: %s", failed.get("message", ""))


class Lifespan:
    """One run of an application's lifespan, in one task. `failed`: what it said when it did not start;
    `error`: what it raised then."""

    def __init__(self, app: ASGIApp, scope: Scope) -> None:
        self.started = anyio.Event()
        self.failed: Message | None = None
        self.error: Exception | None = None
        self._app = app
        self._scope = scope
        self._stopping = anyio.Event()
        self._ended = anyio.Event()
        self._said = False
        self._asked = False  # for the startup
        self._stop_failed: Message | None = None

    async def start(self, group: TaskGroup) -> None:
        """Run it in a task of `group`, and return when it has started, or failed to."""
        group.start_soon(self._run)
        await self.started.wait()

    async def _run(self) -> None:
        try:
            await self._app(self._scope, self._receive, self._send)
        except Exception as error:
            self._raised(error)
        finally:
            self.started.set()
            self._ended.set()

    async def stop(self) -> Message | None:
        """Have it end, and return when it has; what it says if it fails."""
        self._stopping.set()
        await self._ended.wait()
        return self._stop_failed

    def check(self, what: str) -> None:
        """HostError: it has not started."""
        if self.failed is not None:
            text = str(self.failed.get("message", "")).strip().rpartition("\n")[2]
            raise HostError(f"{what} did not start: {self.error or text}") from self.error

    def _raised(self, error: Exception) -> None:
        # As servers do: an application that raises before it answers does not support lifespans.
        if self.failed is not None:
            self.error = error
        elif self._said and self._stop_failed is None:
            self._stop_failed = {"type": "lifespan.shutdown.failed", "message": str(error)}
            logger.error("a lifespan failed", exc_info=error)

    async def _receive(self) -> Message:
        if not self._asked:
            self._asked = True
            return {"type": "lifespan.startup"}

        await self._stopping.wait()
        return {"type": "lifespan.shutdown"}

    async def _send(self, message: Message) -> None:
        self._said = True
        match message["type"]:
            case "lifespan.startup.failed":
                # Started is set when it has returned, with what it raises.
                self.failed = message
            case "lifespan.startup.complete":
                self.started.set()
            case "lifespan.shutdown.failed":
                self._stop_failed = message
            case _:
                pass
