"""How clients reach a host: whose word counts, and that the client's own never does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from roomhost.runtime.public_url import PublicUrl, url_of
from roomhost.runtime.settings import make_settings
from roomhost.runtime.testing import host_for

from ..helpers.served import serving
from ..helpers.server_app import app


def location(**settings: Any) -> PublicUrl:
    """Of a host with these settings."""
    return PublicUrl(make_settings(settings))


def scope(**fields: Any) -> dict[str, Any]:
    """A request that a server at 10.0.0.3:8000 got, from a client that claims another host."""
    return {
        "type": "http",
        "scheme": "http",
        "server": ("10.0.0.3", 8000),
        "headers": [(b"host", b"evil.example")],
        **fields,
    }


def test_the_setting_comes_first() -> None:
    """Whatever is seen, without a slash at its end."""
    where = location(public_url="https://example.com/live/")
    where.listens("127.0.0.1", 1)
    where.saw(scope())
    assert str(where) == "https://example.com/live"


def test_where_the_server_listens_comes_next() -> None:
    """Port 0 is not the one it got."""
    where = location(port=0)
    where.saw(scope())
    where.listens("127.0.0.1", 4321)
    assert str(where) == "http://127.0.0.1:4321"


def test_the_first_request_tells_where_another_server_runs_the_host() -> None:
    """Its scheme, address and mount; never its Host header; later requests change nothing."""
    where = location()
    where.saw(scope(scheme="wss", root_path="/löwe/"))
    where.saw(scope(server=("10.0.0.4", 80)))
    assert str(where) == "https://10.0.0.3:8000/l%C3%B6we"


@pytest.mark.parametrize("server", [None, ("/run/host.sock", None)])
def test_a_server_without_an_address_tells_nothing(server: Any) -> None:
    """As on a Unix socket; a later request may."""
    where = location(host="::1", port=99)
    where.saw(scope(server=server))
    assert str(where) == "http://[::1]:99"
    where.saw(scope())
    assert str(where) == "http://10.0.0.3:8000"


@pytest.mark.parametrize(
    ("scheme", "host", "port", "url"),
    [
        ("http", "0.0.0.0", 8787, "http://127.0.0.1:8787"),
        ("http", "::", 8787, "http://[::1]:8787"),
        ("http", "", 80, "http://127.0.0.1"),
        ("https", "fe80::1", 443, "https://[fe80::1]"),
        ("https", "testserver", 80, "https://testserver:80"),
    ],
)
def test_an_address_is_shown_so_that_one_can_connect_to_it(
    scheme: str, host: str, port: int, url: str
) -> None:
    """Every address is the loopback one; the scheme's own port is left out."""
    assert url_of(scheme, host, port) == url


@pytest.mark.anyio
async def test_a_mounted_host_learns_it_from_a_request(tmp_path: Path) -> None:
    """Any server's, wherever the application is mounted."""
    async with host_for(app, data_dir=tmp_path) as host:
        assert host.public_url == "http://127.0.0.1:8787"
        outer = Starlette(routes=[Mount("/live", host.asgi)])
        transport = httpx.ASGITransport(outer)
        async with httpx.AsyncClient(transport=transport, base_url="https://testserver") as client:
            assert (await client.get("/live/echo-room/a")).status_code != 500
        assert host.public_url == "https://testserver/live"


@pytest.mark.anyio
@pytest.mark.parametrize(
    "anyio_backend", [("asyncio", {"use_uvloop": False})], indirect=True, ids=["asyncio"]
)
async def test_a_served_host_is_where_its_server_listens(tmp_path: Path) -> None:
    """Before a request has come, and whatever the settings say of the port."""
    async with (
        host_for(app, data_dir=tmp_path, port=8788) as host,
        serving(host) as (url, _),
    ):
        assert host.public_url == url
