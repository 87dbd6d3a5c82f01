"""What a Yjs client may do by its token, and how a provider hears that it may not."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import pytest

from ..helpers.realtime_app import app
from ..helpers.served import served
from ..helpers.yjs_clients import YjsProcess, yjs_clients
from ..helpers.yjs_provider import PythonClient
from ..helpers.yjs_rooms import YjsRoom, bearer_protocol

pytestmark = pytest.mark.anyio
BAD = "no.such.token"


@pytest.fixture(scope="module")
def anyio_backend() -> Any:
    """The server runs on asyncio, as `roomhost serve` does."""
    return ("asyncio", {"use_uvloop": True})


@pytest.fixture
async def room() -> AsyncGenerator[YjsRoom]:
    """The lobby of a host on a real socket."""
    async with served(app) as (url, _):
        yield YjsRoom(url)


@pytest.fixture
async def node(room: YjsRoom) -> AsyncGenerator[YjsProcess]:
    """The process of the clients, which ends before the host."""
    async with yjs_clients() as process:
        yield process


async def test_a_provider_with_a_bad_subprotocol_token_stops(
    room: YjsRoom, node: YjsProcess
) -> None:
    """It is closed with a code that its provider takes as final."""
    offered = ["yjs.sync.v1", bearer_protocol(BAD)]
    client = await room.begin(node, "ana", protocols=offered)
    await client.wait("it.closes.length > 0 && !it.provider.shouldConnect")
    assert await client.get("closes") == [[4401, "unauthenticated"]]
    assert await client.get("frames") == {"text": 0, "binary": 0}


@pytest.mark.parametrize(
    "offer",
    [
        {"params": {"token": BAD}},
        {"headers": {"Authorization": f"Bearer {BAD}"}},
        {"protocols": []},
    ],
)
async def test_another_bad_credential_opens_nothing(
    room: YjsRoom, node: YjsProcess, offer: dict[str, Any]
) -> None:
    """The handshake fails; so it does for nobody."""
    client = await room.begin(node, "ana", **offer)
    await client.wait("it.errors.length > 0")
    assert (await client.get("errors"))[0] == "Unexpected server response: 401"
    assert await client.get("opened") == []


async def test_a_token_that_may_not_read_opens_nothing(room: YjsRoom, node: YjsProcess) -> None:
    """Writing alone is not enough: a provider begins with a question."""
    token = await room.token("subscribe", "presence", "crdt:write")
    client = await room.begin(node, "ana", params={"token": token})
    await client.wait("it.errors.length > 0")
    assert (await client.get("errors"))[0] == "Unexpected server response: 403"
    assert await client.get("opened") == []


async def test_a_reader_reads_and_changes_nothing(room: YjsRoom, node: YjsProcess) -> None:
    """Its update is denied, its connection stays, and nobody hears of it."""
    writer = await room.open(node, "writer")
    await writer.insert(0, "fixed")
    token = await room.token("crdt:read", "presence")
    reader = await room.open(node, "reader", params={"token": token})
    assert await reader.get("text") == "fixed"

    await reader.insert(0, "forged ")
    await reader.wait("it.refusals.length > 0")
    await writer.insert(5, " and more")
    await reader.wait_for_text("forged fixed and more")
    await reader.aware({"name": "reader"})
    await writer.wait("it.others.length === 1")  # which comes after the denied update
    assert await writer.get("text") == await room.text() == "fixed and more"
    assert await reader.get("closes") == []
    assert len(await writer.get("clocks")) == 1


async def test_what_a_reader_wrote_alone_is_denied_when_it_connects(
    room: YjsRoom, node: YjsProcess
) -> None:
    """An offline edit comes as the answer to the room's question."""
    reader = await room.begin(node, "reader", params={"token": await room.token("crdt:read")})
    await reader.insert(0, "forged")
    await reader.wait("it.synced && it.refusals.length > 0")
    assert await room.text() == ""


async def test_a_python_reader_that_echoes_is_no_writer(room: YjsRoom, node: YjsProcess) -> None:
    """pycrdt's provider sends back what it hears: the room has that already, and denies nothing."""
    writer = await room.open(node, "writer")
    headers = {"Authorization": f"Bearer {await room.token('crdt:read')}"}
    python = PythonClient()
    async with python.connected(room.socket_url, headers):
        await writer.insert(0, "one")
        await python.wait(lambda it: it.text == "one")
        await writer.insert(3, " two")
        await python.wait(lambda it: it.text == "one two")
    assert await room.text() == "one two"


async def test_without_presence_a_client_is_not_shown(room: YjsRoom, node: YjsProcess) -> None:
    """It sees the others all the same."""
    ana = await room.open(node, "ana")
    await ana.aware({"name": "ana"})
    token = await room.token("crdt:read", "crdt:write")
    ghost = await room.open(node, "ghost", params={"token": token})
    await ghost.wait("it.others.length === 1")

    await ghost.aware({"name": "ghost"})
    await ghost.insert(0, "written after it")
    await ana.wait_for_text("written after it")
    assert await ana.get("others") == []
    assert await ghost.get("others") == [{"name": "ana"}]


async def test_awareness_is_seen_and_ends_with_its_client(room: YjsRoom, node: YjsProcess) -> None:
    """By those who are there and who come; when its client says so, leaves, or is lost."""
    ana, bea = await room.open(node, "ana"), await room.open(node, "bea")
    await ana.aware({"name": "\u00e4na", "cursor": [1, None]})
    seen = 'JSON.stringify(it.others) === JSON.stringify([{name: "\\u00e4na", cursor: [1, null]}])'
    await bea.wait(seen)
    cyd = await room.open(node, "cyd")
    await cyd.wait(seen)

    await ana.aware(None)
    await bea.wait("it.others.length === 0")
    await ana.aware({"name": "again"})
    await bea.wait("it.others.length === 1")
    await ana.disconnect()
    await bea.wait("it.others.length === 0")
    await cyd.wait("it.others.length === 0")

    await ana.connect()
    await ana.wait("it.synced")
    await ana.aware({"name": "back"})
    await bea.wait("it.others.length === 1")
    assert await bea.get("others") == [{"name": "back"}]


async def test_awareness_ends_when_a_whole_process_is_killed(
    room: YjsRoom, node: YjsProcess
) -> None:
    """Its kernel closes the connection."""
    ana = await room.open(node, "ana")
    async with yjs_clients() as doomed:
        bea = await room.open(doomed, "bea")
        await bea.aware({"name": "bea"})
        await ana.wait("it.others.length === 1")
        await doomed.kill()
        await ana.wait("it.others.length === 0")
