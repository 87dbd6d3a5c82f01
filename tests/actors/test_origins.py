"""Origins that may connect, and the URL that they connect to."""

from __future__ import annotations

import pytest

from roomhost.actors.errors import Forbidden
from roomhost.actors.origins import check_origin, web_socket_url

HOST = (b"host", b"Example.com:8443")


def may(
    *origins: str | bytes,
    host: tuple[tuple[bytes, bytes], ...] = (HOST,),
    allowed: tuple[str, ...] = (),
    public_url: str | None = None,
) -> bool:
    """Whether a page of these origins may connect."""
    sent = [(b"Origin", text.encode() if isinstance(text, str) else text) for text in origins]
    try:
        check_origin([*host, *sent], allowed, public_url)
    except Forbidden as refused:
        assert "allowed_origins" in refused.message
        return False

    return True


@pytest.mark.parametrize(
    "origin",
    [
        "null", "", "*", "https://other.com", "https://example.com", "https://example.com:8443.evil",
        "https://example.com:8443/", "https://evil@example.com:8443", "https://example.com:8443#",
        "example.com:8443", "https://", "https://example.com:port", b"\xff", "https://exämple.com",
    ],
)  # fmt: skip
def test_a_page_of_another_origin_may_not(origin: str | bytes) -> None:
    """Nor one that hides where it is from, nor what is no origin; nor where others are allowed."""
    assert not may(origin)
    assert not may(origin, allowed=("https://app.example.com",))


def test_null_and_several_origins_are_refused_where_any_is_allowed() -> None:
    """`*` is any origin, and these are none."""
    assert not may("null", allowed=("*",))
    assert not may("https://a.com", "https://a.com", allowed=("*",))
    assert may("https://a.com", allowed=("*",))


def test_a_page_of_this_host_may() -> None:
    """By the request's own host and port, however they are written, or by `public_url`."""
    assert may("https://example.com:8443")
    assert may("http://EXAMPLE.com:8443")
    assert may("https://example.com", host=((b"host", b"example.com"),))
    assert may("https://example.com", host=((b"host", b"example.com:443"),))
    assert may("http://[::1]:8787", host=((b"host", b"[::1]:8787"),))
    assert may("https://live.com", public_url="https://live.com:443/base/")
    assert not may("http://live.com", public_url="https://live.com")
    assert not may("https://a.com", host=((b"host", b"a.com"), (b"host", b"b.com")))
    assert not may("https://a.com", host=())


@pytest.mark.parametrize("page", ["localhost", "127.0.0.1", "[::1]"])
@pytest.mark.parametrize("host", [b"localhost:8787", b"127.0.0.1:8787", b"[::1]:8787"])
def test_this_machine_has_several_names(page: str, host: bytes) -> None:
    """A page that was opened by one of them may connect by another; to the same port alone."""
    assert may(f"http://{page}:8787", host=((b"host", host),))
    assert not may(f"http://{page}:8788", host=((b"host", host),))


def test_what_is_allowed_is_all_that_is() -> None:
    """Then this host's own pages are not, unless they are named."""
    allowed = ("https://App.example.com:443", "http://localhost:3000")
    assert may("https://app.example.com", allowed=allowed)
    assert may("http://localhost:3000", allowed=allowed)
    assert not may("http://localhost:3001", allowed=allowed)
    assert not may("http://app.example.com", allowed=allowed)
    assert not may("https://example.com:8443", allowed=allowed)


def test_who_is_no_browser_may() -> None:
    """It sends no Origin."""
    assert may()
    assert may(allowed=("https://app.example.com",))


@pytest.mark.parametrize(
    ("base", "kind", "room", "url"),
    [
        ("http://a:8787", "room", "lobby", "ws://a:8787/realtime/live/rooms/lobby/ws"),
        ("https://a.com/", "channel", "a:b", "wss://a.com/realtime/live/channels/a%3Ab/ws"),
        ("https://a.com/x/", "crdt", "a/b?c#%é ", "wss://a.com/x/realtime/live/crdt/"
         "a%2Fb%3Fc%23%25%C3%A9%20/ws"),
        ("http://[::1]:1", "room", "x", "ws://[::1]:1/realtime/live/rooms/x/ws"),
    ],
)  # fmt: skip
def test_where_a_browser_opens_the_socket(base: str, kind: str, room: str, url: str) -> None:
    """The name is one segment of the path, whatever it is."""
    assert web_socket_url(base, "live", kind, room) == url


def test_the_base_is_an_http_url() -> None:
    """Nothing else has a WebSocket."""
    for base in ("ws://a", "a.com", "https://a.com?x"):
        with pytest.raises(ValueError, match="public_url"):
            web_socket_url(base, "live", "room", "x")
