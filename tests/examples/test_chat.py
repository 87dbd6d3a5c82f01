"""The chat's routes, in process: pages with their policy, grants, and who gets none."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from examples.chat import app
from roomhost.runtime.testing import host_for

pytestmark = pytest.mark.anyio
SECRET = "0123456789abcdef"


@pytest.fixture
def anyio_backend() -> str:
    """Starlette's routes are the same on each; httpx leaves its generators to trio's warnings."""
    return "asyncio"


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """What asks the example, without a network."""
    async with host_for(app) as host:
        transport = httpx.ASGITransport(host.asgi)
        async with httpx.AsyncClient(transport=transport, base_url="http://chat") as opened:
            yield opened


async def grant(client: httpx.AsyncClient, room: str = "a", **body: Any) -> httpx.Response:
    """The answer to a page that asks for a grant."""
    content = json.dumps({"name": "ann", "secret": SECRET} | body)
    headers = {"content-type": "application/json"}
    return await client.post(f"/room/{room}/grant", content=content, headers=headers)


async def test_the_front_page_leads_to_a_room(client: httpx.AsyncClient) -> None:
    """Whoever comes without a room is in the lobby."""
    response = await client.get("/")
    assert (response.status_code, response.headers["location"]) == (307, "/room/lobby")


async def test_a_page_may_load_and_run_what_is_in_it_and_no_more(client: httpx.AsyncClient) -> None:
    """Its policy names its own script and style by hash, and nothing that is unsafe."""
    response = await client.get("/room/lobby")
    policy = response.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self' 'sha256-")
    assert "unsafe" not in policy and "http" not in policy
    assert not re.search(r"""(src|href)="https?:""", response.text)
    assert " style=" not in response.text and " onclick=" not in response.text


async def test_the_client_is_served(client: httpx.AsyncClient) -> None:
    """As a script, which is what a browser asks for."""
    response = await client.get("/roomhost.js")
    assert response.headers["content-type"].startswith("text/javascript")
    assert "export const connect" in response.text


async def test_a_grant_has_the_name_and_an_id_that_is_not_the_secret(
    client: httpx.AsyncClient,
) -> None:
    """The same secret is the same member, another one is another, whatever name they give."""
    response = await grant(client, name=" Ann ")
    granted = response.json()
    assert response.headers["cache-control"] == "no-store"
    assert granted["room"] == "a"
    assert granted["actor"]["displayName"] == "Ann"
    assert granted["memberId"] == granted["actor"]["userId"]
    assert SECRET not in response.text
    assert (await grant(client, name="bob")).json()["memberId"] == granted["memberId"]
    other = await grant(client, secret=SECRET[::-1])
    assert other.json()["memberId"] != granted["memberId"]


@pytest.mark.parametrize(
    "body",
    [
        {"name": ""},
        {"name": "  "},
        {"name": "x" * 41},
        {"name": 1},
        {"name": "\ud800"},
        {"secret": "short"},
        {"secret": "x" * 65},
        {"secret": None},
    ],
)
async def test_a_page_that_says_nonsense_gets_no_grant(
    client: httpx.AsyncClient, body: dict[str, Any]
) -> None:
    """It is told what is wrong, and not to try again."""
    response = await grant(client, **body)
    assert response.status_code == 400
    assert response.json()["retryable"] is False


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{}", "text/plain", 415),  # what a form of another site can send
        (b"[]", "application/json", 400),
        (b"{", "application/json", 400),
        (b"[" * 4_000, "application/json", 400),
        (b" " * 4_097, "application/json", 413),
    ],
)
async def test_what_is_no_request_of_a_page_is_refused(
    client: httpx.AsyncClient, body: bytes, content_type: str, status: int
) -> None:
    """By its type, its form or its size."""
    headers = {"content-type": content_type}
    response = await client.post("/room/a/grant", content=body, headers=headers)
    assert response.status_code == status


async def test_a_room_that_cannot_be_is_refused_by_the_module(client: httpx.AsyncClient) -> None:
    """Its words are passed on."""
    response = await grant(client, room="x" * 256)
    assert (response.status_code, response.json()["code"]) == (400, "invalid_argument")
