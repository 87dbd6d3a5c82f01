"""Who answers a request: the module whose path it is under, or else the rest of the application."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .context import request_context
from .paths import begins_with, segments_below_root

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..runtime import Host
    from ..runtime.application import ASGIApp, Receive, Scope, Send
    from .module import ModuleBinding


class Dispatcher:
    """Whole segments of the path count, percent-encoded ones decoded each by itself: a module at
    `/realtime/collab` gets that and everything below, `/realtime/collabx` and `/realtime%2Fcollab` it
    does not get."""

    def __init__(self, host: Host, modules: Iterable[ModuleBinding], rest: ASGIApp) -> None:
        self._host = host
        # The longest path first.
        self._modules = sorted(modules, key=lambda module: -len(module.segments))
        self._rest = rest
        self._env: Any = None  # whose values these were made for
        self._made: dict[str, ASGIApp] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        module = self._find(scope) if scope["type"] in ("http", "websocket") else None
        if module is None:
            await self._rest(scope, receive, send)
            return

        # A host may be mounted in the `main` of another, whose request is not the module's.
        with request_context(None):
            await self._app(module)(scope, receive, send)

    def _find(self, scope: Scope) -> ModuleBinding | None:
        segments = segments_below_root(scope)
        for module in self._modules:
            if begins_with(segments, module.segments):
                return module

        return None

    def _app(self, module: ModuleBinding) -> ASGIApp:
        _ = self._host.engine  # raises if the host does not run: there is no env then
        env = self._host.env
        if env is not self._env:  # the host has been started, or started anew
            self._env, self._made = env, {}
        if module.binding not in self._made:
            self._made[module.binding] = module.module.asgi(self._host, env[module.binding])
        return self._made[module.binding]
