"""What serves the inspector's page: to whom it is on, with which headers, and where it was not built."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from roomhost.admin import inspector
from roomhost.bindings import App
from roomhost.runtime import DurableObject
from roomhost.runtime.testing import host_for

pytestmark = pytest.mark.anyio


class Room(DurableObject):
    """Any object."""


app = App(name="rooms", bindings={"ROOM": Room})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A page as `make inspector` leaves it, in place of the installed one."""
    for name, _ in inspector.FILES.values():
        (tmp_path / name).write_text(f"this is {name}")
    monkeypatch.setattr(inspector, "__file__", str(tmp_path / "inspector.py"))
    return tmp_path


@asynccontextmanager
async def client_of(*, on: bool = True, prefix: str = "") -> AsyncGenerator[httpx.AsyncClient]:
    """A client of a host whose inspector is on or off, mounted below a prefix."""
    async with host_for(app, inspector=on) as host:
        outer = Starlette(routes=[Mount(prefix, host.asgi)]) if prefix else host.asgi
        transport = httpx.ASGITransport(outer)
        async with httpx.AsyncClient(transport=transport, base_url="http://host") as client:
            yield client


async def test_there_is_none_unless_it_is_asked_for(folder: Path) -> None:
    """404, with the setting that turns it on."""
    async with client_of(on=False) as client:
        answer = await client.get("/_inspector/")
    assert answer.status_code == 404
    assert "inspector = true" in answer.json()["message"]


async def test_a_page_that_was_not_built_is_said(folder: Path) -> None:
    """What is missing, and how to get it; no half of a page."""
    (folder / "inspector.js").unlink()
    async with client_of() as client:
        answer = await client.get("/_inspector/")
    assert answer.status_code == 503
    assert "make inspector" in answer.text


async def test_every_file_is_served_with_the_policy(folder: Path) -> None:
    """Nothing but its own script and style runs, no frame holds it, no address leaks, no cookie is set."""
    async with client_of() as client:
        for path, (name, kind) in inspector.FILES.items():
            answer = await client.get(f"/_inspector/{path}")
            assert (answer.status_code, answer.text) == (200, f"this is {name}")
            assert answer.headers["content-type"] == kind
            policy = answer.headers["content-security-policy"].split("; ")
            assert {"default-src 'none'", "script-src 'self'", "style-src 'self'"} <= set(policy)
            assert {"frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"} <= set(
                policy
            )
            assert "unsafe" not in answer.headers["content-security-policy"]
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["referrer-policy"] == "no-referrer"
            assert "set-cookie" not in answer.headers


async def test_a_file_that_has_not_changed_is_not_sent_again(folder: Path) -> None:
    """304 for the tag that was given, among others too."""
    async with client_of() as client:
        tag = (await client.get("/_inspector/inspector.js")).headers["etag"]
        given = {"if-none-match": f'"other", W/{tag}'}
        answer = await client.get("/_inspector/inspector.js", headers=given)
        assert (answer.status_code, answer.content) == (304, b"")
        given = {"if-none-match": '"other"'}
        assert (await client.get("/_inspector/inspector.js", headers=given)).status_code == 200


@pytest.mark.parametrize(
    "path", ["app.js", "../inspector.py", "..%2finspector.py", "a/b", "index.html"]
)
async def test_nothing_else_is_served(folder: Path, path: str) -> None:
    """No other file, by whichever path."""
    async with client_of() as client:
        answer = await client.get(f"http://host/_inspector/{path}")
    assert answer.status_code == 404


async def test_it_is_read_only(folder: Path) -> None:
    """405 for what is no read."""
    async with client_of() as client:
        answer = await client.post("/_inspector/")
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
        assert (await client.head("/_inspector/")).status_code == 200


@pytest.mark.parametrize("prefix", ["", "/rooms"])
async def test_its_address_ends_with_a_slash(folder: Path, prefix: str) -> None:
    """The page's own addresses are relative to it, below a prefix too."""
    async with client_of(prefix=prefix) as client:
        answer = await client.get(f"{prefix}/_inspector")
        assert (answer.status_code, answer.headers["location"]) == (307, f"{prefix}/_inspector/")
        assert (await client.get(answer.headers["location"])).status_code == 200
