"""API keys: what a trusted back-end bears, and the only place where one is compared."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Headers = Iterable[tuple[bytes, bytes]]


def bearer_of(headers: Headers) -> bytes | None:
    """The credential of `Authorization: Bearer <credential>` (RFC 6750, 2.1), None without one.

    Several such headers are nobody's credential, the empty one: which of them counts would be a
    matter of who reads them.
    """
    given: list[bytes] = []
    for name, value in headers:
        scheme, _, credential = value.strip().partition(b" ")
        if name.lower() == b"authorization" and scheme.lower() == b"bearer":
            given.append(credential.strip())

    if not given:
        return None

    return given[0] if len(given) == 1 else b""


def is_api_key(given: bytes | None, keys: Sequence[str]) -> bool:
    """Whether a credential is one of the keys. The time it takes tells nothing about them.

    Every key counts, so that a new one can be in use before the old one is taken away.
    """
    credential = given or b""
    # Each one is compared, also after one was right.
    matches = [hmac.compare_digest(key.encode(), credential) for key in keys if key]
    return bool(credential) and any(matches)
