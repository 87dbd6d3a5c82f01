"""The inspector: a web page at `/_inspector/`, which shows what a host has.

The page is of files that stand beside this one, made from `inspector/` when the package was built.
It needs no key to be loaded, and contains nothing of the host: whatever it shows comes of the admin
API, with the API key that its user enters. Much of that was chosen by strangers, so the policy lets
the page run its own script alone, and make HTML of no text.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..runtime.asgi import refuse
from ..runtime.http import Response
from ..runtime.problems import problem
from ..runtime.remote_server import path_of

if TYPE_CHECKING:
    from ..runtime import Host
    from ..runtime.application import ASGIApp, Receive, Scope, Send

PREFIX = "/_inspector/"
FILES = {  # the path below the prefix: the file, and what it is
    "": ("inspector.html", "text/html; charset=utf-8"),
    "inspector.js": ("inspector.js", "text/javascript; charset=utf-8"),
    "inspector.css": ("inspector.css", "text/css; charset=utf-8"),
    "licenses.txt": ("inspector_licenses.txt", "text/plain; charset=utf-8"),
}
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src data:",  # of the style sheet
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
HEADERS = {
    "content-security-policy": POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cache-control": "no-cache",  # the next version of the host has another page: ask whether it changed
}
OFF = (
    "this host has no inspector: set `inspector = true` in roomhost.toml, or ROOMHOST_INSPECTOR=true, "
    "or run `roomhost dev`"
)
UNMADE = (
    "this installation has no page of the inspector, because it was built where npm was missing: "
    "install a released wheel; in a checkout, install npm and run `make inspector`\n"
)


class File(NamedTuple):
    """What is served at one path."""

    content: bytes
    kind: str
    tag: str


def make(host: Host) -> ASGIApp:
    """What answers `/_inspector/` of one host: 404 unless its setting `inspector` is true."""
    files: dict[str, File] = {}

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if not host.settings.inspector:
            response = problem(404, "not_found", OFF)
        elif scope["type"] != "http":
            response = problem(404, "not_found", f"there is no WebSocket under {PREFIX}")
        else:
            if not files:
                files.update(load(Path(__file__).parent))
            response = respond(scope, files)
        await refuse(scope, receive, send, response)

    return answer


def load(folder: Path) -> dict[str, File]:
    """The page's files, by their path below the prefix; none if it was not made."""
    try:
        contents = {path: (folder / name).read_bytes() for path, (name, _) in FILES.items()}
    except FileNotFoundError:
        return {}

    return {
        path: File(content, FILES[path][1], f'"{hashlib.sha256(content).hexdigest()[:32]}"')
        for path, content in contents.items()
    }


def respond(scope: Scope, files: dict[str, File]) -> Response:
    """The answer to one request."""
    path = path_of(scope)
    if scope["method"] not in ("GET", "HEAD"):
        response = problem(405, "method_not_allowed", f"{PREFIX} is read with GET")
        response.headers["allow"] = "GET, HEAD"
        return response

    if path + "/" == PREFIX:
        location = scope.get("root_path", "") + PREFIX
        return Response(status=307, headers={**HEADERS, "location": location})

    if not files:
        headers = {**HEADERS, "content-type": "text/plain; charset=utf-8"}
        return Response(UNMADE, status=503, headers=headers)

    found = files.get(path.removeprefix(PREFIX))
    if found is None:
        return problem(404, "not_found", f"the inspector is at {PREFIX}")

    headers = {**HEADERS, "etag": found.tag}
    if found.tag in tags_of(scope):
        return Response(status=304, headers=headers)

    return Response(found.content, headers={**headers, "content-type": found.kind})


def tags_of(scope: Scope) -> list[str]:
    """The entity tags of what the client has (RFC 9110, 13.1.2), weak or not."""
    return [
        tag.strip().removeprefix("W/")
        for name, value in scope["headers"]
        if name.lower() == b"if-none-match"
        for tag in value.decode("latin-1").split(",")
    ]
