"""Which pages may open a room's WebSocket, and the URL that they open (realtime.md 5.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from ..runtime.origins import REFUSED, is_allowed_origin
from ..runtime.urls import parse_public_url
from .errors import Forbidden

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

PATHS = {"room": "rooms", "channel": "channels", "crdt": "crdt"}
SCHEMES = {"http": "ws", "https": "wss"}


def check_origin(
    headers: Iterable[tuple[bytes, bytes]], allowed: Sequence[str], public_url: str | None = None
) -> None:
    """Forbidden: a page asks whose origin is not allowed; see `is_allowed_origin`."""
    if not is_allowed_origin(headers, allowed, public_url):
        raise Forbidden(REFUSED, field="origin")


def web_socket_url(public_base: str, instance: str, kind: str, room: str) -> str:
    """Where a browser opens the socket of a room: `kind` is `room`, `channel` or `crdt`. ValueError:
    `public_base` is no http or https URL. It never has a token: URLs are logged."""
    parts = urlsplit(parse_public_url(public_base))
    path = f"/realtime/{quote(instance, safe='')}/{PATHS[kind]}/{quote(room, safe='')}/ws"
    return f"{SCHEMES[parts.scheme]}://{parts.netloc}{parts.path}{path}"
