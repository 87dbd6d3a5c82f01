"""What the examples share: a page with a strict content security policy, and JSON in and out.

A page is one file: its own style and script, and `roomhost.js`. Nothing else is loaded or run.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import msgspec
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from roomhost.actors import RealtimeError

if TYPE_CHECKING:
    from starlette.requests import Request

HERE = Path(__file__).parent
MAX_BODY_BYTES = 4_096
MAX_NAME_CHARACTERS = 40
SECRET_CHARACTERS = range(16, 65)
ID_HEX_DIGITS = 16
INLINE = re.compile(r"<(script|style)[^>]*>(.*?)</\1>", re.DOTALL)
NO_CACHE = {"cache-control": "no-cache", "x-content-type-options": "nosniff"}


def page(filename: str) -> HTMLResponse:
    """A page of this folder. Its policy allows what is in the file, by hash, and this host."""
    text = (HERE / filename).read_text(encoding="utf-8")
    hashes: dict[str, list[str]] = {"script": [], "style": []}
    for kind, body in INLINE.findall(text):
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        hashes[kind].append(f"'sha256-{digest}'")
    policy = (
        "default-src 'none'; "
        f"script-src 'self' {' '.join(hashes['script'])}; style-src {' '.join(hashes['style'])}; "
        "connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    headers = {"content-security-policy": policy, "referrer-policy": "no-referrer", **NO_CACHE}
    return HTMLResponse(text, headers=headers)


async def client(request: Request) -> FileResponse:
    """The client that the pages import."""
    return FileResponse(HERE / "roomhost.js", media_type="text/javascript", headers=NO_CACHE)


CLIENT = Route("/roomhost.js", client)


async def json_body(request: Request) -> dict[str, Any]:
    """The JSON object that a page of this host posts; HTTPException where it is none. What another
    site's form can send has another content type."""
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        raise HTTPException(415, "send application/json")

    body = bytearray()
    async with aclosing(request.stream()) as chunks:
        async for chunk in chunks:
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                raise HTTPException(413, f"at most {MAX_BODY_BYTES} bytes")

    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise HTTPException(400, "send a JSON object")

    return cast("dict[str, Any]", value)


def person(body: dict[str, Any]) -> tuple[str, str]:
    """Who a page says it is: an id and a name. `name` is free. `secret` is random and the page's
    own: everyone sees the id that comes of it, and nobody else can have that id."""
    name, secret = body.get("name"), body.get("secret")
    if not isinstance(name, str) or not 0 < len(name.strip()) <= MAX_NAME_CHARACTERS:
        raise HTTPException(400, f"name is a text of 1 to {MAX_NAME_CHARACTERS} characters")

    if not isinstance(secret, str) or len(secret) not in SECRET_CHARACTERS:
        raise HTTPException(400, "secret is a random text of 16 to 64 characters")

    try:
        digest = hashlib.sha256(secret.encode()).hexdigest()
        name.encode()
    except UnicodeEncodeError:
        raise HTTPException(400, "name and secret are valid Unicode") from None

    return digest[:ID_HEX_DIGITS], name.strip()


def answer(result: msgspec.Struct) -> Response:
    """A result of the realtime module, as JSON; a grant is in it, so nobody keeps it."""
    headers = {"cache-control": "no-store"}
    return Response(msgspec.json.encode(result), media_type="application/json", headers=headers)


async def refused(request: Request, error: Exception) -> JSONResponse:
    """What the realtime module, or this example, did not want."""
    if isinstance(error, RealtimeError):
        fields = {"code": error.code, "message": error.message, "retryable": error.retryable}
        return JSONResponse(fields, status_code=error.status)

    assert isinstance(error, HTTPException)
    fields = {"code": "refused", "message": error.detail, "retryable": False}
    return JSONResponse(fields, status_code=error.status_code)


REFUSALS = {RealtimeError: refused, HTTPException: refused}
