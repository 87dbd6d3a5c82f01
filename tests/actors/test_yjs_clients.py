"""Rooms and the clients that Yjs applications use: y-websocket's provider in Node, pycrdt's here."""

from __future__ import annotations

import base64
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from roomhost.runtime import Host

from ..helpers.realtime_app import app
from ..helpers.served import served
from ..helpers.yjs_clients import YjsProcess, yjs_clients
from ..helpers.yjs_provider import PythonClient
from ..helpers.yjs_rooms import KEY, YjsRoom, bearer_protocol

pytestmark = pytest.mark.anyio
GREETING = "h\u00e9llo \u2603 \U0001f600"


@pytest.fixture(scope="module")
def anyio_backend() -> Any:
    """The server runs on asyncio, as `roomhost serve` does."""
    return ("asyncio", {"use_uvloop": True})


@pytest.fixture
async def host_and_room() -> AsyncGenerator[tuple[Host, YjsRoom]]:
    """A host on a real socket, and its lobby."""
    async with served(app) as (url, host):
        yield host, YjsRoom(url)


@pytest.fixture
def room(host_and_room: tuple[Host, YjsRoom]) -> YjsRoom:
    """The lobby."""
    return host_and_room[1]


@pytest.fixture
async def node(room: YjsRoom) -> AsyncGenerator[YjsProcess]:
    """The process of the clients, which ends before the host."""
    async with yjs_clients() as process:
        yield process


@pytest.mark.parametrize("way", ["protocols", "params", "headers"])
async def test_a_document_syncs_both_ways(room: YjsRoom, node: YjsProcess, way: str) -> None:
    """Text, formats and a map, however the token travels; the server never says the token."""
    token = await room.token("crdt:read", "crdt:write")
    protocol = bearer_protocol(token)
    offers: dict[str, dict[str, Any]] = {
        "protocols": {"protocols": ["yjs.sync.v1", protocol]},
        "params": {"params": {"token": token}},
        "headers": {"headers": {"Authorization": f"Bearer {token}"}},
    }
    ana = await room.open(node, "ana", **offers[way])
    bea = await room.open(node, "bea")
    assert await ana.get("opened") == ["yjs.sync.v1" if way == "protocols" else ""]

    await ana.insert(0, GREETING)
    await bea.wait_for_text(GREETING)
    await bea.edit(
        ("insert", 2, "\u00fc"),
        ("delete", 0, 1),
        ("format", 0, 2, {"bold": True}),
        ("set", "k", {"list": [1, None, "\u00e4"]}),
    )
    changed = "\u00e9\u00fc" + GREETING[2:]
    await ana.wait("'k' in it.map")
    expected = {
        "delta": [
            {"insert": "\u00e9\u00fc", "attributes": {"bold": True}},
            {"insert": changed[2:]},
        ],
        "map": {"k": {"list": [1, None, "\u00e4"]}},
        "clocks": await bea.get("clocks"),
    }
    assert await ana.report("delta", "map", "clocks") == expected
    assert await room.text() == changed


async def test_what_was_written_alone_is_there_for_those_who_come_later(
    host_and_room: tuple[Host, YjsRoom], node: YjsProcess
) -> None:
    """Before the first connection, and while the room had no instance."""
    host, room = host_and_room
    ana = await room.begin(node, "ana")
    await ana.insert(0, GREETING)
    await ana.wait("it.synced")
    bea = await room.open(node, "bea")
    await bea.wait_for_text(GREETING)
    await ana.destroy()
    await bea.destroy()

    await host.evict(host.env.COLLAB.stub("room", "lobby"))
    cyd = await room.open(node, "cyd")
    assert await cyd.get("text") == GREETING


async def test_sockets_stay_while_the_room_sleeps(
    host_and_room: tuple[Host, YjsRoom], node: YjsProcess
) -> None:
    """An edit wakes it, and reaches those who were there."""
    host, room = host_and_room
    ana, bea = await room.open(node, "ana"), await room.open(node, "bea")
    await ana.aware({"name": "ana"})
    text = ""
    for letter in GREETING:
        assert await host.evict(host.env.COLLAB.stub("room", "lobby"))
        await ana.insert(0, letter)
        text = letter + text
        await bea.wait_for_text(text)
    assert await room.text() == GREETING[::-1]
    assert await ana.get("closes") == []
    assert await bea.get("others") == [{"name": "ana"}]


async def test_a_lost_connection_is_made_up_for(room: YjsRoom, node: YjsProcess) -> None:
    """Both sides wrote meanwhile."""
    ana, bea = await room.open(node, "ana"), await room.open(node, "bea")
    await ana.insert(0, "one ")
    await bea.wait_for_text("one ")
    await ana.disconnect()
    await ana.insert(4, "three")
    await bea.insert(4, "two ")
    await ana.connect()
    await ana.wait("it.synced && it.length === 13")
    await bea.wait("it.length === 13")
    assert await ana.get("text") == await bea.get("text") == await room.text()

    await ana.lose()
    await ana.wait("it.closes.length === 2 && it.synced")
    await bea.insert(0, "zero ")
    await ana.wait("it.text.startsWith('zero ')")


async def test_pycrdts_provider_is_a_client(room: YjsRoom, node: YjsProcess) -> None:
    """Both ways, and again after it was away."""
    ana = await room.open(node, "ana")
    await ana.insert(0, GREETING)
    python = PythonClient()
    async with python.connected(room.socket_url, KEY):
        assert python.text == GREETING
        python.content.insert(0, "py \u00e4 ")
        await ana.wait_for_text("py \u00e4 " + GREETING)
        await ana.edit(("set", "k", {"x": True}))
        await python.wait(lambda it: "k" in it.entries)
        assert python.entries["k"] == {"x": True}
    await ana.insert(0, "1")
    python.content.insert(0, "2")
    async with python.connected(room.socket_url, KEY):
        await ana.wait("it.text.includes('2')")
        assert python.text == await ana.get("text")
        assert python.clocks == await ana.clocks()


async def test_a_large_paste_arrives(room: YjsRoom, node: YjsProcess) -> None:
    """A megabyte in one update."""
    ana, bea = await room.open(node, "ana"), await room.open(node, "bea")
    await ana.insert(0, "\u00e4" * 500_000)
    await bea.wait("it.length === 500000")
    assert await bea.get("text") == "\u00e4" * 500_000


async def test_clients_of_both_protocols_share_a_room(room: YjsRoom, node: YjsProcess) -> None:
    """A JSON client writes and reads the document; no text frame reaches a Yjs client, and no
    binary one the JSON client."""
    ana = await room.open(node, "ana")
    async with room.connect_json() as json_client:
        await ana.insert(0, GREETING)
        heard = await json_client.next("yjs.update")
        json_client.doc.apply_update(base64.b64decode(heard["updateBase64"]))
        assert json_client.text == GREETING

        update = json_client.edit(lambda content: content.insert(0, "json "))
        await json_client.ask("yjs.update", updateBase64=base64.b64encode(update).decode())
        await ana.wait_for_text("json " + GREETING)

        await ana.aware({"name": "ana"})
        assert (await json_client.next("awareness"))["state"] == {"name": "ana"}
        await json_client.ask("publish", message={"type": "chat", "data": 1})
        await json_client.next("message")
        await json_client.ask("update", update={"op": "note"})
    await ana.insert(0, "!")
    await ana.wait("it.frames.binary > 0")
    assert await room.text() == "!json " + GREETING
    assert (await ana.get("frames"))["text"] == 0
