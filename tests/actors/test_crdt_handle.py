"""The handle of a room with its document: every call, and the document as one of pycrdt."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import pytest
from pycrdt import Array, Doc, Map, Text

from roomhost.actors import (
    ChannelHandle,
    CrdtRoomHandle,
    DocumentEpochChanged,
    InvalidArgument,
    PayloadTooLarge,
    RealtimeCrdtAwarenessOptions,
    RealtimeCrdtDocumentOptions,
    RealtimeCrdtUpdateOptions,
    RealtimeInstance,
    RealtimePrincipal,
    RealtimeRoomIdentity,
    RealtimeYjsSyncOptions,
    RealtimeYjsUpdateOptions,
    RoomDestroyed,
    limits,
    realtime,
)
from roomhost.bindings import App
from roomhost.runtime import DurableObject, Host
from roomhost.runtime.testing import ManualClock, host_for

from ..helpers.pens import EMPTY, Pen, text_of
from ..helpers.realtime_app import app

pytestmark = pytest.mark.anyio
ADA = RealtimePrincipal(kind="user", user_id="ada")
WHOLE_ADA = RealtimePrincipal(kind="user", user_id="ada", id="ada")


@pytest.fixture
async def host() -> AsyncGenerator[Host]:
    """A host with the module."""
    async with host_for(app, clock=ManualClock()) as host:
        yield host


@pytest.fixture
def room(host: Host) -> CrdtRoomHandle:
    """A room of it."""
    found: CrdtRoomHandle = host.env.COLLAB.crdt_room("lobby")
    return found


async def text_in(room: CrdtRoomHandle) -> str:
    """What the document says."""
    async with room.edit() as doc:
        return str(doc.get("text", type=Text))


@pytest.mark.parametrize(
    ("name", "fields", "field"),
    [
        ("apply_update", {"update": b"bytes"}, "update"),
        ("apply_update", {"update": {1: 2}}, "update"),
        ("apply_update", {}, "update"),
        ("apply_update", {"update": 1, "client_id": ""}, "clientId"),
        ("apply_update", {"update": 1, "clock": -1}, "clock"),
        ("apply_update", {"update": 1, "actor": RealtimePrincipal(kind="user")}, "actor.userId"),
        ("awareness", {"state": "here"}, "state"),
        ("awareness", {"client_id": 5, "state": {}}, "clientId"),
        ("awareness", {"client_id": "a", "state": {"x": float("nan")}}, "state.x"),
        ("document", {"limit": 0}, "limit"),
        ("document", {"since_clock": True}, "sinceClock"),
        ("apply_yjs_update", {}, "updateBase64"),
        ("apply_yjs_update", {"update_base64": "?"}, "updateBase64"),
        ("apply_yjs_update", {"update_base64": b"AAA="}, "updateBase64"),
        ("apply_yjs_update", {"update_base64": "AAA=", "clock": 2**31}, "clock"),
        ("sync_yjs", {"state_vector_base64": "A"}, "stateVectorBase64"),
        ("sync_yjs", {"limit": -1}, "limit"),
    ],
)
async def test_an_input_that_is_refused(
    room: CrdtRoomHandle, name: str, fields: dict[str, Any], field: str
) -> None:
    """With the path of what is wrong in it."""
    with pytest.raises(InvalidArgument) as refused:
        await getattr(room, name)(**fields)
    assert refused.value.field == field


async def test_what_is_too_large(room: CrdtRoomHandle) -> None:
    """Has a code of its own, with the field."""
    with pytest.raises(PayloadTooLarge) as refused:
        await room.apply_update(update="x" * limits.MAX_DATA_BYTES)
    assert refused.value.field == "update"
    with pytest.raises(PayloadTooLarge) as refused:
        await room.awareness(client_id="a", state={"x": "x" * limits.MAX_AWARENESS_BYTES})
    assert refused.value.field == "state"
    with pytest.raises(PayloadTooLarge) as refused:
        await room.import_update(bytes(limits.MAX_UPDATE_BYTES + 1))
    assert refused.value.field == "updateBase64"


@pytest.mark.parametrize("typed", [False, True], ids=["keywords", "type"])
async def test_json_updates(room: CrdtRoomHandle, typed: bool) -> None:
    """Recorded once, and read a page at a time."""
    fields: dict[str, Any] = {"update": {"a": [1]}, "client_id": "c", "clock": 3, "actor": ADA}
    for _ in range(2):
        result = await (
            room.apply_update(RealtimeCrdtUpdateOptions(**fields))
            if typed
            else room.apply_update(**fields)
        )
    assert (result.room, result.kind, result.actor) == ("lobby", "room", WHOLE_ADA)
    await room.apply_update(update=None)
    page = await (
        room.document(RealtimeCrdtDocumentOptions(limit=1, since_clock=2))
        if typed
        else room.document(limit=1, since_clock=2)
    )
    (update,) = page.updates
    assert (update.update_id, update.applied_at) == (result.update_id, result.applied_at)
    assert (update.update, update.client_id, update.clock) == ({"a": [1]}, "c", 3)
    rest = await room.document(cursor=page.cursor)
    assert [one.update for one in rest.updates] == [None]
    assert rest.cursor is None


@pytest.mark.parametrize("typed", [False, True], ids=["keywords", "type"])
async def test_yjs_updates(room: CrdtRoomHandle, typed: bool) -> None:
    """Applied, synchronized, folded."""
    pen = Pen()
    fields: dict[str, Any] = {"update_base64": pen.write("hi"), "client_id": "c", "actor": ADA}
    applied = await (
        room.apply_yjs_update(RealtimeYjsUpdateOptions(**fields))
        if typed
        else room.apply_yjs_update(**fields)
    )
    assert (applied.state_vector_base64, applied.actor) == (pen.vector, WHOLE_ADA)
    missing: dict[str, Any] = {"state_vector_base64": pen.vector, "limit": 1}
    synced = await (
        room.sync_yjs(RealtimeYjsSyncOptions(**missing)) if typed else room.sync_yjs(**missing)
    )
    assert synced.update_base64 == EMPTY
    assert [one.update_id for one in synced.updates] == [applied.update_id]
    grant = await room.authorize(member_id="ada")
    assert synced.document_epoch == grant.document_epoch is not None
    compacted = await room.compact()
    assert compacted.updates_compacted == 1
    assert text_of(compacted.checkpoint_update_base64 or "") == "hi"
    assert (await room.sync_yjs()).updates == []


@pytest.mark.parametrize("typed", [False, True], ids=["keywords", "type"])
async def test_awareness(room: CrdtRoomHandle, typed: bool) -> None:
    """Said, seen, and taken back."""
    fields: dict[str, Any] = {"client_id": "c", "state": {"x": 1}, "actor": ADA}
    said = await (
        room.awareness(RealtimeCrdtAwarenessOptions(**fields))
        if typed
        else room.awareness(**fields)
    )
    assert (said.client_id, said.state, said.actor) == ("c", {"x": 1}, WHOLE_ADA)
    assert (await room.document()).awareness == (await room.sync_yjs()).awareness == [said]
    assert (await room.awareness(client_id="c")).state == {}
    assert (await room.document()).awareness == []


async def test_it_is_gone_after_a_while(host: Host, room: CrdtRoomHandle) -> None:
    """By the alarm, which tells those who listen."""
    clock: Any = host.clock
    await room.awareness(client_id="c", state={"x": 1})
    async with room.connect() as connection:
        await clock.advance(30)
        await host.settle()
        events = [await anext(connection) for _ in range(2)]
        assert [event.type for event in events] == ["connected", "awareness"]
        assert events[1].fields["clientId"] == "c"
        assert events[1].fields["state"] is None
    assert (await room.document()).awareness == []


async def test_what_a_handle_is(host: Host, room: CrdtRoomHandle) -> None:
    """A room's, of the same room; and it asks for nothing by itself."""
    assert room.identity == RealtimeRoomIdentity(kind="room", name="lobby")
    assert repr(room) == "<CrdtRoomHandle lobby>"
    assert await host.env.COLLAB.rooms() == []
    await room.publish(type="note")
    assert len((await host.env.COLLAB.room("lobby").history()).items) == 1
    with pytest.raises(InvalidArgument):
        host.env.COLLAB.crdt_room("")
    channel: ChannelHandle = host.env.COLLAB.channel("lobby")
    with pytest.raises(InvalidArgument, match="a channel has no document") as refused:
        await CrdtRoomHandle.document(channel)  # type: ignore[arg-type]
    assert refused.value.code == "unsupported_for_channel"


