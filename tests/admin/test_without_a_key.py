"""Whoever has no API key gets nothing from a route of the host, whatever is asked and however."""

from __future__ import annotations

from typing import Any

import pytest

from roomhost.admin.operations import OPERATIONS
from roomhost.runtime import Host, limits
from roomhost.runtime.host_routes import installed
from roomhost.runtime.remote_frames import PATH
from roomhost.runtime.safe_headers import SAFE_HEADERS
from roomhost.runtime.testing import ManualClock, host_for

from ..helpers.server_app import app

pytestmark = pytest.mark.anyio
KEY = "the-key-of-this-host"
STRANGER = "192.0.2.9"
OF_PAGES = {"_inspector"}  # files without data, which ask for the key themselves
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

NO_CREDENTIALS: list[list[tuple[bytes, bytes]]] = [
    [],
    [(b"authorization", b"Bearer wrong")],
    [(b"authorization", b"Bearer ")],
    [(b"authorization", b"Bearer")],
    [(b"authorization", f"Basic {KEY}".encode())],
    [(b"authorization", KEY.encode())],
    [(b"authorization", f"Bearer {KEY[:-1]}".encode())],
    [(b"authorization", f"Bearer {KEY}x".encode())],
    [(b"authorization", f"Bearer {KEY}".encode()), (b"authorization", b"Bearer x")],
    [(b"x-api-key", KEY.encode())],
    [(b"cookie", f"api_key={KEY}".encode())],
    [(b"x-forwarded-for", b"127.0.0.1"), (b"x-forwarded-host", b"localhost")],
]


def paths_of(name: str) -> list[str]:
    """What may be asked of a route: its root, something that is not there, and each operation."""
    operations = [f"/_admin/v1/{operation}" for operation in OPERATIONS]
    return [f"/{name}", f"/{name}/", f"/{name}/nothing", *(operations * (name == "_admin"))]


def everything() -> list[str]:
    """Every path that is a matter of API keys."""
    routes = [path for name in sorted({*installed()} - OF_PAGES) for path in paths_of(name)]
    return [*routes, PATH, "/_rpc/", "/_rpc/nothing"]


async def answer(
    host: Host,
    path: str,
    headers: list[tuple[bytes, bytes]],
    method: str = "",
    query: bytes = b"",
    peer: str = "127.0.0.1",
) -> tuple[int, dict[str, str]]:
    """The status and the headers of a request, or of an upgrade when there is no method."""
    kind = "http" if method else "websocket"
    sent: list[Any] = []
    incoming: list[Any] = [{"type": "http.request"} if method else {"type": "websocket.connect"}]

    async def receive() -> Any:
        return incoming.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    scope: dict[str, Any] = {
        "type": kind,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
        "headers": headers,
        "scheme": "http" if method else "ws",
        "client": (peer, 1),
        "extensions": {} if method else {"websocket.http.response": {}},
    }
    if method:
        scope["method"] = method
    await host.asgi(scope, receive, send)
    start = sent[0]
    assert start["type"].endswith("http.response.start")
    return start["status"], {name.decode(): value.decode() for name, value in start["headers"]}


@pytest.mark.parametrize("keys", [(), ("",), (KEY,)], ids=["none", "empty", "one"])
@pytest.mark.parametrize("edit", [False, True])
async def test_every_route_refuses_whoever_has_no_key(keys: tuple[str, ...], edit: bool) -> None:
    """By any method and as a WebSocket, with whatever is not the key in its place; and a host without
    keys refuses everybody. No browser takes the refusal for a page."""
    async with host_for(app, api_keys=keys, inspector=True, inspector_edit=edit) as host:
        for path in everything():
            for headers in NO_CREDENTIALS:
                status, sent = await answer(host, path, headers, "POST")
                assert status == 401, (path, headers)
                assert sent["www-authenticate"] == "Bearer"
                assert sent.items() >= SAFE_HEADERS.items()
            for method in (*METHODS, ""):
                assert (await answer(host, path, [], method))[0] == 401, (path, method)
            in_query = f"api_key={KEY}&key={KEY}".encode()
            assert (await answer(host, path, [], "POST", in_query))[0] == 401, path


async def test_pages_are_all_that_needs_no_key() -> None:
    """They are read and no more, and only where the setting says so."""
    for inspector in (False, True):
        async with host_for(app, api_keys=[KEY], inspector=inspector) as host:
            for name in OF_PAGES & {*installed()}:
                for path in paths_of(name):
                    for method in METHODS:
                        status, _ = await answer(host, path, [], method)
                        read = inspector and method in ("GET", "HEAD")
                        assert status >= 300 or read, (path, method)


async def test_the_key_opens_what_it_is_for() -> None:
    """The other side of it: the refusals above are those of a host that answers."""
    async with host_for(app, api_keys=["older", KEY]) as host:
        headers = [(b"authorization", f"Bearer {KEY}".encode())]
        assert (await answer(host, "/_admin/v1/host", headers, "POST"))[0] == 200
        assert (await answer(host, "/_rpc/nothing", headers, "POST"))[0] == 404


@pytest.mark.parametrize("path", ["/_admin/v1/host", PATH])
async def test_who_guesses_keys_is_refused_for_a_while(path: str) -> None:
    """Even with the right one, which a guess would become; others are answered."""
    clock = ManualClock()
    wrong, right = ([(b"authorization", f"Bearer {key}".encode())] for key in ("x", KEY))
    async with host_for(app, clock=clock, api_keys=[KEY]) as host:
        for _ in range(limits.MAX_FAILED_KEYS):
            assert (await answer(host, path, [], "POST", peer=STRANGER))[0] == 401
        for _ in range(limits.MAX_FAILED_KEYS):
            assert (await answer(host, path, wrong, "POST", peer=STRANGER))[0] == 401
        status, sent = await answer(host, path, right, "POST", peer=STRANGER)
        assert (status, "retry-after" in sent) == (429, True)
        assert (await answer(host, path, right, "POST"))[0] in (200, 426)
        await clock.advance(limits.FAILED_KEY_SECONDS)
        assert (await answer(host, path, right, "POST", peer=STRANGER))[0] in (200, 426)


async def test_what_the_host_answers_by_itself_is_no_page() -> None:
    """Its headers say so to a browser."""
    async with host_for(app) as host:
        for path in ("/healthz", "/readyz", "/_admin/v1/host"):
            _, sent = await answer(host, path, [], "GET")
            assert sent.items() >= SAFE_HEADERS.items()
