"""The support room's routes, in process: who is an agent, and what a customer cannot do."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from examples.support_room import app
from roomhost.runtime.testing import host_for

pytestmark = pytest.mark.anyio
KEY = "the agents' key"
WHO = {"name": "cleo", "secret": "0123456789abcdef"}
AGENT = {"name": "ann", "secret": "fedcba9876543210", "agentKey": KEY}
TITLE = {"title": "It rains in", "status": "pending"}


@pytest.fixture
def anyio_backend() -> str:
    """Starlette's routes are the same on each; httpx leaves its generators to trio's warnings."""
    return "asyncio"


@pytest.fixture
async def client(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    """What asks the example, without a network."""
    monkeypatch.setenv("SUPPORT_AGENT_KEY", KEY)
    async with host_for(app) as host:
        transport = httpx.ASGITransport(host.asgi)
        async with httpx.AsyncClient(transport=transport, base_url="http://support") as opened:
            yield opened


async def ask(client: httpx.AsyncClient, what: str, **body: Any) -> httpx.Response:
    """The answer to a page of ticket 7."""
    headers = {"content-type": "application/json"}
    return await client.post(f"/ticket/7/{what}", content=json.dumps(body), headers=headers)


async def operate(
    client: httpx.AsyncClient, who: dict[str, str], operation: str, **body: Any
) -> httpx.Response:
    """The module's answer to a grant's own token."""
    token = (await ask(client, "grant", **who)).json()["token"]
    headers = {"authorization": f"Bearer {token}"}
    url = f"/realtime/support/rooms/7/{operation}"
    return await client.post(url, json=body, headers=headers)


async def test_the_front_page_leads_to_a_ticket_with_a_policy(client: httpx.AsyncClient) -> None:
    """The page allows its own script and style, and nothing that is unsafe."""
    assert (await client.get("/")).headers["location"] == "/ticket/1"
    response = await client.get("/ticket/7")
    assert "'sha256-" in response.headers["content-security-policy"]
    assert "unsafe" not in response.headers["content-security-policy"]
    assert " style=" not in response.text and " onclick=" not in response.text


@pytest.mark.parametrize("wrong", ["", "another key", "\ud800", 1, True, [KEY]])
async def test_without_the_key_nobody_is_an_agent(client: httpx.AsyncClient, wrong: Any) -> None:
    """A wrong key is refused for good, and makes no customer of its sender."""
    for what, fields in (("grant", {}), ("messages", {"text": "a", "key": "k"}), ("title", TITLE)):
        response = await ask(client, what, **WHO, **fields, agentKey=wrong)
        assert (response.status_code, response.json()["retryable"]) == (403, False)


async def test_where_no_key_is_set_there_are_no_agents(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty one is none."""
    monkeypatch.setenv("SUPPORT_AGENT_KEY", "")
    assert (await ask(client, "grant", **WHO, agentKey="")).status_code == 403
    monkeypatch.delenv("SUPPORT_AGENT_KEY")
    assert (await ask(client, "grant", **WHO, agentKey=KEY)).status_code == 403
    assert (await ask(client, "grant", **WHO)).status_code == 200


async def test_the_server_makes_the_role_of_a_member(client: httpx.AsyncClient) -> None:
    """It is in the id; a page that asks for another id or role does not get it."""
    forged = await ask(client, "grant", **WHO, memberId="agent:1", role="agent")
    assert forged.json()["memberId"].startswith("customer:")
    assert (await ask(client, "grant", **AGENT)).json()["memberId"].startswith("agent:")


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ("metadata", {"metadata": {"title": "mine"}}),
        ("publish", {"type": "chat"}),
        ("broadcast", {"type": "snapshot"}),
        ("join", {"memberId": "agent:1"}),
        ("snapshot", {}),
        ("restore", {"snapshotId": "1"}),
        ("destroy", {}),
        ("authorize", {}),
    ],
)
async def test_a_customer_cannot_do_what_agents_do(
    client: httpx.AsyncClient, operation: str, body: dict[str, Any]
) -> None:
    """Its token is refused by the module itself, whatever its page does."""
    assert (await operate(client, WHO, operation, **body)).status_code == 403


async def test_an_agent_changes_a_ticket_and_has_it_back(client: httpx.AsyncClient) -> None:
    """The title is by the route, snapshot and restore are by the token."""
    assert (await ask(client, "title", **TITLE)).status_code == 403
    assert (await ask(client, "title", **AGENT, **TITLE)).json()["metadata"] == TITLE
    kept = (await operate(client, AGENT, "snapshot")).json()
    solved = {"title": "Dry", "status": "solved"}
    assert (await ask(client, "title", **AGENT, **solved)).json()["metadata"] == solved
    restored = await operate(client, AGENT, "restore", snapshotId=kept["snapshotId"])
    assert restored.status_code == 200
    assert (await operate(client, WHO, "metadata")).json()["metadata"] == TITLE


@pytest.mark.parametrize(
    ("what", "fields"),
    [
        ("title", {"title": " ", "status": "open"}),
        ("title", {"title": "x" * 121, "status": "open"}),
        ("title", {"title": "a", "status": "lost"}),
        ("title", {"title": "a", "status": ["open"]}),
        ("title", {"title": "a"}),
        ("messages", {"text": "", "key": "k"}),
        ("messages", {"text": "x" * 901, "key": "k"}),
        ("messages", {"text": "a"}),
        ("messages", {"text": "a", "key": "k" * 65}),
    ],
)
async def test_nonsense_is_refused(
    client: httpx.AsyncClient, what: str, fields: dict[str, Any]
) -> None:
    """With what is right, and not to be tried again."""
    response = await ask(client, what, **AGENT, **fields)
    assert (response.status_code, response.json()["retryable"]) == (400, False)


async def test_a_message_is_recorded_once_in_the_name_of_its_sender(
    client: httpx.AsyncClient,
) -> None:
    """By its key; another's page may send the same key, and takes nothing away by that."""
    first = await ask(client, "messages", **WHO, text=" hello ", key="k")
    again = await ask(client, "messages", **WHO, text="hello", key="k")
    assert first.json()["messageId"] == again.json()["messageId"]
    other = await ask(client, "messages", **AGENT, text="hi", key="k")
    assert other.json()["actor"]["userId"].startswith("agent:")
    token = (await ask(client, "grant", **WHO)).json()["token"]
    headers = {"authorization": f"Bearer {token}"}
    history = await client.get("/realtime/support/rooms/7/history", headers=headers)
    assert [item["data"]["text"] for item in history.json()["items"]] == ["hi", "hello"]
