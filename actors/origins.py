"""Which pages may open a WebSocket, and the URL that they open (realtime.md 5.6).

A browser sends cookies and reaches private addresses for any page; `Origin`, which a page cannot
forge, says which page it was (RFC 6455, 10.2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from ..runtime.urls import ANY_ORIGIN, parse_origin, parse_public_url
from .errors import Forbidden

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PATHS = {"room": "rooms", "channel": "channels", "crdt": "crdt"}
LOOPBACK = frozenset(("localhost", "127.0.0.1", "::1"))
SCHEMES = {"http": "ws", "https": "wss"}


def check_origin(
    headers: Iterable[tuple[bytes, bytes]], allowed: Sequence[str], public_url: str | None = None
) -> None:
    """Forbidden: a page of an origin that is not `allowed` asks, or one that hides its origin
    (`null`: a sandboxed frame, a file).

    Without `allowed` pages of this host may: of the request's own host and port, or of `public_url`.
    A request without an Origin is no page's, and passes. `allowed` and `public_url` are settings,
    which have been checked.
    """
    values: dict[bytes, list[bytes]] = {b"origin": [], b"host": []}
    for name, value in headers:
        if name.lower() in values:
            values[name.lower()].append(value.strip())

    origins = values[b"origin"]
    if not origins:
        return

    origin = _origin(origins)
    if origin is not None:
        if allowed:
            known = {parse_origin(text) for text in allowed}
            good = origin in known or ANY_ORIGIN in known
        else:
            good = _is_own(origin, values[b"host"], public_url)
        if good:
            return

    raise Forbidden(
        "pages of this origin may not connect: add it to the setting allowed_origins",
        field="origin",
    )


def web_socket_url(public_base: str, instance: str, kind: str, room: str) -> str:
    """Where a browser opens the socket of a room: `kind` is `room`, `channel` or `crdt`. ValueError:
    `public_base` is no http or https URL. It never has a token: URLs are logged."""
    parts = urlsplit(parse_public_url(public_base))
    path = f"/realtime/{quote(instance, safe='')}/{PATHS[kind]}/{quote(room, safe='')}/ws"
    return f"{SCHEMES[parts.scheme]}://{parts.netloc}{parts.path}{path}"


def _origin(values: list[bytes]) -> str | None:
    """The one origin that was sent, as `parse_origin` writes it; None: it is none."""
    if len(values) != 1 or values[0] == ANY_ORIGIN.encode():
        return None

    try:
        return parse_origin(values[0].decode("ascii"))
    except ValueError:
        return None


def _is_own(origin: str, hosts: list[bytes], public_url: str | None) -> bool:
    if public_url is not None and origin == _origin_of_url(public_url):
        return True

    if len(hosts) != 1:
        return False

    # Behind a proxy that ends TLS the page's scheme is not ours: host and port are compared.
    scheme = urlsplit(origin).scheme
    own = _origin([f"{scheme}://".encode() + hosts[0]])
    return own is not None and _one_name(origin) == _one_name(own)


def _origin_of_url(public_url: str) -> str:
    parts = urlsplit(parse_public_url(public_url))
    return parse_origin(f"{parts.scheme}://{parts.netloc}")


def _one_name(origin: str) -> str:
    """An origin with one name for this machine, whose page may have been opened by another one."""
    parts = urlsplit(origin)
    if parts.hostname not in LOOPBACK:
        return origin

    return f"{parts.scheme}://localhost" + ("" if parts.port is None else f":{parts.port}")
