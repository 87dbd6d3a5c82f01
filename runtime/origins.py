"""Which pages may open a WebSocket (RFC 6455, 10.2).

A browser sends cookies and reaches private addresses for any page; `Origin`, which a page cannot
forge, says which page it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .urls import ANY_ORIGIN, parse_origin, parse_public_url

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LOOPBACK = frozenset(("localhost", "127.0.0.1", "::1"))
REFUSED = "pages of this origin may not connect: add it to the setting allowed_origins"


def is_allowed_origin(
    headers: Iterable[tuple[bytes, bytes]], allowed: Sequence[str], public_url: str | None = None
) -> bool:
    """Whether the page that asks is of an origin that is `allowed`; one that hides its origin (`null`: a
    sandboxed frame, a file) is not.

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
        return True

    origin = _origin(origins)
    if origin is None:
        return False

    if not allowed:
        return _is_own(origin, values[b"host"], public_url)

    known = {parse_origin(text) for text in allowed}
    return origin in known or ANY_ORIGIN in known


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
