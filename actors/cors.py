"""Pages of other origins: which may call, and read what comes back (the Fetch standard, 3.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..runtime.urls import ANY_ORIGIN, parse_origin

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..runtime.application import Scope

MAX_AGE_SECONDS = 600
EXPOSED = "retry-after, www-authenticate"
ASKED = "authorization, content-type"


def cors_headers(
    scope: Scope, allowed: Sequence[str], methods: Sequence[str] = ()
) -> dict[str, str]:
    """What to add to the response of a request: nothing, unless a page of an `allowed` origin made
    it. `methods`: of the path, in the answer to a preflight."""
    if not allowed:
        return {}

    headers = {"vary": "origin"}
    origin = _origin_of(scope)
    known = {parse_origin(text) for text in allowed}
    if origin is None or not (origin in known or ANY_ORIGIN in known):
        return headers

    headers["access-control-expose-headers"] = EXPOSED
    if origin in known:
        headers["access-control-allow-origin"] = origin
        headers["access-control-allow-credentials"] = "true"
    else:
        # Whoever may be anybody brings no cookies.
        headers["access-control-allow-origin"] = ANY_ORIGIN
    if methods:
        headers["access-control-allow-methods"] = ", ".join(methods)
        headers["access-control-allow-headers"] = ASKED
        headers["access-control-max-age"] = str(MAX_AGE_SECONDS)
    return headers


def _origin_of(scope: Scope) -> str | None:
    given = [value for name, value in scope["headers"] if name == b"origin"]
    if len(given) != 1 or given[0] == ANY_ORIGIN.encode():
        return None

    try:
        return parse_origin(given[0].decode("ascii"))
    except ValueError:
        return None
