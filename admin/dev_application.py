"""An application as `roomhost dev` serves it: what a handler raises is shown, in the terminal and as the
answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..runtime.asgi import ERROR_EXTENSION, deny, refuse, send_response
from .dev_failure import failure_of
from .dev_page import failure_response

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..runtime import Host, Response
    from ..runtime.application import Application, ASGIApp, Message, Receive, Scope, Send
    from .dev_failure import Failure
    from .dev_sources import Sources

    Report = Callable[[str, Failure], object]

INTERNAL_ERROR = 1011  # of a WebSocket that the server cannot go on with (RFC 6455, 7.4.1)


class DevApplication:
    """Everything is the application's, but what answers requests.

    `report(what, failure)` is called with what failed, `GET /path` say. `lifespan_error`: what the
    lifespan of `main` has raised.
    """

    def __init__(
        self, app: Application, roots: Sequence[str], sources: Sources, report: Report
    ) -> None:
        self._app = app
        self._roots = roots
        self._sources = sources
        self._report = report
        self.lifespan_error: Exception | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._app, name)

    def asgi_for(self, host: Host) -> ASGIApp:
        """The application's answers, and the pages about what it raises."""
        inner = self._app.asgi_for(host)

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "lifespan":
                await self._lifespan(inner, scope, receive, send)
                return

            broken = self._sources.broken()
            if broken is not None:
                failure = failure_of(broken, self._roots)
                response = failure_response(failure, scope["headers"], running=False)
                await refuse(scope, receive, send, response)
            else:
                await self._answer(inner, scope, receive, send)

        return answer

    async def _lifespan(self, inner: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        refused = False

        async def send_noted(message: Message) -> None:
            nonlocal refused
            if message["type"] == "lifespan.startup.failed":
                refused = True
                message = {**message, "message": ""}  # the error says it, and is shown
            await send(message)

        try:
            await inner(scope, receive, send_noted)
        except Exception as error:
            if not refused:
                raise

            self.lifespan_error = error

    async def _answer(self, inner: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        def shown(error: Exception) -> Response:
            failure = failure_of(error, self._roots)
            self._report(f"{scope.get('method', 'WebSocket')} {scope['path']}", failure)
            return failure_response(failure, scope["headers"], running=True)

        extensions: dict[str, Any] = {**(scope.get("extensions") or {}), ERROR_EXTENSION: shown}
        held = HeldAnswer(send)
        try:
            await inner({**scope, "extensions": extensions}, receive, held.send)
        except Exception as error:
            if scope["type"] == "websocket":
                await _end_socket(scope, send, shown(error), accepted=held.sent)
            elif held.sent:
                raise  # the server closes the connection, and says why
            else:
                await send_response(send, shown(error))
        else:
            await held.release()


async def _end_socket(scope: Scope, send: Send, response: Response, *, accepted: bool) -> None:
    if accepted:
        await send({"type": "websocket.close", "code": INTERNAL_ERROR})
    else:
        await deny(scope, send, response)


class HeldAnswer:
    """Holds back an answer 500 until it is known whether an exception follows: frameworks answer
    first, and raise then."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._held: list[Message] = []
        self.sent = False

    async def send(self, message: Message) -> None:
        """Send a message of ASGI, or keep it."""
        if message["type"] == "http.response.start" and message["status"] == 500:
            self._held.append(message)
        elif self._held and not message.get("more_body", False):
            self._held.append(message)
        else:
            await self.release()
            self.sent = True
            await self._send(message)

    async def release(self) -> None:
        """Send what is kept."""
        held, self._held = self._held, []
        for message in held:
            self.sent = True
            await self._send(message)
