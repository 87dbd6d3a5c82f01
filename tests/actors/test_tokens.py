"""Tokens: what is refused, why, and who the bearer of a good one is."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomhost.actors import base64url
from roomhost.actors.caller import Caller
from roomhost.actors.errors import Forbidden, PayloadTooLarge, RealtimeError, Unauthenticated
from roomhost.actors.tokens import Keyring, caller_of_token, mint, refreshed
from roomhost.actors.types import RealtimePrincipal

NOW_MS = 1_700_000_000_000
SECRET = "s" * 32
KEYRING = Keyring([("new", SECRET), ("old", "o" * 32)])
ANA = RealtimePrincipal(kind="user", id="ana", user_id="ana")
CLAIMS: dict[str, Any] = {
    "iss": "roomhost",
    "aud": "live",
    "sub": "ana",
    "room": "lobby",
    "kind": "room",
    "actor": {"kind": "user", "userId": "ana"},
    "clientId": "phone",
    "presence": {"status": "here"},
    "caps": ["subscribe", "publish"],
    "gen": 3,
    "iat": NOW_MS // 1000,
    "exp": NOW_MS // 1000 + 300,
    "jti": "1",
}
GOOD = jwt.encode(CLAIMS, SECRET, "HS256", {"kid": "new"})


def signed(claims: dict[str, Any], secret: str = SECRET, **header: Any) -> str:
    """A token with these claims and header fields, signed with HMAC-SHA256 whatever it says."""
    return raw_signed(json.dumps(claims).encode(), secret, **header)


def raw_signed(payload: bytes, secret: str = SECRET, **header: Any) -> str:
    """A token around any payload."""
    fields = {"alg": "HS256", "kid": "new", "typ": "JWT"} | header
    shown = {name: value for name, value in fields.items() if value is not None}
    text = f"{base64url.encode(json.dumps(shown).encode())}.{base64url.encode(payload)}"
    return f"{text}.{base64url.encode(hmac.digest(secret.encode(), text.encode(), 'sha256'))}"


def verify(token: str | bytes, now_ms: int = NOW_MS, keyring: Keyring = KEYRING) -> Caller:
    """The bearer of a token at the room that CLAIMS is for."""
    return caller_of_token(
        keyring, token, audience="live", kind="room", room="lobby", now_ms=now_ms
    )


def without_signature(token: str) -> str:
    """A token as `alg: none` has it."""
    return token.rpartition(".")[0] + "."


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        (jwt.encode(CLAIMS, "", "none", {"kid": "new"}), "is no JSON Web Token"),
        (without_signature(GOOD), "is no JSON Web Token"),
        (signed(CLAIMS, alg="none"), "is not signed by HS256"),
        (signed(CLAIMS, alg="None"), "is not signed by HS256"),
        (signed(CLAIMS, alg="RS256"), "is not signed by HS256"),
        (signed(CLAIMS, alg="HS512"), "is not signed by HS256"),
        (signed(CLAIMS, alg=None), "with the header alg, kid and typ"),
        (signed(CLAIMS, kid=None), "with the header alg, kid and typ"),
        (signed(CLAIMS, kid=["new"]), "with the header alg, kid and typ"),
        (signed(CLAIMS, crit=["exp"]), "with the header alg, kid and typ"),
        (signed(CLAIMS, b64=False, crit=["b64"]), "with the header alg, kid and typ"),
        (signed(CLAIMS, jwk={"kty": "oct", "k": "eA"}), "with the header alg, kid and typ"),
        (signed(CLAIMS, typ="other"), "has another type"),
        (signed(CLAIMS, kid="gone"), "is signed by a key that is not"),
        (signed(CLAIMS, "o" * 32), "has a signature that is not of its key"),
        (signed(CLAIMS, kid="old"), "has a signature that is not of its key"),
        (signed(CLAIMS, kid=""), "is signed by a key that is not"),
        (f"{GOOD}.x", "is no JSON Web Token"),
        (GOOD + "=", "is no JSON Web Token"),
        (" " + GOOD, "is no JSON Web Token"),
        (GOOD + "\n", "is no JSON Web Token"),
        ("", "is no JSON Web Token"),
        ("a.b.c", "is no JSON Web Token"),
        ("é.é.é", "is no JSON Web Token"),
        ("\ud800.a.b", "is no JSON Web Token"),
        (signed(CLAIMS | {"presence": {"x": "x" * 8_192}}), "has more than 8192 bytes"),
        (raw_signed(b"[" * 5_000), "has wrong claims"),
        (raw_signed(b"\xff"), "has wrong claims"),
        (raw_signed(b"[]"), "has wrong claims"),
    ],
)
def test_a_token_that_is_not_ours_is_refused(token: str, reason: str) -> None:
    """With the reason, and without the token."""
    with pytest.raises(Unauthenticated, match=reason) as refused:
        verify(token)
    assert refused.value.status == 401
    assert token == "" or token not in refused.value.message


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"aud": "other"}, "another realtime instance"),
        ({"room": "Lobby"}, "for another room"),
        ({"kind": "channel"}, "for another room or channel"),
        ({"exp": NOW_MS // 1000 - 5}, "has expired"),
        ({"iat": NOW_MS // 1000 + 6, "exp": NOW_MS // 1000 + 60}, "not valid yet"),
        ({"nbf": NOW_MS // 1000 + 6}, "not valid yet"),
        ({"exp": NOW_MS // 1000 + 86_401}, "lives from 1 to 86400 seconds"),
        ({"exp": NOW_MS // 1000}, "lives from 1 to 86400 seconds"),
        ({"sub": "x" * 257}, "sub: at most 256 bytes"),
        ({"sub": ""}, "sub: a text that is not empty"),
        ({"clientId": "a\nb"}, "clientId: a text without control characters"),
        ({"actor": {"kind": "user"}}, "a user has a userId or an id"),
        ({"actor": {"kind": "user", "id": "a", "email": "x" * 257}}, r"actor\.email: at most"),
        ({"presence": {"x": "x" * 2_048}}, "presence is at most 2048 bytes"),
    ],
)
def test_a_token_for_something_else_is_refused(changes: dict[str, Any], reason: str) -> None:
    """It is ours, and not good here or now."""
    with pytest.raises(Unauthenticated, match=reason):
        verify(signed(CLAIMS | changes))


@pytest.mark.parametrize(
    ("claim", "wrong"),
    [
        ("iss", ["other", 1, None]),
        ("aud", [["live"], "", "x" * 256, None]),
        ("sub", [1, ["ana"], {}]),
        ("room", ["", 1, "x" * 256, None]),
        ("kind", ["crdt", "rooms", 1, None]),
        ("actor", ["ana", {"kind": "admin"}, {"kind": "user", "id": 1}, {"id": "a"}]),
        ("clientId", [1, []]),
        ("presence", [[], "here", 1]),
        ("caps", ["publish", ["all"], [1], ["publish"] * 8, None]),
        ("gen", ["3", 0, -1, 1.5, 2**31, True, None]),
        ("iat", ["now", -1, 1.5, 1e300, None]),
        ("nbf", ["now", -1]),
        ("exp", ["later", -1, 1.5, 2**70, None]),
        ("jti", ["", 1, "x" * 256, None]),
    ],
)
def test_every_claim_has_its_type_and_bound(claim: str, wrong: list[Any]) -> None:
    """A claim of another type, out of its bound, or missing where it must be."""
    for value in wrong:
        with pytest.raises(Unauthenticated, match="has wrong claims"):
            verify(signed(CLAIMS | {claim: value}))
    if claim not in ("sub", "actor", "clientId", "presence", "nbf"):
        with pytest.raises(Unauthenticated, match="has wrong claims"):
            verify(signed({name: value for name, value in CLAIMS.items() if name != claim}))


def test_a_good_token_says_who_bears_it() -> None:
    """Made by any library, with claims of its own besides."""
    token = jwt.encode(CLAIMS | {"scope": "x"}, SECRET, "HS256", {"kid": "new"})
    expected = Caller(
        actor=ANA,
        member_id="ana",
        client_id="phone",
        capabilities=("subscribe", "publish"),
        generation=3,
        expires_at_ms=NOW_MS + 300_000,
        presence={"status": "here"},
    )
    assert verify(token) == verify(token.encode()) == expected


def test_time_has_a_leeway_of_five_seconds() -> None:
    """And is the one that is given, not the wall's."""
    end_ms = NOW_MS + 300_000
    assert verify(GOOD, end_ms + 4_999).member_id == "ana"
    with pytest.raises(Unauthenticated, match="has expired"):
        verify(GOOD, end_ms + 5_000)
    assert verify(GOOD, NOW_MS - 5_000).member_id == "ana"
    with pytest.raises(Unauthenticated, match="not valid yet"):
        verify(GOOD, NOW_MS - 5_001)