async def test_an_edit_is_one_update(room: CrdtRoomHandle) -> None:
    """Of everything that was changed, whatever it was."""
    async with room.edit() as doc:
        text = doc.get("text", type=Text)
        text += "héllo"
        doc.get("map", type=Map)["key"] = {"deep": [1, None]}
        with doc.transaction():
            doc.get("array", type=Array).extend([1, 2])
    assert len((await room.sync_yjs()).updates) == 1
    async with room.edit() as doc:
        text = doc.get("text", type=Text)
        del text[0:3]
    assert len((await room.sync_yjs()).updates) == 2
    async with room.edit() as doc:
        assert str(doc.get("text", type=Text)) == "llo"
        assert doc.get("map", type=Map).to_py() == {"key": {"deep": [1, None]}}
        assert doc.get("array", type=Array).to_py() == [1, 2]


async def test_an_edit_that_changes_nothing_sends_nothing(host: Host, room: CrdtRoomHandle) -> None:
    """The room is not there for having been read."""
    async with room.edit() as doc:
        assert str(doc.get("text", type=Text)) == ""
    assert await room.export_update() == b"\x00\x00"
    assert await host.env.COLLAB.rooms() == []


async def test_an_edit_that_fails_sends_nothing(room: CrdtRoomHandle) -> None:
    """Whatever was done before."""
    with pytest.raises(ZeroDivisionError):
        async with room.edit() as doc:
            doc.get("text", type=Text).insert(0, "half")
            raise ZeroDivisionError
    assert (await room.sync_yjs()).updates == []


