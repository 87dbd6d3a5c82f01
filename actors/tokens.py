"""Tokens: JSON Web Tokens (RFC 7519) that let a client into one room (realtime.md 5.6).

A key has one algorithm, HS256, and a token that names another is refused before it is looked at
any further (RFC 8725, 3.1). Time is a parameter, milliseconds since the epoch.
"""

from __future__ import annotations

import hmac
import re
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NoReturn

import jwt
import msgspec
from jwt.algorithms import HMACAlgorithm

from ..runtime.intake import Reason
from . import base64url
from .caller import Caller, check_no_wider
from .claims import ISSUER, TokenClaims, check_claims
from .errors import Forbidden, PayloadTooLarge, Unauthenticated
from .limits import MAX_TOKEN_BYTES
from .principals import normalized

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .types import RealtimePrincipal

ALGORITHM = "HS256"
SHAPE = re.compile(rb"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)", re.ASCII)


class TokenHeader(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that a token's header may have: what else there is (`crit`, `jku`, `jwk`, `b64`) asks for
    something that is not done here."""

    alg: str
    kid: str
    typ: str | None = None


_header = msgspec.json.Decoder(TokenHeader)
_claims = msgspec.json.Decoder(TokenClaims)


class _HS256(HMACAlgorithm):
    """Takes a secret as it is: the host has warned of a short one when it started."""

    def __init__(self) -> None:
        super().__init__(HMACAlgorithm.SHA256)

    def prepare_key(self, key: str | bytes) -> bytes:
        return key.encode() if isinstance(key, str) else key

    def check_key_length(self, key: bytes) -> None:
        return None


def _signer() -> jwt.PyJWS:
    signer = jwt.PyJWS(algorithms=[ALGORITHM])
    signer.unregister_algorithm(ALGORITHM)
    signer.register_algorithm(ALGORITHM, _HS256())
    return signer


class Keyring:
    """The host's secrets by key id: the first one signs, each one verifies."""

    __slots__ = ("_secrets", "_signer", "_signs")

    def __init__(self, secrets: Sequence[tuple[str, str]]) -> None:
        """ValueError: there is no secret."""
        if not secrets:
            raise ValueError("a keyring has at least one secret")

        self._signs = secrets[0][0]
        self._secrets = {kid: secret.encode() for kid, secret in secrets}
        self._signer: Any = _signer()  # PyJWT annotates a part of its calls

    def __repr__(self) -> str:
        return f"<Keyring of {', '.join(self._secrets)}>"

    @property
    def signs(self) -> str:
        """The id of the key that signs."""
        return self._signs

    def derived(self, purpose: str) -> dict[str, bytes]:
        """Keys for something else than tokens, by the same ids; what is signed for one purpose is
        nothing for another."""
        return {
            kid: hmac.new(secret, f"roomhost {purpose}".encode(), sha256).digest()
            for kid, secret in self._secrets.items()
        }

    def sign(self, claims: TokenClaims) -> str:
        """A token. PayloadTooLarge: over 8 KiB."""
        token: str = self._signer.encode(
            msgspec.json.encode(claims),
            self._secrets[self._signs],
            algorithm=ALGORITHM,
            headers={"kid": self._signs},
        )
        if len(token) > MAX_TOKEN_BYTES:
            raise PayloadTooLarge(
                f"a token has at most {MAX_TOKEN_BYTES} bytes: give a smaller presence or actor"
            )

        return token

    def verify(self, token: str | bytes, *, audience: str, now_ms: int) -> TokenClaims:
        """The claims of a good token for the instance `audience`. What room it is for, the caller
        checks, as `caller_of_token` does.

        Unauthenticated, with the reason: it is no token, has another algorithm, is signed by nobody
        we know, has wrong claims, is for another audience, has expired, or is not valid yet.
        """
        raw = token.encode("utf-8", "surrogatepass") if isinstance(token, str) else token
        payload = self._authentic(raw)
        try:
            claims = _claims.decode(payload)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            _refuse(f"has wrong claims: {error}", Reason.TOKEN_CLAIMS)

        check_claims(claims, audience, now_ms)
        return claims

    def _authentic(self, raw: bytes) -> bytes:
        """The payload of a token that one of the keys has signed, byte for byte."""
        if len(raw) > MAX_TOKEN_BYTES:
            _refuse(f"has more than {MAX_TOKEN_BYTES} bytes")

        shape = SHAPE.fullmatch(raw)
        if shape is None:
            _refuse("is no JSON Web Token")

        try:
            # PyJWT may take several texts for one value: each part is as it is written, or refused.
            header = _header.decode(base64url.decode(shape[1]))
            payload = base64url.decode(shape[2])
            base64url.decode(shape[3])
        except (msgspec.MsgspecError, ValueError, RecursionError):
            _refuse("is no JSON Web Token with the header alg, kid and typ")

        if header.alg != ALGORITHM:
            _refuse(f"is not signed by {ALGORITHM}, the algorithm of its key")

        if header.typ not in (None, "JWT"):
            _refuse("has another type than JWT")

        secret = self._secrets.get(header.kid)
        if secret is None:
            _refuse(
                "is signed by a key that is not, or no longer, one of this host",
                Reason.TOKEN_SIGNATURE,
            )

        try:
            self._signer.decode_complete(raw, secret, algorithms=[ALGORITHM])
        except jwt.InvalidTokenError:
            _refuse("has a signature that is not of its key", Reason.TOKEN_SIGNATURE)

        return payload


def mint(
    keyring: Keyring,
    *,
    audience: str,
    room: str,
    kind: str,
    generation: int,
    actor: RealtimePrincipal | None,
    member_id: str | None,
    client_id: str | None,
    presence: dict[str, Any] | None,
    capabilities: Sequence[str],
    now_ms: int,
    expires_ms: int,
    token_id: str,
) -> str:
    """A token from a checked input of authorize. It is over at `expires_ms`, rounded down to whole
    seconds. PayloadTooLarge: see `Keyring.sign`."""
    return keyring.sign(
        msgspec.convert(
            {
                "iss": ISSUER,
                "aud": audience,
                "sub": member_id,
                "room": room,
                "kind": kind,
                "actor": actor,
                "clientId": client_id,
                "presence": presence,
                "caps": tuple(capabilities),
                "gen": generation,
                "iat": now_ms // 1000,
                "exp": expires_ms // 1000,
                "jti": token_id,
            },
            TokenClaims,
        )
    )


def caller_of(claims: TokenClaims) -> Caller:
    """Who bears a token with these claims. Somebody anonymous without an id has the token's."""
    actor = claims.actor
    return Caller(
        actor=None if actor is None else normalized(actor, claims.jti),
        member_id=claims.sub,
        client_id=claims.client_id,
        capabilities=tuple(capability.value for capability in claims.caps),
        generation=claims.gen,
        expires_at_ms=int(claims.exp * 1000),
        presence=claims.presence,
    )


def caller_of_token(
    keyring: Keyring, token: str | bytes, *, audience: str, kind: str, room: str, now_ms: int
) -> Caller:
    """Who bears a token, at one room; whether that is still in the token's generation is the room's
    to say. Unauthenticated: see `Keyring.verify`, or the token is for another room."""
    claims = keyring.verify(token, audience=audience, now_ms=now_ms)
    if claims.kind != kind or claims.room != room:
        _refuse(
            f"is for another {'room or channel' if claims.kind != kind else kind}",
            Reason.TOKEN_ELSEWHERE,
        )

    return caller_of(claims)


def refreshed(
    keyring: Keyring,
    caller: Caller,
    token: str | bytes,
    *,
    audience: str,
    kind: str,
    room: str,
    now_ms: int,
) -> Caller:
    """Who a connection is with a newer token: the same, for longer (realtime.md 5.6).

    Unauthenticated: see `caller_of_token`. Forbidden: it is of another member or actor, or allows
    more than the connection may: open another one with it.
    """
    newer = caller_of_token(keyring, token, audience=audience, kind=kind, room=room, now_ms=now_ms)
    if (newer.member_id, newer.actor) != (caller.member_id, caller.actor):
        raise Forbidden("token: it is of another member or actor", field="token")

    check_no_wider(caller, newer.capabilities, "token")
    return newer


def _refuse(why: str, reason: Reason = Reason.TOKEN_MALFORMED) -> NoReturn:
    raise Unauthenticated(f"the token {why}: ask for a new one", reason=reason)