def test_somebody_anonymous_without_an_id_has_the_tokens() -> None:
    """So that the member is the same for as long as the token is."""
    bearer = verify(signed(CLAIMS | {"actor": {"kind": "anonymous"}}))
    assert bearer.actor == RealtimePrincipal(kind="anonymous", id="1")


def test_the_first_key_signs_and_the_others_verify() -> None:
    """What a rotation needs: the old key's tokens are good until it is taken away."""
    before = Keyring([("old", "o" * 32)])
    token = minted(before)
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "kid": "old", "typ": "JWT"}
    assert verify(token).member_id == "ana"
    assert jwt.get_unverified_header(minted(KEYRING))["kid"] == "new"
    with pytest.raises(Unauthenticated, match="signed by a key that is not"):
        verify(token, keyring=Keyring([("new", SECRET)]))


def test_a_minted_token_is_a_plain_jwt() -> None:
    """Any library that has the secret reads it; what was not given is not in it."""
    token = minted(KEYRING, client_id=None, presence=None)
    claims = jwt.decode(
        token, SECRET, ["HS256"], {"verify_exp": False, "verify_iat": False}, audience="live"
    )
    assert claims == {
        name: value for name, value in CLAIMS.items() if name not in ("clientId", "presence")
    } | {"actor": {"kind": "user", "id": "ana", "userId": "ana"}}


