"""Who makes a request: an API key, a token, a trusted proxy's word, or nobody (realtime.md 5.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..runtime.api_keys import bearer_of, is_api_key
from ..runtime.intake import Reason
from .authorize import token_of
from .caller import Caller
from .errors import Forbidden, Unauthenticated
from .identity import user_of
from .origins import check_origin
from .tokens import caller_of_token

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..runtime import HostSettings
    from ..runtime.application import Scope
    from .instance import Services
    from .types import Kind


class Credentials:
    """Of the clients of one instance."""

    __slots__ = ("_services", "_settings")

    def __init__(self, services: Services, settings: HostSettings) -> None:
        self._services = services
        self._settings = settings

    def check_api_key(self, scope: Scope) -> None:
        """Unauthenticated: the request has no API key. Forbidden: it has a token."""
        given = bearer_of(scope["headers"])
        if is_api_key(given, self._settings.api_keys):
            return

        if given is None:
            raise Unauthenticated("an API key is needed: Authorization: Bearer <key>")

        services = self._services
        services.keyring.verify(given, audience=services.options.name, now_ms=services.now_ms())
        raise Forbidden("an API key is needed here: a token is for one room")

    def caller_of(
        self,
        scope: Scope,
        kind: Kind,
        name: str,
        protocols: Sequence[str] = (),
        token: str | None = None,
    ) -> Caller:
        """Who makes a request to a room; `protocols`: that a WebSocket offers, with its token, or else
        `token`, which came another way.

        Unauthenticated: nobody, or the credential is not good here. Forbidden: a page of another
        origin asks for somebody that its request does not name. InvalidArgument: a proxy's header.
        """
        given = _credential(scope["headers"], protocols, token)
        if is_api_key(given, self._settings.api_keys):
            return Caller.trusted_caller()

        services = self._services
        if given is not None:
            return caller_of_token(
                services.keyring,
                given,
                audience=services.options.name,
                kind=kind,
                room=name,
                now_ms=services.now_ms(),
            )

        # What a browser adds by itself, a cookie or its place in a network, counts for no page of
        # another origin: a form of theirs would be enough.
        self.check_origin(scope)
        actor = user_of(scope, self._settings.trusted_proxies, services.options)
        if actor is None:
            raise Unauthenticated(
                "send a token of authorize(), or an API key: Authorization: Bearer"
            )

        return Caller.user_caller(actor)

    def check_origin(self, scope: Scope) -> None:
        """Forbidden: a page asks whose origin is not allowed."""
        settings = self._settings
        check_origin(scope["headers"], settings.allowed_origins, settings.public_url)


def _credential(
    headers: Iterable[tuple[bytes, bytes]], protocols: Sequence[str], token: str | None
) -> bytes | None:
    """The only one there is. Unauthenticated: there are several, or it is damaged."""
    given = bearer_of(headers)
    found = [] if given is None else [given]
    if token is not None:
        found.append(token.encode())
    for protocol in protocols:
        try:
            offered = token_of(protocol)
        except ValueError:
            raise Unauthenticated(
                "the token in the subprotocol is damaged", reason=Reason.TOKEN_MALFORMED
            ) from None

        if offered is not None:
            found.append(offered.encode())
    if len(found) > 1:
        raise Unauthenticated(
            "send one credential: a header, a subprotocol or a parameter",
            reason=Reason.TOKEN_MALFORMED,
        )

    return found[0] if found else None
