"""The host as an ASGI 3 application: HTTP requests and WebSockets become events of objects."""

from __future__ import annotations

import logging
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import anyio
from starlette.datastructures import Headers

from ..storage import StorageError
from . import limits
from .connection import Connection
from .direct_connection import DirectConnection, direct_link
from .errors import DurableObjectError
from .exposure import is_loopback
from .forwarded import as_seen_by_proxies
from .frontend import Frontend
from .host_routes import HostRoutes
from .http import GONE_EXTENSION, Request, Response, has_header
from .intake import Reason
from .own_names import OwnNames
from .problems import problem
from .proxies import parse_network
from .remote_server import RemoteCalls, is_remote, path_of
from .safe_headers import SAFE_HEADERS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from anyio.abc import TaskGroup

    from .application import ASGIApp, Message, Receive, Scope, Send
    from .host import Host

    Fetch = Callable[[Request], Awaitable[Response]]

logger = logging.getLogger("roomhost.runtime")

HTTP_SCHEMES = {"ws": "http", "wss": "https"}
READY = "/readyz"
HEALTH = ("/healthz", READY)
METRICS = "/metrics"
STORAGE_FAILS = "storage cannot take what is written: try again later"
WRONG_HOST = (
    "this host listens on its own machine alone, which has another name than the one that was asked "
    "for: ask for localhost, or set public_url to the URL with that name"
)
ERROR_EXTENSION = "roomhost.error"  # what answers for an exception, in the place of a bare 500


class HostASGI:
    """Answers `/healthz`, `/readyz` and `/metrics`, calls from other processes under `/_rpc/`, what is
    installed as routes of the host (`HostRoutes`), and hands everything else to the application.

    `request.state.env` of every request is the host's `env`. The host is running already: a
    lifespan is the application's, and that of the one that a deploy puts in its place.
    """

    def __init__(self, host: Host, inner: ASGIApp) -> None:
        self._host = host
        self._front = Frontend(inner)
        self._lifespans: TaskGroup | None = None  # while a server runs one
        self._lifespan_scope: Scope = {}
        self._remote = RemoteCalls(host)
        self._routes = HostRoutes(host)
        self._probes = frozenset((*HEALTH, METRICS) if host.settings.metrics else HEALTH)
        self._proxies = [parse_network(text) for text in host.settings.trusted_proxies]
        # Who listens elsewhere is reached by names that it cannot know.
        self._names = OwnNames(host.settings) if is_loopback(host.settings.host) else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
            return

        if self._names is not None and not self._names.are_asked_for(scope):
            self._host.intake.count(Reason.WRONG_HOST)
            await refuse(scope, receive, send, problem(421, "misdirected_request", WRONG_HOST))
            return

        if self._proxies:
            scope = as_seen_by_proxies(scope, self._proxies)
        self._host.location.saw(scope)
        path = path_of(scope)
        if path in self._probes and scope["type"] == "http":
            await send_response(send, await self._probe(path, scope))
            return

        if path.startswith("/_") and await self._own(scope, receive, send):
            return

        front = self._front
        state = dict((scope.get("state") if front.state is None else front.state) or {})
        state["env"] = self._host.env
        await front({**scope, "state": state}, receive, send)

    async def started(self, inner: ASGIApp) -> Frontend:
        """What may take the place of the application: its lifespan has started, if a server runs one.
        HostError: it did not start."""
        front = Frontend(inner)
        if self._lifespans is not None:
            lifespan = front.lifespan(self._lifespan_scope, own_state=True)
            await lifespan.start(self._lifespans)
            lifespan.check("the application")
        return front

    def replace(self, front: Frontend) -> None:
        """Have what comes answered by another application. What is in flight ends with the one before,
        whose lifespan ends then."""
        before, self._front = self._front, front
        if self._lifespans is not None:
            self._lifespans.start_soon(before.retire)

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()  # lifespan.startup
        lifespan = self._front.lifespan(scope, own_state=False)
        failed: Message | None = None
        async with anyio.create_task_group() as group:
            await lifespan.start(group)
            if lifespan.failed is None:
                self._lifespans, self._lifespan_scope = group, scope
                await send({"type": "lifespan.startup.complete"})
                await receive()  # lifespan.shutdown
                self._lifespans = None
                failed = await self._front.stop()
        if lifespan.failed is None:
            await send(failed or {"type": "lifespan.shutdown.complete"})
            return

        await send(lifespan.failed)
        if lifespan.error is not None:
            raise lifespan.error

    async def _own(self, scope: Scope, receive: Receive, send: Send) -> bool:
        """Answer what a part of the host does; whether one has."""
        if is_remote(scope):
            refusal = await self._remote(scope, receive, send)
            if refusal is not None:
                await refuse(scope, receive, send, refusal)
            return True

        answer = self._routes.find(scope)
        if answer is not None:
            await answer(scope, receive, send)
        return answer is not None

    async def _probe(self, path: str, scope: Scope) -> Response:
        if path == READY and self._host.engine.refusal is not None:
            headers = {"retry-after": "1", **SAFE_HEADERS}
            return Response("the host is stopping\n", status=503, headers=headers)

        if path != METRICS:
            broken = self._host.engine.partition.broken
            if broken is None:
                return Response("ok", headers=SAFE_HEADERS)

            # Neither ready nor healthy: nothing but a restart helps, and who looks may do that.
            return Response(f"{broken}\n", status=503, headers=SAFE_HEADERS)

        # Imported when it is first asked for: a host that nobody watches does without.
        from .metrics import metrics_response

        accept = dict(scope["headers"]).get(b"accept", b"").decode("latin-1")
        try:
            return await metrics_response(self._host, accept)
        except StorageError as error:
            return Response(f"{error}\n", status=503)


