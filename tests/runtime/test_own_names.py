"""By which names a host of one machine may be asked for; more of it is in tests/hostile/test_pages.py."""

from __future__ import annotations

from typing import Any

import pytest

from roomhost.runtime.own_names import OwnNames
from roomhost.runtime.settings import make_settings


def asked(host: bytes | None, server: Any = ("127.0.0.1", 8787), **settings: Any) -> bool:
    """Whether a request with this Host header is for this host; twice, as it is remembered."""
    names = OwnNames(make_settings(settings))
    headers = [] if host is None else [(b"host", host)]
    scope = {"server": server, "client": ("127.0.0.1", 1), "headers": headers}
    first = names.are_asked_for(scope)
    assert names.are_asked_for(scope) is first
    return first


@pytest.mark.parametrize(
    "host",
    [b"localhost:8787", b"[::1]:8787", b"10.0.0.1:8787", b"x.localhost:8787", b"any.example", None],
)
def test_an_address_localhost_and_what_a_proxy_passes_on(host: bytes | None) -> None:
    """And who sends no such header, which is no browser."""
    assert asked(host)


@pytest.mark.parametrize(
    "host", [b"evil.example:8787", b"localhost.evil:8787", b"a:b", b"\xff:8787"]
)
def test_another_name_at_the_port_of_the_host_is_none(host: bytes) -> None:
    """Nor what is no name."""
    assert not asked(host)


def test_a_browser_leaves_out_the_port_of_its_scheme() -> None:
    """So a name without one is meant for the host that has it."""
    for port in (80, 443):
        assert not asked(b"evil.example", server=("127.0.0.1", port))
        assert asked(b"localhost", server=("127.0.0.1", port))


def test_what_the_settings_name_is_known() -> None:
    """Also where the server has no address that a name could be rebound to."""
    assert asked(b"my.example:8787", public_url="http://my.example:8787")
    assert asked(b"my.example:8787", allowed_origins=("http://my.example:8787",))
    assert asked(b"my.example:8787", trusted_proxies=("127.0.0.1",))
    assert asked(b"my.example:8787", server=("192.0.2.1", 8787))
    assert asked(b"my.example:8787", server=None)
    assert asked(b"my.example:8787", server=("/run/socket", None))
