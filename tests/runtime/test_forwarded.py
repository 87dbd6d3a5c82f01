"""What a proxy says of a request counts when the proxy is trusted, and only then."""

from __future__ import annotations

from typing import Any

import pytest

from roomhost.bindings import App
from roomhost.runtime.asgi import url_of
from roomhost.runtime.forwarded import as_seen_by_proxies, client_address
from roomhost.runtime.proxies import parse_network
from roomhost.runtime.testing import host_for

PROXY, STRANGER = "10.0.0.1", "192.0.2.9"
NETWORKS = [parse_network("10.0.0.0/8")]


def scope(peer: str | None, kind: str = "http", **headers: str) -> dict[str, Any]:
    """A request that came from there; its Host is seen:1 in any case."""
    return {
        "type": kind,
        "scheme": "ws" if kind == "websocket" else "http",
        "path": "/x",
        "client": None if peer is None else (peer, 5),
        "headers": [
            (b"host", b"seen:1"),
            *(
                (f"x-forwarded-{name.strip('_')}".encode(), value.encode())
                for name, value in headers.items()
            ),
        ],
    }


def seen(given: dict[str, Any], *proxies: str) -> dict[str, Any]:
    """What an application behind the proxies gets."""
    return dict(as_seen_by_proxies(given, [parse_network(text) for text in proxies]))


@pytest.mark.parametrize(
    ("headers", "url"),
    [
        ({"proto": "https", "host": "example.com"}, "https://example.com/x"),
        ({"proto": "HTTPS"}, "https://seen:1/x"),
        ({"host": "[::1]:8443"}, "http://[::1]:8443/x"),
        ({"proto": "gopher", "host": "a b"}, "http://seen:1/x"),
        ({"host": "a/../b"}, "http://seen:1/x"),
        ({"proto": "", "host": ""}, "http://seen:1/x"),
        ({"proto": "http, https", "host": "evil.example, example.com"}, "https://example.com/x"),
        ({}, "http://seen:1/x"),
    ],
)
def test_a_trusted_proxy_is_believed(headers: dict[str, str], url: str) -> None:
    """Its scheme and host are those of the request, the last of several; what is malformed is not."""
    got = seen(scope(PROXY, **headers), "10.0.0.0/8")
    assert url_of(got, got["headers"]) == url
    assert [name for name, _ in got["headers"]].count(b"host") == 1
    assert got["client"] == (PROXY, 5)


def test_a_web_socket_becomes_one_over_tls() -> None:
    """Its scheme is wss."""
    got = seen(scope(PROXY, "websocket", proto="https"), PROXY)
    assert got["scheme"] == "wss"


@pytest.mark.parametrize("peer", [STRANGER, None, "not an address"])
@pytest.mark.parametrize("proxies", [[], ["10.0.0.0/8"]])
def test_nobody_else_is(peer: str | None, proxies: list[str]) -> None:
    """Whatever it says; a Unix socket has no address to be trusted by."""
    given = scope(peer, proto="https", host="evil.example", _for="1.1.1.1")
    assert seen(given, *proxies) == given


@pytest.mark.parametrize(
    ("peer", "chain", "address"),
    [
        (STRANGER, "1.1.1.1", STRANGER),
        (PROXY, None, PROXY),
        (PROXY, "1.1.1.1", "1.1.1.1"),
        (PROXY, "6.6.6.6, 1.1.1.1", "1.1.1.1"),
        (PROXY, "6.6.6.6, 1.1.1.1, 10.2.3.4", "1.1.1.1"),
        (PROXY, "unknown", PROXY),
        (PROXY, "10.1.1.1", "10.1.1.1"),
        (None, "1.1.1.1", None),
    ],
)
def test_a_client_is_who_the_last_trusted_proxy_saw(
    peer: str | None, chain: str | None, address: str | None
) -> None:
    """What stands before it in the chain is its client's word."""
    headers = {} if chain is None else {"_for": chain}
    assert client_address(scope(peer, **headers), NETWORKS) == address


@pytest.mark.anyio
async def test_a_host_believes_the_proxies_of_its_settings() -> None:
    """What its application sees is what they say."""
    seen_schemes: list[str] = []

    async def main(scope: Any, receive: Any, send: Any) -> None:
        seen_schemes.append(scope["scheme"])

    app = App(name="demo", bindings={}, main=main)
    for proxies in ([PROXY], []):
        async with host_for(app, trusted_proxies=proxies) as host:
            given = {**scope(PROXY, proto="https"), "method": "GET", "query_string": b""}
            await host.asgi(given, None, None)  # type: ignore[arg-type]
    assert seen_schemes == ["https", "http"]
