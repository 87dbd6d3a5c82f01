"""A feed: what is deployed, written by CI with an API key, and read by a page as it happens.

    ROOMHOST_API_KEYS=key roomhost serve examples.deployments:app

    curl http://127.0.0.1:8787/realtime/live/channels/deployments/publish \\
      -H 'Authorization: Bearer key' -H 'Content-Type: application/json' \\
      -d '{"type": "deployment", "idempotencyKey": "build-42-succeeded", "data": {"service": "api",
           "version": "1.4.2", "environment": "production", "status": "succeeded"}}'

A step of CI that is run again sends the same key, and is recorded once. Whoever opens `/` gets a
grant that reads and cannot write.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.routing import Route

from roomhost.actors import RealtimePrincipal, realtime
from roomhost.bindings import App

from .pages import CLIENT, REFUSALS, answer, page

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

READ_ONLY = ("subscribe", "history")

live = realtime(name="live")


async def feed(request: Request) -> Response:
    """The page."""
    return page("deployments.html")


async def grant(request: Request) -> Response:
    """Let anybody read: as nobody in particular, with nothing that writes."""
    reader = RealtimePrincipal(kind="anonymous", id=secrets.token_hex(8))
    return answer(await live.channel("deployments").authorize(actor=reader, capabilities=READ_ONLY))


app = App(
    name="deployments",
    bindings={"LIVE": live},
    main=Starlette(
        routes=[Route("/", feed), Route("/grant", grant, methods=["POST"]), CLIENT],
        exception_handlers=REFUSALS,
    ),
)
