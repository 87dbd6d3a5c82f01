"""HTTP as an actor sees it: `Request` in, `Response` out, bodies that may stream.

The shapes are the Fetch API's (`status`, `web_socket`); headers and URLs are Starlette's types.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from starlette.datastructures import URL, Headers, MutableHeaders, QueryParams

if TYPE_CHECKING:
    from .web_socket import WebSocket

HeadersInit = Mapping[str, str] | Iterable[tuple[str, str]] | None
BodyInit = str | bytes | AsyncIterator[bytes] | None

# Of a request's scope, if the server tells: `(callback | None) -> None`, for when the client has gone.
GONE_EXTENSION = "roomhost.gone"
LINE_BREAK = re.compile(rb"[\r\n\0]")
TEXT = (b"content-type", b"text/plain; charset=utf-8")


class Body:
    """The body half of a request or a response: held in memory, or a stream that is read once."""

    def __init__(self, content: BodyInit) -> None:
        if content is None:
            content = b""
        elif isinstance(content, str):
            content = content.encode()
        elif not isinstance(content, bytes) and not hasattr(content, "__aiter__"):
            raise TypeError(
                f"a body is str, bytes or an async iterator of bytes, not {type(content).__name__}"
            )

        self._content: bytes | AsyncIterator[bytes] = content
        self._read = False

    @property
    def buffered(self) -> bytes | None:
        """The whole body if it is in memory already, None while it is a stream."""
        return self._content if isinstance(self._content, bytes) else None

    async def stream(self) -> AsyncGenerator[bytes]:
        """The body, chunk by chunk. RuntimeError: the stream was read before."""
        if isinstance(self._content, bytes):
            if self._content:
                yield self._content
            return

        if self._read:
            raise RuntimeError("the body is a stream and was read already")

        self._read = True
        try:
            async for chunk in self._content:
                yield chunk
        finally:
            # A reader that stops early ends whatever produces the body.
            close = getattr(self._content, "aclose", None)
            if close is not None:
                await close()

    async def body(self) -> bytes:
        """The whole body. It stays available: a second call returns the same bytes."""
        if not isinstance(self._content, bytes):
            self._content = b"".join([chunk async for chunk in self.stream()])
        return self._content

    def take_stream(self) -> AsyncIterator[bytes]:
        """The stream that the body is, to be wrapped. RuntimeError: it is in memory, or was read."""
        if isinstance(self._content, bytes) or self._read:
            raise RuntimeError("the body is no unread stream")

        return self._content

    def set_stream(self, content: AsyncIterator[bytes]) -> None:
        """Put a stream in the place of the one that `take_stream` returned."""
        self._content = content

    async def text(self) -> str:
        """The whole body as UTF-8; what is not UTF-8 becomes U+FFFD, as in the Fetch API."""
        return (await self.body()).decode(errors="replace")

    async def json(self) -> Any:
        """The whole body as JSON. ValueError: it is not."""
        return json.loads(await self.body())


class Request(Body):
    """What `fetch` of an actor, or of a stub, is called with.

    `url` must be absolute (semantics.md 2.3); only its path and query matter to most actors.
    TypeError: a relative URL. Headers and body are the caller's own copy.
    """

    def __init__(
        self,
        url: str | URL,
        *,
        method: str = "GET",
        headers: HeadersInit = None,
        body: BodyInit = None,
    ) -> None:
        parts = urlsplit(str(url))
        if not parts.scheme or not parts.netloc:
            raise TypeError(f"Invalid URL: {str(url)!r}; it must be absolute, as http://host/path")

        super().__init__(body)
        self.url = URL(str(url))
        self.method = method.upper()
        self.headers = Headers(raw=raw_headers(headers))

    @property
    def query_params(self) -> QueryParams:
        """The query of the URL, decoded."""
        return QueryParams(self.url.query)

    @property
    def is_upgrade(self) -> bool:
        """Whether the caller asks for a WebSocket."""
        return self.headers.get("upgrade", "").lower() == "websocket"

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.url}>"


class Response(Body):
    """What `fetch` returns. `Response(status=101, web_socket=pair.client)` accepts an upgrade.

    ValueError: a status outside 200 to 599, but 101 with a `web_socket`; 101 without one, or a
    `web_socket` with another status.
    """

    def __init__(
        self,
        body: BodyInit = None,
        *,
        status: int = 200,
        headers: HeadersInit = None,
        web_socket: WebSocket | None = None,
    ) -> None:
        if web_socket is not None and status != 101:
            raise ValueError("a response with a web_socket has status 101")

        if web_socket is None and not 200 <= status <= 599:
            raise ValueError(
                f"a response has a status from 200 to 599, or 101 with a web_socket: {status}"
            )

        super().__init__(body)
        self.status = status
        raw = raw_headers(headers)
        if isinstance(body, str) and not has_header(raw, b"content-type"):
            raw.append(TEXT)
        self.headers = MutableHeaders(raw=raw)
        self.web_socket = web_socket
        if web_socket is not None:
            web_socket.use_in_response()

    @classmethod
    def from_json(
        cls, value: object, *, status: int = 200, headers: HeadersInit = None
    ) -> Response:
        """A JSON response. TypeError or ValueError: `value` is not JSON."""
        body = json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
        response = cls(body, status=status, headers=headers)
        response.headers.setdefault("content-type", "application/json")
        return response

    def handed_over(self) -> Response:
        """The receiver's own response: what it changes does not show here. A body that streams is
        the receiver's alone from now on."""
        copy = object.__new__(type(self))
        vars(copy).update(vars(self))
        copy.headers = MutableHeaders(raw=list(self.headers.raw))
        self._read = True
        return copy

    @property
    def ok(self) -> bool:
        """Whether the status is a success, 200 to 299."""
        return 200 <= self.status <= 299

    def __repr__(self) -> str:
        return f"<Response {self.status}>"


def has_header(raw: Sequence[tuple[bytes, bytes]], lowercase: bytes) -> bool:
    """Whether headers as ASGI has them include one of that name."""
    return lowercase in [name for name, _ in raw]


def raw_headers(headers: HeadersInit) -> list[tuple[bytes, bytes]]:
    """Headers as ASGI has them: lowercase names, Latin-1 bytes. ValueError: a line break in one."""
    if headers is None:
        return []

    if isinstance(headers, Headers):
        return list(headers.raw)

    pairs: Iterable[tuple[str, str]]
    if isinstance(headers, Mapping):
        pairs = cast("Mapping[str, str]", headers).items()
    else:
        pairs = headers
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in pairs]
    for name, value in raw:
        if LINE_BREAK.search(name) or LINE_BREAK.search(value):
            raise ValueError(f"a header may not hold a line break: {name.decode('latin-1')!r}")

    return raw
