"""The user of a request: whose word counts, and what of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomhost.actors.errors import InvalidArgument
from roomhost.actors.headers import identity_of
from roomhost.actors.types import RealtimePrincipal

PROXIES = ("10.0.0.0/8", "::1")


def scope(*headers: tuple[str | bytes, str | bytes], client: Any = ("10.1.2.3", 5)) -> Any:
    """A request with these headers."""
    encoded = [tuple(x.encode() if isinstance(x, str) else x for x in pair) for pair in headers]
    return {"type": "http", "headers": encoded, "client": client}


@pytest.mark.parametrize(
    "client",
    [("11.0.0.1", 5), ("::2", 5), ("::ffff:11.0.0.1", 5), ("localhost", 5), ("", 0), None],
)
def test_nobody_else_says_who_the_user_is(client: Any) -> None:
    """Another peer, or one without an address; what it forwards changes nothing, nor does nonsense."""
    headers = (("x-user-id", "ana"), ("x-user-id", "%ff"), ("x-forwarded-for", "10.0.0.1"))
    assert identity_of(scope(*headers, client=client), PROXIES) is None
    assert identity_of(scope(*headers), ()) is None


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("%ff", "percent-encoded UTF-8"),
        (b"\xff", "percent-encoded UTF-8"),
        ("100%", "write % as %25"),
        ("%4", "write % as %25"),
        ("%zz", "write % as %25"),
        ("a%0Ab", "control characters"),
        ("a%00", "control characters"),
        ("x" * 257, "at most 256 bytes"),
        ("%C3%A9" * 129, "at most 256 bytes"),
        ("%ED%A0%80", "percent-encoded UTF-8"),
    ],
)
def test_a_wrong_value_is_refused_by_its_header(value: str | bytes, words: str) -> None:
    """Rather than that the user is somebody else, or nobody."""
    for name in ("X-User-Name", "x-roomhost-user-id"):
        request = scope((name, value), ("x-user-id", "ana"))
        with pytest.raises(InvalidArgument, match=words) as refused:
            identity_of(request, PROXIES)
        assert (refused.value.field, refused.value.status) == (name.lower(), 400)


def test_a_header_that_is_there_twice_is_refused() -> None:
    """One of them may be the client's own."""
    for second in ("ana", "bob", ""):
        with pytest.raises(InvalidArgument, match="x-user-id is there twice"):
            identity_of(scope(("x-user-id", "ana"), ("X-User-Id", second)), PROXIES)


@pytest.mark.parametrize("client", [("10.255.0.1", 5), ("::1", 5), ("::ffff:10.0.0.1", 5)])
def test_a_trusted_proxy_says_who_the_user_is(client: Any) -> None:
    """In the headers of this host's own name."""
    request = scope(
        ("x-roomhost-user-id", "ana%20%C3%A9"),
        ("x-roomhost-session-id", "s"),
        ("x-roomhost-tenant-id", "t"),
        ("x-roomhost-user-email", "a@example.com"),
        ("x-roomhost-user-name", "Ana"),
        client=client,
    )
    assert identity_of(request, PROXIES) == RealtimePrincipal(
        kind="user",
        id="ana é",
        user_id="ana é",
        session_id="s",
        tenant_id="t",
        email="a@example.com",
        display_name="Ana",
    )


def test_one_set_of_headers_counts() -> None:
    """The plain ones, unless there is one of this host's own name; an empty value is none."""
    plain = (("x-user-id", "ana"), ("x-user-email", "a@example.com"))
    found = identity_of(scope(*plain, ("x-roomhost-user-id", "")), PROXIES)
    assert found == RealtimePrincipal(kind="user", id="ana", user_id="ana", email="a@example.com")
    found = identity_of(scope(*plain, ("x-roomhost-user-id", "bob")), PROXIES)
    assert found == RealtimePrincipal(kind="user", id="bob", user_id="bob")


def test_a_session_alone_is_somebody_anonymous() -> None:
    """With the session for an id; a name alone is nobody."""
    found = identity_of(scope(("x-session-id", "s"), ("x-user-name", "Guest")), PROXIES)
    assert found == RealtimePrincipal(
        kind="anonymous", id="s", session_id="s", display_name="Guest"
    )
    assert identity_of(scope(("x-user-name", "Guest")), PROXIES) is None
    assert identity_of(scope(), PROXIES) is None


@given(st.binary(max_size=300))
def test_any_value_is_a_user_or_refused(value: bytes) -> None:
    """Nothing else comes of arbitrary bytes."""
    try:
        found = identity_of(scope(("x-user-id", value)), PROXIES)
    except InvalidArgument:
        return

    assert (found is None) == (not value.strip())
