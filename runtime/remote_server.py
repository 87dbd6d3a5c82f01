"""Calls from other processes: who may make them, and the upgrade that begins them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .api_keys import bearer_of, is_api_key
from .connection import LINK_EXTENSION
from .failed_keys import TOO_MANY
from .problems import problem
from .remote_connection import RemoteConnection
from .remote_frames import PATH

if TYPE_CHECKING:
    from collections.abc import Callable

    from .application import Receive, Scope, Send
    from .host import Host
    from .http import Response

PREFIX = "/_rpc/"
DRAIN_EXTENSION = "roomhost.drain"  # a server that asks before it closes a WebSocket at its end
UNCONFIGURED = (
    "this host takes no calls from other processes, because it has no API key: set api_keys in "
    "roomhost.toml, or the variable ROOMHOST_API_KEYS"
)
REFUSED = "an API key of this host is needed: Authorization: Bearer <key>"


def is_remote(scope: Scope) -> bool:
    """Whether a request is for this part of the host, and not for the application."""
    return scope["type"] in ("http", "websocket") and path_of(scope).startswith(PREFIX)


def path_of(scope: Scope) -> str:
    """The path below where the host is mounted."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


class RemoteCalls:
    """Everything under `/_rpc/`: an authenticated WebSocket, which `roomhost.bindings.connect` opens."""

    def __init__(self, host: Host) -> None:
        self._host = host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> Response | None:
        """Serve one connection; or return the response that refuses it."""
        keys = self._host.settings.api_keys
        if not any(keys):
            return problem(401, "unauthenticated", UNCONFIGURED)

        failed = self._host.failed_keys
        if failed.is_blocked(scope):
            return problem(429, "rate_limited", TOO_MANY, retryable=True)

        given = bearer_of(scope["headers"])
        if not is_api_key(given, keys):
            if given is not None:
                failed.count(scope)
            return problem(401, "unauthenticated", REFUSED)

        if path_of(scope) != PATH:
            return problem(404, "not_found", f"calls from other processes go to {PATH}")

        if scope["type"] != "websocket":
            return problem(426, "upgrade_required", "this is a WebSocket: use connect()")

        await receive()  # websocket.connect
        await send({"type": "websocket.accept"})
        extensions: dict[str, Any] = scope.get("extensions") or {}
        connection = RemoteConnection(self._host, receive, send, extensions.get(LINK_EXTENSION))
        on_drain: Callable[[Callable[[], None]], None] | None = extensions.get(DRAIN_EXTENSION)
        if on_drain is not None:
            on_drain(connection.drain)
        await connection.run()
        return None
