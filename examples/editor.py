"""A shared editor on CRDT rooms: a document for each path, with everybody's cursors and names.

    make editor

`/notes` is the page of the document `notes`. Its script is Yjs, y-websocket and CodeMirror as npm has
them, with `editor.js`, bundled by esbuild; the page asks `POST /notes/grant` for a grant, and
y-websocket connects with it. `GET /notes/text` is the same document, read here in Python.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pycrdt import Text
from starlette.applications import Starlette
from starlette.responses import FileResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from roomhost.actors import RealtimePrincipal, realtime
from roomhost.bindings import App

from .pages import NO_CACHE, REFUSALS, answer, json_body, page, person

if TYPE_CHECKING:
    from starlette.requests import Request

BUNDLE = Path(__file__).parent.parent / "build" / "editor.js"
MISSING = (
    "The script of this page is not built. `make editor` builds it (with npm) and serves it.\n"
)
TEXT = "text"  # what the page calls the text in the document
CAPABILITIES = ("crdt:read", "crdt:write", "presence")

live = realtime(name="editor")


async def front(request: Request) -> RedirectResponse:
    """Lead whoever comes to a document."""
    return RedirectResponse("/notes")


async def editor(request: Request) -> Response:
    """The page of a document."""
    return page("editor.html") if BUNDLE.exists() else PlainTextResponse(MISSING, 503)


async def script(request: Request) -> Response:
    """What `make editor` has built."""
    if not BUNDLE.exists():
        return PlainTextResponse(MISSING, 404)

    return FileResponse(BUNDLE, media_type="text/javascript", headers=NO_CACHE)


async def grant(request: Request) -> Response:
    """Let a page into its document, to read, write and show a cursor; no more."""
    user_id, name = person(await json_body(request))
    actor = RealtimePrincipal(kind="user", user_id=user_id, display_name=name)
    document = live.crdt_room(request.path_params["name"])
    return answer(await document.authorize(actor=actor, capabilities=CAPABILITIES))


async def text(request: Request) -> Response:
    """The text of a document, as it is on disk."""
    async with live.crdt_room(request.path_params["name"]).edit() as document:
        return PlainTextResponse(str(document.get(TEXT, type=Text)), headers=NO_CACHE)


app = App(
    name="editor",
    bindings={"EDITOR": live},
    main=Starlette(
        routes=[
            Route("/", front),
            Route("/editor.js", script),
            Route("/{name}", editor),
            Route("/{name}/grant", grant, methods=["POST"]),
            Route("/{name}/text", text),
        ],
        exception_handlers=REFUSALS,
    ),
)
