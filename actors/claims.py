"""What a token says, and when that is good."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from ..runtime.intake import Reason
from .caller import Capability
from .errors import InvalidArgument, Unauthenticated
from .limits import (
    MAX_INT32,
    MAX_NAME_BYTES,
    MAX_TOKEN_PRESENCE_BYTES,
    MAX_TOKEN_TTL_SECONDS,
    TOKEN_LEEWAY_SECONDS,
)
from .principals import check_id, check_principal
from .types import RealtimePrincipal  # noqa: TC001 - msgspec reads the annotations

ISSUER = "roomhost"
LAST_SECOND = 253_402_300_799  # of the year 9999, the last that a timestamp can show

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_NAME_BYTES)]
Seconds = Annotated[int, msgspec.Meta(ge=0, le=LAST_SECOND)]
Generation = Annotated[int, msgspec.Meta(ge=1, le=MAX_INT32)]
Capabilities = Annotated[tuple[Capability, ...], msgspec.Meta(max_length=len(Capability))]


class TokenClaims(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    rename={"client_id": "clientId"},
):
    """The claims of a token, by their names in it (realtime.md 5.6); times are whole seconds since the
    epoch. Claims that are not here mean nothing (RFC 7519, 4).

    `aud`: the name of the instance. `sub`: the member. `gen`: the generation of the room. `caps`: the
    capabilities. `actor`, `client_id`, `presence`: what a connection gets.
    """

    iss: Literal["roomhost"]
    aud: Name
    sub: str | None = None
    room: Name
    kind: Literal["room", "channel"]
    actor: RealtimePrincipal | None = None
    client_id: str | None = None
    presence: dict[str, Any] | None = None
    caps: Capabilities
    gen: Generation
    iat: Seconds
    nbf: Seconds | None = None
    exp: Seconds
    jti: Name


def check_claims(claims: TokenClaims, audience: str, now_ms: int) -> None:
    """Unauthenticated, with the reason: they are for another instance, say something that is not
    within its bounds, or it is not their time, give or take 5 seconds."""
    if claims.aud != audience:
        raise Unauthenticated(
            "the token is for another realtime instance: ask for a new one",
            reason=Reason.TOKEN_ELSEWHERE,
        )

    leeway_ms = TOKEN_LEEWAY_SECONDS * 1000
    if now_ms >= claims.exp * 1000 + leeway_ms:
        raise Unauthenticated(
            "the token has expired: ask for a new one", reason=Reason.TOKEN_EXPIRED
        )

    if max(claims.iat, claims.nbf or 0) * 1000 > now_ms + leeway_ms:
        raise Unauthenticated(
            "the token is not valid yet: compare the clocks of its maker and here",
            reason=Reason.TOKEN_EARLY,
        )

    if not 0 < claims.exp - claims.iat <= MAX_TOKEN_TTL_SECONDS:
        raise Unauthenticated(
            f"the token lives from 1 to {MAX_TOKEN_TTL_SECONDS} seconds: ask for another one",
            reason=Reason.TOKEN_CLAIMS,
        )

    try:
        check_principal(claims.actor)
        for name, text in (("sub", claims.sub), ("clientId", claims.client_id)):
            if text is not None:
                check_id(text, name)
    except InvalidArgument as error:
        raise Unauthenticated(
            f"the token has wrong claims: {error}: ask for a new one", reason=Reason.TOKEN_CLAIMS
        ) from None

    if claims.presence is not None:
        size = len(msgspec.json.encode(claims.presence))
        if size > MAX_TOKEN_PRESENCE_BYTES:
            raise Unauthenticated(
                f"the token has wrong claims: presence is at most {MAX_TOKEN_PRESENCE_BYTES} bytes",
                reason=Reason.TOKEN_CLAIMS,
            )
