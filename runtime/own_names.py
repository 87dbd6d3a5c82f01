"""By which names this machine may be asked for what listens on it alone.

A page of another site can have its own name resolve to 127.0.0.1 once it is loaded (DNS rebinding): then
its browser takes the host for that site, and lets the page read everything. What it cannot do is have
the browser send another name than its own.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .exposure import is_loopback
from .proxies import is_trusted_peer, parse_network

if TYPE_CHECKING:
    from .application import Scope
    from .host_settings import HostSettings

SCHEME_PORTS = (80, 443)  # that a browser leaves out
MAX_KNOWN = 64  # values of the header that were found to be good


class OwnNames:
    """What a host that listens on a loopback address is called: an address, localhost, a name below it,
    or that of `public_url` and `allowed_origins`.

    A proxy on the same machine may pass on any name, for its own port: only the name that belongs to
    the port of the host itself is looked at.
    """

    __slots__ = ("_known", "_named", "_proxies")

    def __init__(self, settings: HostSettings) -> None:
        urls = (settings.public_url or "", *settings.allowed_origins)
        self._named = {urlsplit(url).hostname for url in urls}
        self._proxies = [parse_network(text) for text in settings.trusted_proxies]
        self._known: set[tuple[bytes, int]] = set()

    def are_asked_for(self, scope: Scope) -> bool:
        """Whether a request has a name of this host; one without a Host header is of no browser."""
        server = scope.get("server")
        if not server or server[1] is None:
            return True

        value: bytes | None = None
        for name, given in scope["headers"]:
            if name == b"host":
                value = given
                break
        known = self._known
        if value is None or (value, server[1]) in known:
            return True

        if self._is_good(value, server[1]):
            if len(known) < MAX_KNOWN:
                known.add((value, server[1]))
            return True

        return not is_loopback(server[0]) or is_trusted_peer(scope, self._proxies)

    def _is_good(self, value: bytes, own_port: int) -> bool:
        try:
            parts = urlsplit(b"//" + value)
            name, port = (parts.hostname or b"").decode("ascii"), parts.port
        except ValueError:
            return False

        of_others = port != own_port and not (port is None and own_port in SCHEME_PORTS)
        if of_others or name in self._named or is_loopback(name):
            return True

        return name.endswith(".localhost") or _is_address(name)


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False

    return True
