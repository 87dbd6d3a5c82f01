"""How clients reach a host: what the operator says, or what its own sockets say."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from .tls import scheme_of
from .urls import DEFAULT_PORTS, parse_public_url

if TYPE_CHECKING:
    from .application import Scope
    from .settings import HostSettings

# An address that stands for every one of a machine is none to connect to.
LOOPBACK = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}
SECURE = {"http": "http", "https": "https", "ws": "http", "wss": "https"}


class PublicUrl:
    """The base of every URL that a host hands out, without a slash at its end.

    It is the setting `public_url`; else where the server listens; else where the first request came
    in, for a host that another server runs or that is mounted; else `host` and `port` of the
    settings. What a client says, the Host header, is never believed: a token would
    go where an attacker likes (realtime.md 5.6).
    """

    __slots__ = ("_configured", "_default", "_listening", "_seen")

    def __init__(self, settings: HostSettings) -> None:
        configured = settings.public_url
        self._configured = None if configured is None else parse_public_url(configured)
        self._default = url_of(scheme_of(settings), settings.host, settings.port)
        self._listening: str | None = None
        self._seen: str | None = None

    def __str__(self) -> str:
        return self._configured or self._listening or self._seen or self._default

    def listens(self, host: str, port: int, scheme: str = "http") -> None:
        """The host's own server listens there."""
        self._listening = url_of(scheme, host, port)

    def saw(self, scope: Scope) -> None:
        """A request came. Only the first one counts whose server has an address."""
        if self._seen is not None:
            return

        server = scope.get("server")
        if not server or "/" in server[0]:
            return  # a Unix socket has a path

        scheme = SECURE.get(scope.get("scheme", "http"), "http")
        root = quote(scope.get("root_path", "").rstrip("/"))
        self._seen = f"{url_of(scheme, server[0], server[1])}{root}"


def url_of(scheme: str, host: str, port: int | None) -> str:
    """The URL of an address; None: the scheme's own port. Every address of the machine is shown as
    the loopback one."""
    name = LOOPBACK.get(host, host)
    shown = f"[{name}]" if ":" in name else name
    return f"{scheme}://{shown}" + ("" if port in (None, DEFAULT_PORTS[scheme]) else f":{port}")