async def test_a_panic_of_the_library_is_an_error(room: CrdtRoomHandle) -> None:
    """It is no Exception by itself, and would end the host."""
    await room.import_update(Pen().doc.get_update())
    with pytest.raises(InvalidArgument, match="bytes of UTF-8"):
        async with room.edit() as doc:
            text = doc.get("text", type=Text)
            text += "abc"
            del text[0:100]
    assert await text_in(room) == ""


async def test_edits_at_the_same_time_are_merged(room: CrdtRoomHandle) -> None:
    """None of them is lost, in whatever order they end."""
    async with room.edit() as first:
        first.get("text", type=Text).insert(0, "one")
        async with room.edit() as second:
            second.get("text", type=Text).insert(0, "two")
        assert await text_in(room) == "two"
    assert await text_in(room) in ("onetwo", "twoone")


async def test_documents_are_carried_over(host: Host, room: CrdtRoomHandle) -> None:
    """From a room to another, with their history, and back."""
    async with room.edit() as doc:
        doc.get("text", type=Text).insert(0, "hello")
    copy: CrdtRoomHandle = host.env.COLLAB.crdt_room("copy")
    await copy.import_update(await room.export_update())
    assert await text_in(copy) == "hello"
    async with copy.edit() as doc:
        doc.get("text", type=Text).insert(5, "!")
    await room.import_update(await copy.export_update())
    assert await text_in(room) == "hello!"
    local: Doc[Any] = Doc()
    local.apply_update(await room.export_update())
    assert str(local.get("text", type=Text)) == "hello!"
    with pytest.raises(InvalidArgument) as refused:
        await room.import_update(b"junk")
    assert (refused.value.code, refused.value.field) == ("invalid_update", "updateBase64")


async def test_an_update_that_is_larger_than_a_body(room: CrdtRoomHandle) -> None:
    """From code an update has its own bound, which in base64 is more than that of a body."""
    async with room.edit() as doc:
        doc.get("text", type=Text).insert(0, "x" * (limits.MAX_UPDATE_BYTES - 1_000))
    assert len(await text_in(room)) == limits.MAX_UPDATE_BYTES - 1_000


async def test_after_the_end(host: Host) -> None:
    """A destroyed room can be read, and not written."""
    room: CrdtRoomHandle = host.env.COLLAB.crdt_room("lobby")
    await room.import_update(_update(Pen(), "a"))
    await room.destroy()
    assert await text_in(room) == "a"
    with pytest.raises(RoomDestroyed):
        async with room.edit() as doc:
            doc.get("text", type=Text).insert(0, "b")
    with pytest.raises(RoomDestroyed):
        await room.awareness(client_id="a", state={})


async def test_a_room_that_begins_anew(host: Host) -> None:
    """It refuses what is of its earlier document."""
    room: CrdtRoomHandle = host.env.AGAIN.crdt_room("lobby")
    old = Pen()
    await room.import_update(_update(old, "old"))
    await room.destroy()
    await room.import_update(_update(Pen(2), "new"))
    assert await text_in(room) == "new"
    with pytest.raises(DocumentEpochChanged):
        await room.import_update(_update(old, "er"))


def _update(pen: Pen, text: str) -> bytes:
    pen.write(text)
    return pen.doc.get_update()


class Author(DurableObject):
    """An actor that writes into a document."""

    async def write(self, room: str, text: str) -> str:
        live: RealtimeInstance = self.env.LIVE
        async with live.crdt_room(room).edit() as doc:
            shared = doc.get("text", type=Text)
            shared += text
            return str(shared)

    async def blunder(self, room: str) -> None:
        async with self.env.LIVE.crdt_room(room).edit() as doc:
            del doc.get("text", type=Text)[5:9]


async def test_an_actor_edits() -> None:
    """As any code of the host does; a panic there is its own error, and the host goes on."""
    application = App(name="desk", bindings={"LIVE": realtime(name="live"), "AUTHORS": Author})
    async with host_for(application, clock=ManualClock()) as host:
        author = host.env.AUTHORS.get_by_name("ann")
        assert await author.write("notes", "one ") == "one "
        with pytest.raises(InvalidArgument):
            await author.blunder("notes")
        assert await author.write("notes", "two") == "one two"
        assert await text_in(host.env.LIVE.crdt_room("notes")) == "one two"
