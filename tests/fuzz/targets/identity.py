"""What says who or what is meant: ids, names, cursors, tokens, and the headers of proxies and pages."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from roomhost.actors import base64url
from roomhost.actors.base64_text import decode_base64, encode_base64
from roomhost.actors.credentials import _credential
from roomhost.actors.cursors import Cursors
from roomhost.actors.errors import InvalidArgument, PayloadTooLarge, RealtimeError
from roomhost.actors.headers import identity_of
from roomhost.actors.names import check_name
from roomhost.actors.origins import check_origin
from roomhost.actors.principals import check_principal
from roomhost.actors.targets import decode_name, find_target
from roomhost.actors.tokens import Keyring, caller_of, mint
from roomhost.actors.types import RealtimePrincipal
from roomhost.runtime.forwarded import client_address, forwarded
from roomhost.runtime.object_id import IdFactory
from roomhost.runtime.proxies import parse_network
from roomhost.runtime.urls import parse_origin, parse_public_url

from ..grammar import broken, json_objects, json_values, near
from ..target import Target, demand, refused

IDS = IdFactory("a namespace", None)
KEYRING = Keyring([("k1", "s" * 32), ("k2", "t" * 32)])
CURSORS = Cursors(KEYRING, "live")
NOW_MS = 1_767_225_600_000
PLACE = ("room", "lobby", 1)
TRUSTED = [parse_network("10.0.0.0/8"), parse_network("::1")]
HEADER_NAMES = (
    *(b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"host", b"origin"),
    *(b"authorization", b"x-user-id", b"x-session-id", b"x-user-email", b"x-tenant-id"),
)


def run_id(data: bytes) -> None:
    """TypeError, or an id that prints as what it was read from."""
    text = data.decode("utf-8", "surrogateescape")
    found = refused(IDS.from_string, text, by=TypeError)
    if found is not None:
        demand(str(found) == text.lower(), "another id", text)
    name = refused(IDS.from_name, text, by=ValueError)
    if name is not None:
        demand(IDS.from_string(str(name)) == name, "the id of a name is not one", text)


def run_cursor(data: bytes) -> None:
    """InvalidArgument, or a sequence number whose cursor is that text: nobody else can write one."""
    text = data.decode("latin-1")
    for room in ("lobby", "other"):
        seq = refused(CURSORS.decode, text, "room", room, 1, by=InvalidArgument)
        if seq is not None:
            demand(room == "lobby", "a cursor of another room is read", text)
            demand(text == CURSORS.encode(*PLACE, seq), "a cursor with a second spelling", text)


def run_token(data: bytes) -> None:
    """A RealtimeError, or claims that are within their bounds. What is no token is signed first, so
    that the claims are looked at: a payload is anything."""
    _check_token(data)
    payload = base64url.encode(data[:4_000])
    header = base64url.encode(b'{"alg":"HS256","kid":"k1"}')
    signed = f"{header}.{payload}"
    mac: bytes = KEYRING._signer.get_algorithm_by_name("HS256").sign(signed.encode(), b"s" * 32)
    _check_token(f"{signed}.{base64url.encode(mac)}".encode())


def _check_token(token: bytes) -> None:
    for audience in ("live", "other"):
        try:
            claims = KEYRING.verify(token, audience=audience, now_ms=NOW_MS)
        except RealtimeError:
            continue

        demand(claims.aud == audience, "a token for somebody else", claims.aud, audience)
        demand(0 < claims.exp - claims.iat <= 86_400, "a token without an end", claims)
        demand(claims.exp * 1000 + 5_000 > NOW_MS, "a token that has expired", claims)
        check_principal(claims.actor)
        caller_of(claims)


def run_name(data: bytes) -> None:
    """Of a path: a RealtimeError, or a name that may be one, whatever was encoded in it."""
    segments = data.split(b"/")[:5]
    found = refused(find_target, segments, by=RealtimeError)
    if found is not None and found.name:
        demand(check_name(found.name, "name") == found.name, "no name", found.name)
        demand(found.name not in (".", "..") and "\0" not in found.name, "a trick", found.name)
    name = refused(decode_name, data, by=InvalidArgument)
    if name is not None:
        demand(0 < len(name.encode()) <= 255, "a name of any size", name)


def run_base64(data: bytes) -> None:
    """Both texts of bytes have one spelling, and nothing but it is read."""
    text = data.decode("latin-1")
    plain = refused(decode_base64, text, "f", 10_000, by=(InvalidArgument, PayloadTooLarge))
    if plain is not None:
        demand(encode_base64(plain) == text, "a second spelling", text)
    url = refused(base64url.decode, text, by=ValueError)
    if url is not None:
        demand(base64url.encode(url) == text, "a second spelling", text)


def run_headers(data: bytes) -> None:
    """Of proxies and pages: a RealtimeError, or what they say. A line each: a letter for the name, and
    the value."""
    headers: list[tuple[bytes, bytes]] = []
    for line in data.split(b"\n")[:20]:
        number = (line[0] - ord("a")) % len(HEADER_NAMES) if line else 0
        headers.append((HEADER_NAMES[number], line[1:]))
    scope: dict[str, Any] = {"type": "http", "headers": headers, "client": ("10.0.0.1", 1)}
    changed = forwarded(scope)
    for name, value in changed["headers"]:
        told = name == b"host" and (name, value) not in headers  # by a proxy
        demand(not told or (value.isascii() and b"\r" not in value), "a header in a header", value)
    client_address(scope, TRUSTED)
    refused(identity_of, scope, ["10.0.0.0/8"], by=RealtimeError)
    refused(_credential, headers, [data.decode("latin-1")[:99]], None, by=RealtimeError)
    for allowed in ((), ("https://app.example.com",), ("*",)):
        refused(check_origin, headers, allowed, "https://example.com/live", by=RealtimeError)


def run_url(data: bytes) -> None:
    """ValueError, or a text that stays what it is when it is read again."""
    text = data.decode("latin-1")
    origin = refused(parse_origin, text, by=ValueError)
    if origin is not None:
        demand(parse_origin(origin) == origin, "another origin the second time", text, origin)
    url = refused(parse_public_url, text, by=ValueError)
    if url is not None:
        demand(parse_public_url(url) == url, "another URL the second time", text, url)
        demand("\r" not in url and "\n" not in url, "a line break", url)
    refused(parse_network, text, by=ValueError)


def _token(**fields: Any) -> bytes:
    given: dict[str, Any] = {
        "audience": "live",
        "room": "lobby",
        "kind": "room",
        "generation": 1,
        "actor": RealtimePrincipal(kind="user", id="ann", user_id="ann"),
        "member_id": "ann",
        "client_id": None,
        "presence": {"a": 1},
        "capabilities": ("subscribe", "publish"),
        "now_ms": NOW_MS,
        "expires_ms": NOW_MS + 300_000,
        "token_id": "1",
    }
    return mint(KEYRING, **(given | fields)).encode()


_tokens = (_token(), _token(kind="channel", member_id=None, actor=None, presence=None))
_claims = tuple(base64url.decode(token.split(b".")[1]) for token in _tokens)
_moments = st.sampled_from((0, 1, NOW_MS // 1000, NOW_MS // 1000 + 300, 2**40, -1, 1.5))
_cursors = tuple(CURSORS.encode(*PLACE, seq).encode() for seq in (0, 7, 2**63 - 1))
_ids = (
    str(IDS.from_name("a")).encode(),
    str(IDS.from_name("a")).upper().encode(),
    b"a" * 64,
    b" a" * 32,
)
_names = (
    b"rooms/lobby/ws",
    b"crdt/a%2Fb/document",
    b"yjs/%E2%98%83",
    b"rooms/%2e%2E/join",
    b"stats",
)
_headers = (
    b"a1.2.3.4, 10.0.0.2, unknown\nb https\ncexample.com:8\ndexample.com\nehttps://example.com",
    b"fBearer key\nga%20b\nhs\ni%ff\na::ffff:10.0.0.9",
    b"d[::1]:80\nehttp://[::1]:80",
    b"enull\nf Bearer a b\njt\ngu",
)
_urls = (
    b"https://app.example.com",
    b"http://[::1]:8080/live/",
    b"*",
    b"10.0.0.0/8",
    b"https://a:443",
)

TARGETS = (
    Target("object-ids", run_id, _ids, near(_ids)),
    Target(
        "cursors",
        run_cursor,
        _cursors,
        near(_cursors),
        {"a long text": lambda size: b"A" * size},
    ),
    Target(
        "tokens",
        run_token,
        (*_tokens, *_claims),
        near((*_tokens, *_claims))
        | broken(
            json_objects(
                {
                    **dict.fromkeys(("iat", "exp", "nbf"), _moments),
                    "iss": st.just("roomhost"),
                    "aud": st.just("live"),
                    "room": st.just("lobby"),
                    "kind": st.sampled_from(("room", "channel")),
                    "caps": st.lists(st.sampled_from(("publish", "subscribe")), max_size=3),
                    "gen": st.integers(0, 3),
                    "jti": st.just("1"),
                    "sub": st.text(max_size=3),
                    "presence": json_values,
                    "actor": st.fixed_dictionaries({"kind": st.just("user"), "userId": st.text()}),
                }
            )
        ),
        {
            "dots": lambda size: b"a." * (size // 2),
            "deep claims": lambda size: b'{"presence":' + b"[" * size,
        },
    ),
    Target(
        "names",
        run_name,
        _names,
        near(_names),
        {"percents": lambda size: b"%41" * (size // 3), "slashes": lambda size: b"/" * size},
    ),
    Target(
        "base64",
        run_base64,
        (b"YQ==", b"YWI=", b"YR==", b"_-8", b"YWJj"),
        near((b"YQ==", b"YWI=", b"_-8", b"YWJj", b"YW Jj")),
    ),
    Target(
        "headers",
        run_headers,
        _headers,
        near(_headers),
        {"addresses": lambda size: b"a" + b"10.0.0.1," * (size // 9)},
        65_536,
    ),
    Target(
        "urls",
        run_url,
        _urls,
        near(_urls),
        {"colons": lambda size: b"http://" + b":" * size},
        65_536,
    ),
)