async def serve_fetch(scope: Scope, receive: Receive, send: Send, fetch: Fetch) -> None:
    """Answer one ASGI connection, HTTP or WebSocket, by `fetch`: a stub's, or an actor's way to it.

    Errors become responses: 503 when the call may be made again, else 500 without details.
    """
    if scope["type"] == "websocket":
        await receive()  # websocket.connect
    try:
        response = await fetch(request_of(scope, receive))
    except Exception as error:
        response = error_response(error, scope)
    if scope["type"] != "websocket":
        if response.web_socket is not None:
            response.web_socket.accept()
            response.web_socket.terminate()
            response = Response("this path is a WebSocket: ask for an upgrade\n", status=426)
        if response.buffered is None:
            await send_stream(scope, send, response)
        else:
            await send_response(send, response)
    elif response.web_socket is not None:
        link = direct_link(scope, receive, send)
        if link is None:
            await Connection(scope, receive, send, response).run()
        else:
            await DirectConnection(link, response).run()
    else:
        await deny(scope, send, response)


def request_of(scope: Scope, receive: Receive) -> Request:
    """The request of an ASGI scope, its body a stream. A WebSocket is a GET that asks for an upgrade."""
    raw = [(name, value) for name, value in scope["headers"]]
    url = url_of(scope, raw)
    if scope["type"] == "websocket":
        if not has_header(raw, b"upgrade"):
            raw.append((b"upgrade", b"websocket"))
        return Request(url, headers=Headers(raw=raw))

    body = body_of(receive) if has_body(raw) else None
    return Request(url, method=scope["method"], headers=Headers(raw=raw), body=body)


def url_of(scope: Scope, raw: Sequence[tuple[bytes, bytes]]) -> str:
    """The absolute URL of a request with these headers: the path as it was sent, the host as the
    client named it."""
    scheme = scope.get("scheme", "http")
    scheme = HTTP_SCHEMES.get(scheme, scheme)
    host = ""
    for name, value in raw:
        if name == b"host":
            host = value.decode("latin-1")
            break
    if not host:
        server = scope.get("server") or ("localhost", None)
        host = server[0] if server[1] is None else f"{server[0]}:{server[1]}"
    path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
    query = scope.get("query_string", b"").decode("latin-1")
    return f"{scheme}://{host}{path}{'?' + query if query else ''}"


