"""What answers requests beside the application, and is made above the runtime: the admin API, the
inspector."""

from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

from .remote_server import path_of

if TYPE_CHECKING:
    from .application import ASGIApp, Scope
    from .host import Host

GROUP = "roomhost.routes"  # of entry points: `factory(host) -> ASGIApp`, by the first segment of the path


class HostRoutes:
    """The installed routes of one host; each is made when it is first asked for.

    Their names begin with an underscore, which no binding's does, so that the default routes of an
    application lose nothing to them.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self._made: dict[str, ASGIApp] = {}

    def find(self, scope: Scope) -> ASGIApp | None:
        """What answers this request; None: the application does."""
        if scope["type"] not in ("http", "websocket"):
            return None

        path = path_of(scope)
        if not path.startswith("/_"):
            return None

        name = path[1:].partition("/")[0]
        made = self._made.get(name)
        if made is None and name in installed():
            made = self._made[name] = installed()[name].load()(self._host)
        return made


@cache
def installed() -> dict[str, EntryPoint]:
    """By name; they are looked for once in a process."""
    return {entry.name: entry for entry in entry_points(group=GROUP) if entry.name.startswith("_")}
