"""A document that is restored: what it shows, and what becomes of those who are connected."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import pytest
from pycrdt import Array, Doc, Map, Text

from roomhost.actors import document_restore
from roomhost.actors.caller import Caller

from ..helpers.room_sockets import Hall, hall_for
from ..helpers.yjs import text_of
from ..helpers.yjs_peers import Peer

pytestmark = pytest.mark.anyio


@pytest.fixture
async def hall() -> AsyncGenerator[Hall]:
    """A host with the module, and its room `lobby`."""
    async with hall_for() as hall:
        yield hall


def crdt(hall: Hall) -> Any:
    """The handle of the lobby."""
    return hall.host.env.LIVE.crdt_room("lobby")


async def content(hall: Hall) -> str:
    """What the document says."""
    return text_of(await crdt(hall).export_update())


async def test_a_snapshot_holds_the_document_and_who_is_aware(hall: Hall) -> None:
    """As an update and a state vector that any Yjs client reads."""
    ann = await Peer(hall, 1).connect()
    await ann.type("kept")
    await ann.announce(b'{"x":1}')
    kept = (await crdt(hall).snapshot()).state["crdt"]
    (aware,) = kept["awareness"]
    assert (aware["clientId"], aware["state"]) == ("1", {"x": 1})
    synced = await crdt(hall).sync_yjs(limit=0)
    assert kept["stateVectorBase64"] == synced.state_vector_base64
    assert kept["updateBase64"] == synced.update_base64


async def test_whoever_is_connected_converges(hall: Hall) -> None:
    """Text, a map and nested types come back, in every copy, by one update; and edits go on."""
    ann = await Peer(hall, 1).connect()
    bob = await Peer(hall, 2).connect()
    await ann.type("first")
    ann.doc.get("map", type=Map)["key"] = "old"
    ann.doc.get("list", type=Array).append(Map({"deep": 1}))
    await hall.host.settle()
    snapshot = await crdt(hall).snapshot()
    await bob.type(" and second")
    bob.doc.get("map", type=Map)["key"] = "new"
    bob.doc.get("list", type=Array).clear()
    await hall.host.settle()
    bob.take()
    await crdt(hall).restore(snapshot.snapshot_id)
    await hall.host.settle()
    for peer in (ann, bob):
        assert peer.end is None
        assert str(peer.pad) == "first"
        assert peer.doc.get("map", type=Map).to_py() == {"key": "old"}
        assert peer.doc.get("list", type=Array).to_py() == [{"deep": 1}]
    assert len(bob.take()) == 1
    await ann.type("!")
    assert await content(hall) == str(bob.pad) == "first!"
    await hall.sleep()
    assert await content(hall) == "first!"


async def test_who_was_away_converges_as_well(hall: Hall) -> None:
    """What it did meanwhile is merged with what was restored."""
    ann = await Peer(hall, 1).connect()
    await ann.type("first")
    snapshot = await crdt(hall).snapshot()
    await ann.type(" second")
    await ann.close(None)
    ann.pad += " away"
    await crdt(hall).restore(snapshot.snapshot_id)
    await ann.connect()
    assert str(ann.pad) == await content(hall)
    assert "first" in str(ann.pad)
    assert "away" in str(ann.pad)
    assert "second" not in str(ann.pad)


async def test_restoring_twice_and_to_what_was_before_there_was_a_document(hall: Hall) -> None:
    """The one shows the same, the other nothing."""
    await hall.room.publish(type="note")
    empty = await crdt(hall).snapshot()
    assert "crdt" not in empty.state
    ann = await Peer(hall, 1).connect()
    await ann.type("text")
    full = await crdt(hall).snapshot()
    await ann.type("!")
    for snapshot, shown in ((full, "text"), (full, "text"), (empty, ""), (full, "text")):
        await crdt(hall).restore(snapshot.snapshot_id)
        await hall.host.settle()
        assert await content(hall) == str(ann.pad) == shown


async def test_where_no_edit_leads_back_the_document_is_another_one(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new epoch: Yjs clients are closed with 4405, and so is one that brings back the old one."""

    def no_way(live: bytes, wanted: bytes) -> bytes:
        raise ValueError("no client ids are left")

    ann = await Peer(hall, 1).connect()
    await ann.type("first")
    snapshot = await crdt(hall).snapshot()
    epoch = (await crdt(hall).sync_yjs(limit=0)).document_epoch
    await ann.type(" second")
    monkeypatch.setattr(document_restore, "forward", no_way)
    await crdt(hall).restore(snapshot.snapshot_id)
    await hall.host.settle()
    assert ann.end == (4405, "document_epoch_changed")
    assert await content(hall) == "first"
    assert (await crdt(hall).sync_yjs(limit=0)).document_epoch not in (None, epoch)
    ann.pad += " third"
    await ann.connect(Caller.trusted_caller())
    assert ann.end == (4405, "document_epoch_changed")
    fresh = await Peer(hall, 9).connect()
    await fresh.type("!")
    assert await content(hall) == "first!"


async def test_a_panic_while_a_restore_is_looked_at_is_no_way_either(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is no Exception, and ends nothing but this."""

    class Panic(BaseException):
        pass

    def panics(update: bytes) -> dict[str, Any]:
        raise Panic

    monkeypatch.setattr(document_restore, "content", panics)
    ann = await Peer(hall, 1).connect()
    await ann.type("first")
    snapshot = await crdt(hall).snapshot()
    await ann.type(" second")
    await crdt(hall).restore(snapshot.snapshot_id)
    await hall.host.settle()
    assert await content(hall) == "first"
    assert ann.end == (4405, "document_epoch_changed")


async def test_a_restore_that_shows_something_else_is_not_taken(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy has shown it before anybody sees it."""
    wrong: Doc[Any] = Doc(client_id=77)
    pad = wrong.get("text", type=Text)
    pad += "wrong"
    monkeypatch.setattr(document_restore, "forward", lambda live, wanted: wrong.get_update())
    ann = await Peer(hall, 1).connect()
    await ann.type("first")
    snapshot = await crdt(hall).snapshot()
    await ann.type(" second")
    await crdt(hall).restore(snapshot.snapshot_id)
    await hall.host.settle()
    assert await content(hall) == "first"
    assert str(ann.pad) == "first second"
    assert ann.end == (4405, "document_epoch_changed")
