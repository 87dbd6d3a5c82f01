"""Refusals over HTTP: problem details (RFC 9457), with a code, and whether to try again."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from .http import Response
from .safe_headers import SAFE_HEADERS

CONTENT_TYPE = "application/problem+json"
RETRY_SECONDS = 1  # where nobody knows better


def problem(
    status: int,
    code: str,
    message: str,
    *,
    retryable: bool = False,
    field: str | None = None,
    retry_after_ms: int | None = None,
) -> Response:
    """A refusal. `code`: a stable word. `message`: what is wrong, and its cure. `field`: the path of
    the input's field that is wrong. `retry_after_ms`: when to try again, milliseconds.

    401 asks for a Bearer credential; 429 and 503 say when to try again, in whole seconds (RFC 9110,
    10.2.3).
    """
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": message,
        "code": code,
        "message": message,
        "retryable": retryable,
    }
    headers = {"content-type": CONTENT_TYPE, "cache-control": "no-store", **SAFE_HEADERS}
    if field is not None:
        body["field"] = field
    if retry_after_ms is not None:
        body["retryAfterMs"] = retry_after_ms
    if status == HTTPStatus.UNAUTHORIZED:
        headers["www-authenticate"] = "Bearer"
    if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        seconds = RETRY_SECONDS if retry_after_ms is None else -(-retry_after_ms // 1000)
        headers["retry-after"] = str(max(seconds, RETRY_SECONDS))
    if status == HTTPStatus.UPGRADE_REQUIRED:
        headers |= {"upgrade": "websocket", "connection": "upgrade"}
    return Response.from_json(body, status=status, headers=headers)
