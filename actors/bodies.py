"""Bodies of requests: JSON of a bounded size, read only when everything before it is in order."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from starlette.requests import ClientDisconnect

from .errors import InvalidArgument, PayloadTooLarge
from .limits import MAX_BODY_BYTES
from .problems import UnsupportedMediaType

if TYPE_CHECKING:
    from ..runtime.application import Receive, Scope

EMPTY = b"{}"
UTF8 = frozenset(("utf-8", "utf8"))


async def read_body(scope: Scope, receive: Receive) -> bytes:
    """The JSON of a request; of an empty body that of an input without fields.

    UnsupportedMediaType: it is not `application/json` in UTF-8, uncompressed. PayloadTooLarge: over
    1 MiB, told before the rest arrives. ClientDisconnect: the client has gone.
    """
    has_type = _check_headers(scope)
    chunks: list[bytes] = []
    size = 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect

        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise _too_large()

        chunks.append(chunk)
        more = message.get("more_body", False)

    if size and not has_type:
        raise UnsupportedMediaType("a body is sent with Content-Type: application/json")

    return b"".join(chunks) or EMPTY


def check_keys(body: bytes) -> None:
    """InvalidArgument, with the key: an object of a parsed body has it twice. Which of them counts
    is a matter of who reads it (RFC 8259, 4), so whoever looked before us may have seen the other."""
    json.loads(body, object_pairs_hook=_unique)


def _unique(pairs: list[tuple[str, Any]]) -> None:
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            raise InvalidArgument(f"{key:.80} is there twice in one object", field=key)

        seen.add(key)


def _check_headers(scope: Scope) -> bool:
    """Whether the type of the body is given."""
    headers: dict[bytes, bytes] = {}
    for name, value in scope["headers"]:
        if name in headers and name in (b"content-type", b"content-length"):
            raise InvalidArgument(f"the header {name.decode('latin-1')} is there twice")

        headers[name] = value.strip()

    length = headers.get(b"content-length", b"")
    if length.isdigit() and int(length[:20]) > MAX_BODY_BYTES:
        raise _too_large()

    if headers.get(b"content-encoding", b"identity").lower() not in (b"", b"identity"):
        raise UnsupportedMediaType("a body is sent without a Content-Encoding")

    given = headers.get(b"content-type", b"").decode("latin-1").lower()
    kind, *parameters = [part.strip() for part in given.split(";")]
    if given and kind != "application/json":
        raise UnsupportedMediaType(f"a body is application/json, not {kind[:80]}")

    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "charset" and value.strip(' "') not in UTF8:
            raise UnsupportedMediaType("JSON is sent in UTF-8")

    return bool(given)


def _too_large() -> PayloadTooLarge:
    return PayloadTooLarge(f"a body is at most {MAX_BODY_BYTES} bytes")
