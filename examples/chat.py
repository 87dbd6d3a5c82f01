"""A chat on the realtime module: rooms with history, who is here, who is typing.

    roomhost serve examples.chat:app

`/` leads to a room, `/room/{name}` is its page. The page asks `POST /room/{name}/grant` for a grant
in a name, and connects with it by `roomhost.js`. Everything else the module does: a message that a
page has seen is on disk, and after a lost connection the page gets what it missed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from roomhost.actors import RealtimePrincipal, realtime
from roomhost.bindings import App

from .pages import CLIENT, REFUSALS, answer, json_body, page, person

if TYPE_CHECKING:
    from starlette.requests import Request

live = realtime(name="chat")


async def lobby(request: Request) -> RedirectResponse:
    """Lead whoever comes to a room."""
    return RedirectResponse("/room/lobby")


async def room(request: Request) -> Response:
    """The page of a room."""
    return page("chat.html")


async def grant(request: Request) -> Response:
    """Let a page into the room under the name it gives; each page is a member of its own."""
    member_id, name = person(await json_body(request))
    actor = RealtimePrincipal(kind="user", user_id=member_id, display_name=name)
    return answer(await live.room(request.path_params["name"]).authorize(actor=actor))


app = App(
    name="chat",
    bindings={"CHAT": live},
    main=Starlette(
        routes=[
            Route("/", lobby),
            Route("/room/{name}", room),
            Route("/room/{name}/grant", grant, methods=["POST"]),
            CLIENT,
        ],
        exception_handlers=REFUSALS,
    ),
)
