"""A document over sockets of JSON frames: what is asked, and what everybody hears."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import pytest
from pycrdt import Text

from roomhost.actors import CrdtRoomHandle, limits
from roomhost.actors.frames import Protocol

from ..helpers.pens import EMPTY, Pen, text_of
from ..helpers.room_sockets import BOTH, Hall, hall_for, user

pytestmark = pytest.mark.anyio


@pytest.fixture
async def hall() -> AsyncGenerator[Hall]:
    """A host with the module."""
    async with hall_for() as hall:
        yield hall


def crdt(hall: Hall) -> CrdtRoomHandle:
    """The handle of the lobby, with its document."""
    handle: CrdtRoomHandle = hall.host.env.LIVE.crdt_room("lobby")
    return handle


async def test_what_is_refused_is_an_error_frame(hall: Hall) -> None:
    """With its code, and the connection stays; the names of HTTP are no frames."""
    client = await hall.open_quietly(user("ann"))
    for kind, fields, code in (
        ("yjs.update", {}, "invalid_argument"),
        ("yjs.update", {"updateBase64": "AAAA"}, "invalid_update"),
        ("yjs.update", {"updateBase64": "AAA=", "type2": 1}, "invalid_argument"),
        ("yjs.sync", {"stateVectorBase64": "!"}, "invalid_argument"),
        ("update", {}, "invalid_argument"),
        ("update", {"update": "x" * limits.MAX_DATA_BYTES}, "payload_too_large"),
        ("awareness", {"state": 1}, "invalid_argument"),
        ("document", {"cursor": "x"}, "invalid_cursor"),
        ("compact", {}, "forbidden"),
        ("apply_update", {"update": 1}, "invalid_argument"),
        ("apply_yjs_update", {"updateBase64": "AAA="}, "invalid_argument"),
        ("sync_yjs", {}, "invalid_argument"),
        ("apply-update", {"update": 1}, "invalid_argument"),
    ):
        assert await client.refusal(kind, **fields) == code, kind
    assert await client.result("document") == {
        "room": "lobby",
        "kind": "room",
        "updates": [],
        "awareness": [],
    }


async def test_a_channel_has_no_document(hall: Hall) -> None:
    """As over HTTP."""
    client = await hall.open_quietly(user("ann"), kind="channel")
    assert await client.refusal("document") == "unsupported_for_channel"
    assert await client.refusal("awareness", state={}) == "unsupported_for_channel"


async def test_a_reader_writes_nothing(hall: Hall) -> None:
    """It may read, and is not seen; one who may not read hears of nothing."""
    reader = await hall.open_quietly(user("ann", "subscribe", "crdt:read"))
    stranger = await hall.open_quietly(user("bob", "subscribe", "crdt:write"))
    assert await reader.refusal("yjs.update", updateBase64=EMPTY) == "forbidden"
    assert await reader.refusal("update", update=1) == "forbidden"
    assert await reader.refusal("awareness", state={}) == "forbidden"
    assert await stranger.refusal("yjs.sync") == "forbidden"
    await crdt(hall).import_update(Pen().read(Pen(2).write("hi")).doc.get_update())
    await hall.host.settle()
    assert reader.types() == ["yjs.update"]
    assert stranger.types() == []
    assert text_of((await reader.result("yjs.sync"))["updateBase64"]) == "hi"


@pytest.mark.parametrize("protocol", BOTH)
async def test_every_frame_has_its_answer(hall: Hall, protocol: Protocol) -> None:
    """The results are those of the operations."""
    client = await hall.open_quietly(user("ann", client_id="tab"), protocol=protocol)
    pen = Pen()
    applied = await client.result("yjs.update", updateBase64=pen.write("hi"), clock=1)
    assert applied["stateVectorBase64"] == pen.vector
    recorded = await client.result("update", update={"op": None}, clock=2)
    aware = await client.result("awareness", state={"x": 1})
    page = await client.result("document")
    assert [one["updateId"] for one in page["updates"]] == [
        applied["updateId"],
        recorded["updateId"],
    ]
    assert page["updates"][0]["clientId"] == "tab"
    assert page["updates"][1]["update"] == {"op": None}
    assert page["awareness"] == [aware]
    synced = await client.result("yjs.sync", stateVectorBase64=pen.vector)
    assert synced["updateBase64"] == EMPTY
    admin = await hall.open_quietly(user("root", "admin"), protocol=protocol)
    assert (await admin.result("compact"))["updatesCompacted"] == 1


async def test_who_hears_of_what(hall: Hall) -> None:
    """A Yjs update goes to everyone but its sender; JSON updates and awareness to the sender too, as
    messages do. The record is the one that is read."""
    ann = await hall.open_quietly(user("ann"))
    bob = await hall.open_quietly(user("bob"), protocol=Protocol.MSGPACK)
    ann.take()
    update = Pen().write("hi")
    await ann.result("yjs.update", updateBase64=update)
    assert ann.take() == []
    (push,) = bob.take()
    (record,) = (await bob.result("yjs.sync"))["updates"]
    assert push == {"type": "yjs.update", **record}
    await ann.result("update", update=[1])
    record = (await bob.result("document"))["updates"][1]
    for client in (ann, bob):
        assert client.take() == [{"type": "crdt.update", **record}]
    await ann.result("awareness", state={"x": 1})
    (shown,) = (await bob.result("document"))["awareness"]
    event = {name: shown[name] for name in ("clientId", "state", "updatedAt", "actor")}
    for client in (ann, bob):
        assert client.take() == [{"type": "awareness", **event}]


async def test_a_browser_and_the_server_write_together(hall: Hall) -> None:
    """What one writes, the other has; nothing is doubled or lost."""
    client = await hall.open_quietly(user("ann"))
    pen = Pen()
    await client.result("yjs.update", updateBase64=pen.write("browser "))
    async with crdt(hall).edit() as doc:
        text = doc.get("text", type=Text)
        text += "server "
    await hall.host.settle()
    (push,) = client.take()
    assert push["type"] == "yjs.update"
    pen.read(push["updateBase64"])
    assert str(pen) == "browser server "
    await client.result("yjs.update", updateBase64=pen.write("again"))
    async with crdt(hall).edit() as doc:
        assert str(doc.get("text", type=Text)) == "browser server again"


async def test_a_connection_from_code(hall: Hall) -> None:
    """By their names in Python, with the results of the handle."""
    async with crdt(hall).connect(member_id="bot", client_id="script") as connection:
        pen = Pen()
        applied = await connection.request("apply_yjs_update", update_base64=pen.write("hi"))
        assert applied.state_vector_base64 == pen.vector
        recorded = await connection.request("apply_update", update=None, clock=1)
        aware = await connection.request("awareness", state={"x": 1})
        assert aware.client_id == "script"
        page = await connection.request("document")
        assert [one.update_id for one in page.updates] == [
            applied.update_id,
            recorded.update_id,
        ]
        assert page.updates[1].client_id == "script"
        assert (await connection.request("sync_yjs", limit=0)).updates == []
        assert (await connection.request("compact")).updates_compacted == 1
        events = [await anext(connection) for _ in range(4)]
        assert [event.type for event in events] == [
            "connected",
            "member.joined",
            "crdt.update",
            "awareness",
        ]
    await hall.host.settle()
    assert (await crdt(hall).document()).awareness == []


async def test_who_leaves_is_aware_no_more(hall: Hall) -> None:
    """With the connection, however it ends, and everyone hears of it; the alarm is not needed."""
    listener = await hall.open_quietly(user("eve"))
    for code in (1000, None):
        client = await hall.open_quietly(user("ann", client_id="tab"))
        await client.result("awareness", state={"x": 1})
        listener.take()
        await client.close(code)
        gone = [frame for frame in listener.take() if frame["type"] == "awareness"]
        assert [(frame["clientId"], frame["state"]) for frame in gone] == [("tab", None)]
        assert (await crdt(hall).document()).awareness == []


async def test_what_is_said_on_a_connection_keeps_it_aware(hall: Hall) -> None:
    """Any frame renews it; a silent one is gone after a while, though it is connected."""
    client = await hall.open_quietly(user("ann"))
    await client.result("awareness", state={"x": 1})
    for _ in range(3):
        await hall.clock.advance(20)
        await client.result("members")
    assert len((await crdt(hall).document()).awareness) == 1
    await hall.clock.advance(30)
    assert (await crdt(hall).document()).awareness == []


async def test_awareness_is_over_with_the_room(hall: Hall) -> None:
    """Whoever was aware is not, when it was destroyed."""
    client = await hall.open_quietly(user("ann"))
    await client.result("awareness", state={"x": 1})
    await crdt(hall).awareness(client_id="server", state={})
    await hall.room.destroy()
    await hall.host.settle()
    assert client.end is not None
    assert client.end[0] == 4410
    assert (await crdt(hall).document()).awareness == []


async def test_a_room_that_sleeps_keeps_them(hall: Hall) -> None:
    """Who is connected is aware after it has woken, and its document is what it was."""
    client = await hall.open_quietly(user("ann"))
    pen = Pen()
    await client.result("yjs.update", updateBase64=pen.write("hi"))
    await client.result("awareness", state={"x": 1})
    await hall.sleep()
    assert len((await client.result("document"))["awareness"]) == 1
    assert (await client.result("yjs.update", updateBase64=pen.write("!")))[
        "stateVectorBase64"
    ] == pen.vector


async def test_the_welcome_says_which_document_it_is(hall: Hall) -> None:
    """The same as results do; nothing where there is none."""
    (welcome, *_) = (await hall.open(user("ann"))).take()
    assert "documentEpoch" not in welcome
    await crdt(hall).import_update(Pen().doc.get_update())
    pen = Pen()
    pen.write("hi")
    await crdt(hall).import_update(pen.doc.get_update())
    (welcome, *_) = (await hall.open(user("ann"))).take()
    expected: Any = (await crdt(hall).sync_yjs()).document_epoch
    assert welcome["documentEpoch"] == expected


async def test_what_was_waited_for_is_heard_by_its_sender_too(hall: Hall) -> None:
    """It brings what the sender has never seen."""
    sender = await hall.open_quietly(user("ann"))
    pen = Pen()
    one, two = pen.write("one"), pen.write("two")
    await crdt(hall).apply_yjs_update(update_base64=two)
    await sender.result("yjs.update", updateBase64=one)
    heard = Pen(2).read(one)
    for push in sender.take():
        heard.read(push["updateBase64"])
    assert str(heard) == "onetwo"
