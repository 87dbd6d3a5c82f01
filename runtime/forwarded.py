"""What a trusted proxy says of the request that it passes on: its scheme, its host, its client.

Nobody else is believed: whoever reaches the host by another way could say anything.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING

from .proxies import is_trusted_peer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .application import Scope
    from .proxies import Network

SCHEMES = {"http": {"http": "http", "https": "https"}, "websocket": {"http": "ws", "https": "wss"}}
HOST = re.compile(rb"[A-Za-z0-9.-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?")


def as_seen_by_proxies(scope: Scope, trusted: Sequence[Network]) -> Scope:
    """The scope of a request, with what the proxy says that it comes from; of anybody else as it is."""
    return forwarded(scope) if is_trusted_peer(scope, trusted) else scope


def forwarded(scope: Scope) -> Scope:
    """A scope with the scheme of X-Forwarded-Proto and the Host header of X-Forwarded-Host; one that
    is missing or malformed changes nothing. Of several values the last one counts: it is that of the
    proxy which is trusted, the others may be its client's."""
    headers: list[tuple[bytes, bytes]] = [(name, value) for name, value in scope["headers"]]
    proto = _last(headers, b"x-forwarded-proto").decode("latin-1").lower()
    host = _last(headers, b"x-forwarded-host")
    changed: Scope = {**scope}
    if proto in SCHEMES[scope["type"]]:
        changed["scheme"] = SCHEMES[scope["type"]][proto]
    if HOST.fullmatch(host):
        changed["headers"] = [(b"host", host), *(pair for pair in headers if pair[0] != b"host")]
    return changed


def client_address(scope: Scope, networks: Sequence[Network]) -> str | None:
    """The address of the client that asks: the peer, or what trusted proxies say of it; None: it has
    none, as on a Unix socket."""
    peer = scope.get("client")
    address: str | None = peer[0] if peer else None
    chain = b",".join(value for name, value in scope["headers"] if name == b"x-forwarded-for")
    hops = [hop.strip() for hop in chain.decode("latin-1").split(",") if hop.strip()]
    while hops and is_trusted_peer({"client": (address, 0)}, networks):
        hop = hops.pop()
        try:
            address = str(ip_address(hop))
        except ValueError:
            break  # what a proxy does not know, "unknown" say, ends the chain
    return address


def _last(headers: Sequence[tuple[bytes, bytes]], wanted: bytes) -> bytes:
    values = [value for name, value in headers if name == wanted]
    return values[-1].rpartition(b",")[2].strip() if values else b""
