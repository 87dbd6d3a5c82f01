"""Rooms and an unmodified provider of Hocuspocus: tokens, readers, acknowledgements, shared sockets."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import anyio
import pytest

from roomhost.runtime import Host

from ..helpers.host_process import HostProcess
from ..helpers.realtime_app import app
from ..helpers.served import served
from ..helpers.yjs_clients import YjsProcess, yjs_clients
from ..helpers.yjs_rooms import YjsRoom

pytestmark = pytest.mark.anyio
GREETING = "h\u00e9llo \u2603 \U0001f600"
HOCUSPOCUS = "hocuspocus"


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


async def test_a_bad_token_is_refused_and_the_socket_stays(room: YjsRoom, node: YjsProcess) -> None:
    """The provider hears why; a good one shares the socket."""
    bad = await room.begin(node, "bad", HOCUSPOCUS, token="no.such.token")
    await bad.wait("it.refusals.length > 0")
    assert await bad.report("synced", "closes") == {"synced": False, "closes": []}
    other = YjsRoom(room.url, "other")
    good = await other.begin(
        node, "good", HOCUSPOCUS, token=await other.token("crdt:read"), shares="bad"
    )
    await good.wait("it.synced")
    assert await good.get("scope") == "readonly"


async def test_a_document_syncs_both_ways_with_other_kinds_of_clients(
    room: YjsRoom, node: YjsProcess
) -> None:
    """A token in the message of Hocuspocus; the same room as that of y-websocket."""
    token = await room.token("crdt:read", "crdt:write", "presence")
    hoc = await room.open(node, "hoc", HOCUSPOCUS, token=token)
    ana = await room.open(node, "ana")
    assert await hoc.get("scope") == "read-write"
    await hoc.insert(0, GREETING)
    await ana.wait_for_text(GREETING)
    await ana.edit(("format", 0, 2, {"bold": True}), ("set", "k", [1, "\u00e4"]))
    await hoc.wait("'k' in it.map")
    assert await hoc.report("delta", "map", "clocks") == await ana.report("delta", "map", "clocks")
    await hoc.wait("it.unsynced === 0")
    assert await room.text() == GREETING

    await hoc.aware({"name": "hoc"})
    await ana.aware({"name": "ana"})
    await ana.wait("it.others.some((state) => state.name === 'hoc')")
    await hoc.wait("it.others.some((state) => state.name === 'ana')")
    await hoc.destroy()
    await ana.wait("it.others.length === 0")
    assert (await ana.get("frames"))["text"] == 0


async def test_a_readers_edit_is_never_acknowledged(room: YjsRoom, node: YjsProcess) -> None:
    """Nor applied; it reads on."""
    writer = await room.open(node, "writer", HOCUSPOCUS)
    await writer.insert(0, "fixed")
    token = await room.token("crdt:read")
    reader = await room.open(node, "reader", HOCUSPOCUS, token=token)
    await reader.wait("it.unsynced === 0 && it.text === 'fixed'")
    assert await reader.get("scope") == "readonly"

    await reader.insert(0, "forged ")
    await reader.wait("it.denied > 0")
    await writer.insert(5, " more")
    await reader.wait_for_text("forged fixed more")
    assert await reader.get("unsynced") > 0
    assert await room.text() == await writer.get("text") == "fixed more"


async def test_documents_share_a_socket(room: YjsRoom, node: YjsProcess) -> None:
    """Each has its own content and its own awareness; one leaves, the other stays."""
    other = YjsRoom(room.url, "other")
    first = await room.open(node, "first", HOCUSPOCUS)
    second = await other.open(node, "second", HOCUSPOCUS, shares="first")
    watcher = await other.open(node, "watcher")
    await first.insert(0, "one")
    await second.insert(0, "two")
    await second.aware({"name": "second"})
    await watcher.wait("it.text === 'two' && it.others.length === 1")
    await first.wait("it.unsynced === 0")
    assert (await room.text(), await other.text()) == ("one", "two")
    assert len(await first.get("opened")) == 1

    await second.destroy()
    await watcher.wait("it.others.length === 0")
    await first.insert(3, "!")
    await first.wait("it.unsynced === 0")
    assert await room.text() == "one!"


async def test_sockets_stay_while_the_room_sleeps(
    host_and_room: tuple[Host, YjsRoom], node: YjsProcess
) -> None:
    """An edit wakes it, and is acknowledged."""
    host, room = host_and_room
    hoc, ana = await room.open(node, "hoc", HOCUSPOCUS), await room.open(node, "ana")
    text = ""
    for letter in GREETING:
        await host.evict(host.env.COLLAB.stub("room", "lobby"))
        await hoc.insert(0, letter)
        text = letter + text
        await ana.wait_for_text(text)
        await hoc.wait("it.unsynced === 0")
    assert await hoc.get("closes") == []
    assert await room.text() == text


async def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    """With its writer gone for good; what was not, another brings back by itself."""
    keys = {"ROOMHOST_API_KEYS": "key"}
    with HostProcess("tests.helpers.realtime_app:app", tmp_path, keys) as host:
        room = YjsRoom(host.url)
        async with yjs_clients() as node:
            gone = await room.open(node, "gone", HOCUSPOCUS)
            stays = await room.open(node, "stays", HOCUSPOCUS)
            await gone.insert(0, "acknowledged")
            await gone.wait("it.unsynced === 0")
            await stays.wait_for_text("acknowledged")
            host.kill()
            await gone.destroy()
            await stays.wait("!it.connected")
            await stays.insert(0, "later, ")
            await anyio.to_thread.run_sync(host.start)
            await stays.wait("it.synced && it.unsynced === 0")
            assert await room.text() == "later, acknowledged"
