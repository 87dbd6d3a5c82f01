"""Pages of others in the browser of somebody who may: what they may ask for, and by which name."""

from __future__ import annotations

import json

import pytest

from roomhost.runtime.intake import Reason

from ..helpers.served import served
from . import raw
from .app import app
from .beside import beside

pytestmark = pytest.mark.anyio

USER = b"X-Roomhost-User-Id: ann\r\n"  # that a proxy adds to whatever comes from her browser
EVIL = b"Origin: https://evil.example\r\n"
PUBLISH = "/realtime/collab/rooms/a/publish"
MESSAGE = b'{"type": "said", "data": 1}'
SIMPLE = (b"text/plain", b"application/x-www-form-urlencoded", b"multipart/form-data; boundary=x")
SOCKETS = ("/mirror/a/ws", "/realtime/collab/rooms/a/ws", "/realtime/collab/hocuspocus")
ORIGINS = {
    "another": b"https://evil.example", "hidden": b"null", "nothing": b"", "any": b"*",
    "another port": b"http://localhost:1", "another name": b"http://localhost.evil.example",
}  # fmt: skip


async def test_a_form_of_another_page_changes_no_room() -> None:
    """The proxy vouches for the user, but the page is not hers; and no form has the type of a body."""
    async with served(app, trusted_proxies=("127.0.0.1",)) as (url, host):
        async with beside(url), await raw.connect(url) as client:
            for kind in SIMPLE:
                head = USER + EVIL + b"Content-Type: " + kind + b"\r\n"
                assert (await client.ask(raw.post(PUBLISH, MESSAGE, head))).status == 403
                own = USER + b"Content-Type: " + kind + b"\r\n"
                assert (await client.ask(raw.post(PUBLISH, MESSAGE, own))).status == 415
            head = USER + EVIL + b"Content-Type: application/json\r\n"
            assert (await client.ask(raw.post(PUBLISH, MESSAGE, head))).status == 403
            assert host.intake.refusals == {Reason.WRONG_ORIGIN: 4}
            history = await client.ask(raw.get("/realtime/collab/rooms/a/history", USER))
            assert b"said" not in history.body


async def test_no_page_is_let_read_an_answer() -> None:
    """Without allowed origins nothing says that it may, also after a preflight."""
    asks = (
        b"Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: content-type\r\n"
    )
    async with served(app) as (url, _), beside(url), await raw.connect(url) as client:
        preflight = raw.get(PUBLISH, EVIL + asks).replace(b"GET", b"OPTIONS", 1)
        for request in (preflight, raw.get("/realtime/collab/rooms/a/history", EVIL)):
            answer = await client.ask(request)
            assert not [name for name in answer.headers if name.startswith("access-control-allow")]


async def test_the_admin_api_knows_no_ambient_authority() -> None:
    """A page on the host's own machine, a cookie, a proxy's word: only a key counts."""
    heads = (b"", USER, EVIL, b"Cookie: key=key; session=1\r\n", b"Origin: http://localhost\r\n")
    async with served(app, trusted_proxies=("127.0.0.1",)) as (url, _):
        async with beside(url), await raw.connect(url) as client:
            for head in heads:
                for kind in (*SIMPLE, b"application/json"):
                    typed = head + b"Content-Type: " + kind + b"\r\n"
                    answer = await client.ask(raw.post("/_admin/v1/statistics", b"{}", typed))
                    assert answer.status == 401
            basic = b"Authorization: Basic a2V5OmtleQ==\r\n"
            assert (await client.ask(raw.post("/_admin/v1/statistics", b"{}", basic))).status == 401


@pytest.mark.parametrize("origin", ORIGINS)
@pytest.mark.parametrize("path", SOCKETS)
async def test_no_page_of_others_opens_a_socket(path: str, origin: str) -> None:
    """Nor one that hides where it is from: of a room, of all documents, and of an actor's own."""
    async with served(app, trusted_proxies=("127.0.0.1",)) as (url, host), beside(url):
        async with await raw.connect(url) as client:
            head = raw.UPGRADE + USER + b"Origin: " + ORIGINS[origin] + b"\r\n"
            answer = await client.ask(raw.get(path, head))
            assert (answer.status, answer.problem["field"]) == (403, "origin")
            assert host.intake.refusals == {Reason.WRONG_ORIGIN: 1}


async def test_pages_of_this_host_and_who_is_no_page_open_sockets() -> None:
    """And pages of the origins that are allowed."""
    settings = {"allowed_origins": ("https://app.example",)}
    for given, host_settings in (
        (b"", {}), (b"Origin: http://localhost\r\n", {}), (b"Origin: https://app.example\r\n", settings),
    ):  # fmt: skip
        async with served(app, **host_settings) as (url, _):
            async with raw.web_socket(url, "/mirror/a/ws", given) as client:
                await client.send(raw.frame(raw.TEXT, b"x"))
                assert await client.frame() == (raw.TEXT, b"x")


async def test_a_name_that_was_rebound_to_this_machine_is_not_its_own() -> None:
    """A page at http://evil.example:8787 has its name resolve to 127.0.0.1: its requests, of the same
    origin to its browser, are answered with 421, whatever they ask for."""
    async with served(app) as (url, host), beside(url):
        port = url.rpartition(":")[2].encode()
        evil = b"evil.example:" + port
        for path in ("/mirror/a/name", "/metrics", "/healthz", "/_admin/v1/statistics"):
            async with await raw.connect(url) as client:
                answer = await client.ask(raw.get(path, host=evil))
                assert (answer.status, answer.problem["code"]) == (421, "misdirected_request")
        async with await raw.connect(url) as client:
            head = raw.UPGRADE + b"Origin: http://" + evil + b"\r\n"
            assert (await client.ask(raw.get("/mirror/a/ws", head, host=evil))).status == 421
        assert host.intake.refusals == {Reason.WRONG_HOST: 5}


async def test_names_of_this_machine_and_of_a_proxy_are_answered() -> None:
    """Addresses, localhost, names below it, the public one, and any that has not the port of the host:
    a proxy on the same machine passes on what its clients ask for."""
    async with served(app, public_url="https://rooms.example") as (url, _), beside(url):
        port = url.rpartition(":")[2].encode()
        for name in (
            b"localhost:" + port, b"127.0.0.1:" + port, b"[::1]:" + port, b"a.localhost:" + port,
            b"rooms.example:" + port, b"192.168.1.7:" + port, b"app.example", b"app.example:443",
            b"LOCALHOST",
        ):  # fmt: skip
            async with await raw.connect(url) as client:
                answer = await client.ask(raw.get("/mirror/a/name", host=name))
                assert (answer.status, json.loads(answer.body)["name"]) == (200, "a"), name


async def test_a_token_goes_where_the_host_says_not_where_a_client_does() -> None:
    """The URL of a grant has nothing of the Host header."""
    head = b"Authorization: Bearer key\r\nContent-Type: application/json\r\n"
    async with served(app) as (url, _), beside(url), await raw.connect(url) as client:
        path = "/realtime/collab/rooms/a/authorize"
        body = b'{"actor": {"kind": "user", "userId": "ann"}}'
        asked = raw.post(path, body, head).replace(b"Host: localhost", b"Host: evil.example")
        grant = json.loads((await client.ask(asked)).body)
        assert grant["url"].startswith(url.replace("http", "ws"))
