"""The editor's routes: the page, its script, its grants, and the text of a document."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from pycrdt import Text

from examples.editor import app
from roomhost.runtime import Host
from roomhost.runtime.testing import host_for

pytestmark = pytest.mark.anyio
WHO = {"name": "ann", "secret": "0123456789abcdef"}


@pytest.fixture
def anyio_backend() -> str:
    """Starlette's routes are the same on each; httpx leaves its generators to trio's warnings."""
    return "asyncio"


@pytest.fixture
def unbuilt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the script of the page is to be, which is not there."""
    path = tmp_path / "editor.js"
    monkeypatch.setattr("examples.editor.BUNDLE", path)
    return path


@pytest.fixture
def bundle(unbuilt: Path) -> None:
    """A script of the page."""
    unbuilt.write_text("// built")


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    """The example."""
    async with host_for(app) as running:
        yield running


@pytest.fixture
async def client(host: Host) -> AsyncIterator[httpx.AsyncClient]:
    """What asks the example, without a network."""
    transport = httpx.ASGITransport(host.asgi)
    async with httpx.AsyncClient(transport=transport, base_url="http://editor") as opened:
        yield opened


async def post(
    client: httpx.AsyncClient, path: str, body: object, **headers: str
) -> httpx.Response:
    """The answer to JSON."""
    headers |= {"content-type": "application/json"}
    return await client.post(path, content=json.dumps(body), headers=headers)


async def test_without_its_script_the_page_says_how_to_build_it(
    client: httpx.AsyncClient, unbuilt: Path
) -> None:
    """In the place of the page, and of the script."""
    for path, status in (("/notes", 503), ("/editor.js", 404)):
        response = await client.get(path)
        assert (response.status_code, "`make editor`" in response.text) == (status, True)


async def test_the_front_page_leads_to_a_document_with_a_policy(
    client: httpx.AsyncClient, bundle: None
) -> None:
    """The page allows its own style and the script of this host, and nothing that is unsafe."""
    assert (await client.get("/")).headers["location"] == "/notes"
    response = await client.get("/notes")
    assert "script-src 'self'" in response.headers["content-security-policy"]
    assert "unsafe" not in response.headers["content-security-policy"]
    assert " style=" not in response.text and " onclick=" not in response.text
    script = await client.get("/editor.js")
    assert (script.text, script.headers["content-type"]) == (
        "// built",
        "text/javascript; charset=utf-8",
    )


@pytest.mark.parametrize("wrong", [{}, {"name": ""}, {"name": " "}, {"secret": "short"}])
async def test_a_page_says_who_it_is(client: httpx.AsyncClient, wrong: dict[str, str]) -> None:
    """Without a name and a secret there is no grant."""
    body = wrong and WHO | wrong
    assert (await post(client, "/notes/grant", body)).status_code == 400


async def test_a_grant_is_for_its_document_alone(client: httpx.AsyncClient) -> None:
    """It reads and writes that one, and neither another one nor messages."""
    grant = (await post(client, "/notes/grant", WHO)).json()
    assert grant["actor"]["displayName"] == "ann"
    bearer = {"authorization": f"Bearer {grant['token']}"}
    crdt = "/realtime/editor/crdt"
    assert (await post(client, f"{crdt}/notes/sync-yjs", {}, **bearer)).status_code == 200
    assert (await post(client, f"{crdt}/other/sync-yjs", {}, **bearer)).status_code == 401
    message = {"type": "chat"}
    assert (await post(client, f"{crdt}/notes/publish", message, **bearer)).status_code == 403


async def test_the_text_of_a_document_is_read_on_the_server(
    host: Host, client: httpx.AsyncClient
) -> None:
    """What pages, or code, have written into `text`; nothing where nobody has."""
    assert (await client.get("/notes/text")).text == ""
    async with host.env.EDITOR.crdt_room("notes").edit() as document:
        document.get("text", type=Text).insert(0, "größe 🙂")
    response = await client.get("/notes/text")
    assert response.text == "größe 🙂"
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
