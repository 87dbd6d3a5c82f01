"""The admin API: `POST /_admin/v1/{operation}`, JSON in, JSON out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..runtime.asgi import refuse
from ..runtime.problems import problem

if TYPE_CHECKING:
    from ..runtime import Host
    from ..runtime.application import ASGIApp, Receive, Scope, Send


def make(host: Host) -> ASGIApp:
    """The admin API of one host."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        _ = host
        await refuse(scope, receive, send, problem(404, "not_found", "no such operation"))

    return answer