def has_body(raw: Sequence[tuple[bytes, bytes]]) -> bool:
    """Whether a request with these headers has a body (RFC 9112, 6.3)."""
    named = dict(raw)
    return b"transfer-encoding" in named or named.get(b"content-length", b"0") != b"0"


async def body_of(receive: Receive) -> AsyncIterator[bytes]:
    """The chunks of a request's body. DurableObjectError: the client left, or it is too large."""
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            error = DurableObjectError("the client disconnected before its request body ended")
            error.retryable = True
            raise error

        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > limits.MAX_REQUEST_BYTES:
            raise DurableObjectError(f"a request body is at most {limits.MAX_REQUEST_BYTES} bytes")

        if chunk:
            yield chunk
        if not message.get("more_body", False):
            return


async def send_response(send: Send, response: Response) -> None:
    """Send a response, its body chunk by chunk when it is a stream."""
    content = response.buffered
    raw = response.headers.raw
    if content is not None and response.status != 204 and not has_header(raw, b"content-length"):
        raw.append((b"content-length", b"%d" % len(content)))
    await send({"type": "http.response.start", "status": response.status, "headers": raw})
    if content is None:
        async with aclosing(response.stream()) as chunks:
            async for chunk in chunks:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": content or b""})


async def send_stream(scope: Scope, send: Send, response: Response) -> None:
    """Send a response whose body is a stream, until that ends or the client has gone: then nothing
    produces it any more. Our own server tells; another one may let it go on for nobody."""
    extensions: dict[str, Any] = scope.get("extensions") or {}
    when_gone: Callable[[Callable[[], object] | None], None] | None
    when_gone = extensions.get(GONE_EXTENSION)
    if when_gone is None:
        await send_response(send, response)
        return

    with anyio.CancelScope() as leaving:
        when_gone(leaving.cancel)
        try:
            await send_response(send, response)
        finally:
            when_gone(None)


async def refuse(scope: Scope, receive: Receive, send: Send, response: Response) -> None:
    """Answer a request, or a WebSocket that has not been looked at, with a response."""
    if scope["type"] == "websocket":
        await receive()  # websocket.connect
        await deny(scope, send, response)
    else:
        await send_response(send, response)


async def deny(scope: Scope, send: Send, response: Response) -> None:
    """Refuse a WebSocket with an HTTP response, where the server can send one; else with 403."""
    if "websocket.http.response" not in (scope.get("extensions") or {}):
        await send({"type": "websocket.close"})
        return

    content = await response.body()
    response.headers["content-length"] = str(len(content))
    start: dict[str, Any] = {
        "type": "websocket.http.response.start",
        "status": response.status,
        "headers": response.headers.raw,
    }
    await send(start)
    await send({"type": "websocket.http.response.body", "body": content})


def error_response(error: Exception, scope: Scope) -> Response:
    """What a client sees of an error that no handler turned into a response."""
    headers = {"retry-after": "1", **SAFE_HEADERS}
    if getattr(error, "retryable", False) or getattr(error, "overloaded", False):
        return Response(f"{error}\n", status=503, headers=headers)

    if isinstance(error, StorageError):  # which is in the log already, once for all
        return Response(f"{STORAGE_FAILS}\n", status=503, headers=headers)

    extensions: dict[str, Any] = scope.get("extensions") or {}
    show: Callable[[Exception], Response] | None = extensions.get(ERROR_EXTENSION)
    if show is not None:
        return show(error)

    logger.error("a request failed", exc_info=error)
    return Response("Internal Server Error\n", status=500, headers=SAFE_HEADERS)
