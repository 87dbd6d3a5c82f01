"""The user of a request, as a trusted proxy in front of the host names them (realtime.md 5.1)."""

from __future__ import annotations

import re
from itertools import zip_longest
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote_to_bytes

from ..runtime.proxies import is_trusted_peer, parse_network
from .errors import InvalidArgument
from .options import DEFAULT_ACTOR_HEADERS
from .principals import check_id, normalized
from .types import RealtimePrincipal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..runtime.application import Scope
    from .options import RealtimeActorHeaders

MALFORMED = re.compile(rb"%(?![0-9A-Fa-f]{2})")


class HeaderNames(NamedTuple):
    """Which header, in lower case, holds which field of an actor."""

    user_id: str
    session_id: str
    tenant_id: str
    email: str
    display_name: str


def header_sets(headers: RealtimeActorHeaders) -> list[HeaderNames]:
    """The headers of a module's options as sets: the first choice of every field, the second, ..."""
    fields = [getattr(headers, name) for name in HeaderNames._fields]
    return [HeaderNames(*(name or "" for name in names)) for names in zip_longest(*fields)]


def identity_of(
    scope: Scope,
    trusted_proxies: Sequence[str],
    headers: RealtimeActorHeaders = DEFAULT_ACTOR_HEADERS,
) -> RealtimePrincipal | None:
    """Who a request is from: a user if a user id is named, somebody anonymous if only a session is,
    else None. Always None when the request did not come directly from one of `trusted_proxies`.

    One set of headers counts, the first of which any is there. Values are percent-decoded UTF-8; an
    empty one is none. InvalidArgument, which names the header: its value is no such text, has over
    256 bytes or control characters, or it is there twice.
    """
    if not is_trusted_peer(scope, [parse_network(text) for text in trusted_proxies]):
        return None

    sets = header_sets(headers)
    given = _collect(scope["headers"], {name for names in sets for name in names})
    for names in sets:
        if any(name in given for name in names):
            return _principal(
                names, {name: _text(name, given[name]) for name in names if name in given}
            )

    return None


def _collect(headers: Iterable[tuple[bytes, bytes]], wanted: set[str]) -> dict[str, bytes]:
    given: dict[str, bytes] = {}
    for raw_name, value in headers:
        name = raw_name.decode("latin-1").lower()
        if name not in wanted:
            continue

        if name in given:
            raise InvalidArgument(f"the header {name} is there twice", field=name)

        given[name] = value.strip()

    return {name: value for name, value in given.items() if value}


def _text(name: str, value: bytes) -> str:
    if MALFORMED.search(value):
        raise InvalidArgument(f"the header {name} is percent-encoded: write % as %25", field=name)

    try:
        text = unquote_to_bytes(value).decode()
    except UnicodeDecodeError:
        raise InvalidArgument(f"the header {name} is percent-encoded UTF-8", field=name) from None

    check_id(text, name)
    return text


def _principal(names: HeaderNames, texts: dict[str, str]) -> RealtimePrincipal | None:
    user_id, session_id = texts.get(names.user_id), texts.get(names.session_id)
    if user_id is None and session_id is None:
        return None

    return normalized(
        RealtimePrincipal(
            kind="anonymous" if user_id is None else "user",
            user_id=user_id,
            session_id=session_id,
            tenant_id=texts.get(names.tenant_id),
            email=texts.get(names.email),
            display_name=texts.get(names.display_name),
        )
    )
