"""What a client may ask of the server's memory and time before anybody knows who it is, and how it is
told that it asked for too much."""

from __future__ import annotations

from enum import Enum
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple, Self

from .problems import problem

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .host_settings import HostSettings


class RequestLimits(NamedTuple):
    """The settings of one server that bound connections and requests; see docs/settings.md."""

    connections: int
    header_bytes: int
    headers: int
    header_seconds: float
    body_bytes: int
    body_seconds: float
    body_bytes_per_second: int

    @classmethod
    def of(cls, settings: HostSettings) -> Self:
        """Those of a host."""
        return cls(
            settings.max_connections,
            settings.max_header_bytes,
            settings.max_headers,
            settings.header_timeout_seconds,
            settings.max_request_bytes,
            settings.body_timeout_seconds,
            settings.min_body_bytes_per_second,
        )


class Refusal(Enum):
    """Why a request is refused before the application sees it: status, code, and what is said."""

    BAD_REQUEST = (400, "bad_request", "this is no HTTP request that this server understands")
    SLOW_HEADERS = (408, "request_timeout", "the headers of the request took too long")
    SLOW_BODY = (408, "request_timeout", "the body of the request came too slowly")
    LARGE_BODY = (413, "payload_too_large", "the body of a request is at most {body_bytes} bytes")
    LARGE_HEADERS = (
        431,
        "headers_too_large",
        "the headers of a request are at most {header_bytes} bytes, and {headers} lines",
    )
    INCOMING_BYTES = (503, "overloaded", "too much is on its way to this host: try again later")
    CONNECTIONS = (503, "overloaded", "this host has {connections} connections: try again later")

    def response(self, limits: RequestLimits, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
        """The whole response, after which the connection ends. `headers`: of the server."""
        status, code, message = self.value
        answer = problem(
            status, code, message.format(**limits._asdict()), retryable=status in (408, 503)
        )
        content = answer.buffered or b""
        lines = [
            *headers,
            *answer.headers.raw,
            (b"content-length", b"%d" % len(content)),
            (b"connection", b"close"),
        ]
        return b"".join(
            (
                b"HTTP/1.1 %d %s\r\n" % (status, HTTPStatus(status).phrase.encode()),
                *(b"%s: %s\r\n" % line for line in lines),
                b"\r\n",
                content,
            )
        )


def declared_bytes(headers: Iterable[tuple[bytes, bytes]]) -> int:
    """The length of a body as its headers, which the parser has checked, have it; 0: not told."""
    for name, value in headers:
        if name == b"content-length":
            return int(value)

    return 0
