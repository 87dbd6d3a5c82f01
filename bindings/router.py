"""The default routes: `/{binding}/{name}/...` is `fetch` of the object of that name."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from ..runtime import Host, Response
from ..runtime.asgi import refuse, send_response, serve_fetch
from ..runtime.intake import Reason
from ..runtime.origins import REFUSED, is_allowed_origin
from ..runtime.problems import problem
from .paths import segments_below_root

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..runtime.application import Receive, Scope, Send
    from .stub import DurableObjectStub


class Router:
    """The binding is in lower case with `-` for `_`; the name is one percent-encoded segment.

    WebSocket upgrades go the same way, but for those of pages of other origins. Everything else is
    404.
    """

    def __init__(self, host: Host, bindings: Sequence[str]) -> None:
        self._host = host
        self._bindings = {binding.lower().replace("_", "-"): binding for binding in bindings}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        stub = self._find(scope)
        if stub is not None and scope["type"] == "websocket" and not self._may_open(scope):
            self._host.intake.count(Reason.WRONG_ORIGIN)
            await refuse(scope, receive, send, problem(403, "forbidden", REFUSED, field="origin"))
        elif stub is not None:
            await serve_fetch(scope, receive, send, stub.fetch)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close"})
        elif scope["type"] == "http":
            await send_response(send, Response("Not Found\n", status=404))

    def _may_open(self, scope: Scope) -> bool:
        """Whether this is no page, or one that may: a browser lets every page read a WebSocket."""
        settings = self._host.settings
        return is_allowed_origin(scope["headers"], settings.allowed_origins, settings.public_url)

    def _find(self, scope: Scope) -> DurableObjectStub | None:
        segments = segments_below_root(scope)
        if len(segments) < 2:
            return None

        binding = self._bindings.get(segments[0].decode("latin-1"))
        name_bytes = segments[1]
        if b"%" in name_bytes:
            name_bytes = unquote_to_bytes(name_bytes)
        try:
            name = name_bytes.decode()
        except UnicodeDecodeError:
            return None

        return None if binding is None or not name else self._host.env[binding].get_by_name(name)
