"""How a connection to a host in another process begins, and what its failures mean."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidHandshake, InvalidStatus

from ..runtime import DurableObjectError, HostError, limits
from ..runtime.remote_frames import PATH

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

SCHEMES = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}


class Dial(connect):
    """Follows no redirect: the API key is for the host that was named, and for no other."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        """The redirect itself, as the failure that it is here."""
        return exc


async def dial(url: str, api_key: str) -> ClientConnection:
    """Open the WebSocket of the host at `url`, directly: no proxy of the environment is used."""
    return await Dial(
        web_socket_url(url),
        additional_headers={"Authorization": f"Bearer {api_key}"},
        compression=None,
        open_timeout=limits.REMOTE_CONNECT_SECONDS,
        max_size=limits.REMOTE_FRAGMENT_BYTES + 1,
        proxy=None,
    )


def web_socket_url(url: str) -> str:
    """Where a host takes calls, from where it is. ValueError: no URL of a host."""
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES or not parts.hostname or "@" in parts.netloc:
        raise ValueError(
            f"connect() takes the URL of a host, as http://127.0.0.1:8787, not {url!r}"
        )

    if parts.query or parts.fragment:
        raise ValueError(f"the URL of a host has no query and no fragment: {url!r}")

    return f"{SCHEMES[parts.scheme]}://{parts.netloc}{parts.path.rstrip('/')}{PATH}"


def check_key(api_key: str) -> str:
    """An API key as a header can carry it. ValueError: it is none."""
    if not api_key or not api_key.isascii() or not api_key.isprintable() or " " in api_key:
        raise ValueError("an API key is printable ASCII without spaces, and not empty")

    return api_key


def cannot_connect(url: str, error: Exception) -> Exception:
    """Why there is no connection: a HostError for what will not get better by itself, else a
    retryable DurableObjectError."""
    if isinstance(error, InvalidStatus) and error.response.status_code < 500:
        status = error.response.status_code
        detail = _detail(error.response.body)
        failure: Exception = HostError(
            f"{url} refuses this API key: {detail}"
            if status == 401
            else f"{url} takes no calls: it answered {status} {detail}".rstrip()
        )
    else:
        failure = DurableObjectError(f"cannot reach {url}: {error or type(error).__name__}")
        failure.retryable = isinstance(error, (OSError, InvalidHandshake, EOFError))
    failure.__cause__ = error
    return failure


def _detail(body: bytes | bytearray | None) -> str:
    """What a problem (RFC 9457) says."""
    try:
        problem = cast("dict[str, Any]", json.loads(body or b"{}"))
        return str(problem.get("detail", ""))
    except (ValueError, AttributeError):
        return ""