def test_a_short_secret_works_without_a_warning_here() -> None:
    """The host has warned at its start; so does a secret that looks like a key of another kind."""
    for secret in ("x", "-----BEGIN PUBLIC KEY-----", '{"kty": "oct"}', "ssh-rsa AAAA"):
        keyring = Keyring([("k", secret)])
        assert verify(minted(keyring), keyring=keyring).member_id == "ana"


def test_a_token_that_grew_too_large_is_not_made() -> None:
    """Nobody could use it."""
    with pytest.raises(PayloadTooLarge, match="8192 bytes"):
        minted(KEYRING, presence={"x": "x" * 8_192})


def test_a_keyring_needs_a_key_and_shows_none() -> None:
    """Its representation has the ids alone."""
    with pytest.raises(ValueError, match="at least one secret"):
        Keyring([])
    assert repr(KEYRING) == "<Keyring of new, old>"


def test_the_signature_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """By `hmac.compare_digest`."""
    compared: list[bytes] = []
    compare = hmac.compare_digest

    def spy(left: Any, right: Any) -> bool:
        compared.append(left)
        return compare(left, right)

    monkeypatch.setattr(hmac, "compare_digest", spy)
    verify(GOOD)
    assert compared == [base64url.decode(GOOD.rpartition(".")[2])]


def test_a_connection_is_refreshed_by_its_like_alone() -> None:
    """The same member and actor, and nothing that it may not do already."""
    connection = verify(GOOD)
    later = CLAIMS | {"exp": CLAIMS["exp"] + 60, "caps": ["subscribe"]}
    newer = refresh(connection, signed(later))
    assert (newer.capabilities, newer.expires_at_ms) == (("subscribe",), NOW_MS + 360_000)
    for changes in (
        {"sub": "bob"},
        {"actor": {"kind": "user", "userId": "bob"}},
        {"caps": ["subscribe", "admin"]},
    ):
        with pytest.raises(Forbidden) as refused:
            refresh(connection, signed(later | changes))
        assert refused.value.field == "token"
    for changes in ({"room": "other"}, {"kind": "channel"}, {"aud": "other"}):
        with pytest.raises(Unauthenticated):
            refresh(connection, signed(later | changes))


def refresh(connection: Caller, token: str) -> Caller:
    """What `auth.refresh` does."""
    return refreshed(
        KEYRING, connection, token, audience="live", kind="room", room="lobby", now_ms=NOW_MS
    )


def minted(keyring: Keyring, **changes: Any) -> str:
    """A token as authorize makes it."""
    fields: dict[str, Any] = {
        "audience": "live",
        "room": "lobby",
        "kind": "room",
        "generation": 3,
        "actor": ANA,
        "member_id": "ana",
        "client_id": "phone",
        "presence": {"status": "here"},
        "capabilities": ("subscribe", "publish"),
        "now_ms": NOW_MS,
        "expires_ms": NOW_MS + 300_999,
        "token_id": "1",
    }
    return mint(keyring, **(fields | changes))


def never_passes(read: Callable[[bytes], object], data: bytes) -> None:
    """Reading fails, with an error that a client may see."""
    try:
        read(data)
    except RealtimeError:
        return

    raise AssertionError(f"{data!r} passed")


@given(st.binary(max_size=300))
def test_arbitrary_bytes_never_pass(data: bytes) -> None:
    """And raise nothing but a RealtimeError."""
    never_passes(verify, data)


@given(st.binary(max_size=200), st.binary(max_size=200), st.binary(max_size=40))
def test_arbitrary_parts_never_pass(header: bytes, payload: bytes, signature: bytes) -> None:
    """Each of them well-formed base64url."""
    parts = map(base64url.encode, (header, payload, signature))
    never_passes(verify, ".".join(parts).encode())


@given(
    st.integers(0, len(GOOD) - 1), st.integers(0, 255), st.sampled_from("set insert cut".split())
)
def test_a_changed_token_never_passes(place: int, byte: int, how: str) -> None:
    """One byte of it is another, is added, or is missing, wherever."""
    token = GOOD.encode()
    rest = token[place:] if how == "insert" else token[place + 1 :]
    changed = token[:place] + (b"" if how == "cut" else bytes((byte,))) + rest
    if changed != token:
        never_passes(verify, changed)


@given(
    st.dictionaries(
        st.sampled_from(sorted(CLAIMS)),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
            ),
        ),
    )
)
def test_signed_nonsense_raises_nothing_else(changes: dict[str, Any]) -> None:
    """Claims of any shape, from somebody who has the key: a caller, or an Unauthenticated."""
    try:
        assert isinstance(verify(signed(CLAIMS | changes)), Caller)
    except Unauthenticated as refused:
        assert refused.message.startswith("the token ")
