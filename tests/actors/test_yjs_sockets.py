"""Sockets of Yjs clients: they sync, see each other, and are bounded."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import anyio
import pytest
from pycrdt import Array

from roomhost.actors import keys, limits, yjs_protocol
from roomhost.actors.caller import Caller
from roomhost.actors.errors import Forbidden, RateLimited, Unavailable
from roomhost.actors.room import Room
from roomhost.actors.yjs_protocol import AwarenessEntry, YjsKind, awareness_payload

from ..helpers.disk import Disk
from ..helpers.room_sockets import Hall, hall_for, recreating, user
from ..helpers.yjs import text_of, typed
from ..helpers.yjs_peers import Peer

pytestmark = pytest.mark.anyio

READER = user("rae", "crdt:read")
SERVER = Caller.trusted_caller()


@pytest.fixture
async def hall() -> AsyncGenerator[Hall]:
    """A host with the module, and its room `lobby`."""
    async with hall_for() as hall:
        yield hall


async def peers(hall: Hall, count: int = 2) -> list[Peer]:
    """So many clients, connected."""
    return [await Peer(hall, number + 1).connect() for number in range(count)]


async def content(hall: Hall) -> str:
    """What the room's document says."""
    found = await hall.host.env.LIVE.crdt_room("lobby").export_update()
    return text_of(found)


async def test_clients_have_what_each_of_them_types(hall: Hall) -> None:
    """The sender does not get it back."""
    ann, bob = await peers(hall)
    ann.take()
    await ann.type("hello")
    await bob.type(" world")
    assert str(ann.pad) == str(bob.pad) == "hello world" == await content(hall)
    assert ann.take() == [YjsKind.UPDATE]


async def test_what_a_client_did_offline_comes_with_its_connection(hall: Hall) -> None:
    """And it gets what the others did."""
    ann, bob = await peers(hall)
    await ann.close(None)
    ann.pad += "offline "
    await bob.type("online")
    await ann.connect()
    assert str(ann.pad) == str(bob.pad)
    assert sorted(str(ann.pad).split()) == ["offline", "online"]


async def test_the_document_sleeps_and_nobody_has_to_sync_again(hall: Hall) -> None:
    """The next update after an eviction reaches everybody as one frame."""
    ann, bob = await peers(hall)
    await ann.type("a")
    await hall.sleep()
    bob.take()
    await ann.type("b")
    assert str(bob.pad) == "ab"
    assert bob.take() == [YjsKind.UPDATE]


async def test_an_idle_document_leaves_memory_while_its_clients_chatter(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Awareness and messages keep the room awake, and not the document in it."""
    rooms: list[Any] = []
    begin = Room.__init__

    def seen(self: Room, *arguments: Any) -> None:
        begin(self, *arguments)
        rooms.append(self)

    monkeypatch.setattr(Room, "__init__", seen)
    (ann,) = await peers(hall, 1)
    await ann.type("a")
    document = rooms[0]._turns.load().document
    assert document.is_loaded
    for clock in range(1, 5):
        await hall.clock.advance(4)
        await ann.announce(b"{}", clock)
    assert len(rooms) == 1
    assert not document.is_loaded
    await ann.type("b")
    assert document.is_loaded
    for _ in range(4):
        await hall.clock.advance(4)
        await hall.publish()
    assert len(rooms) == 1
    assert not document.is_loaded
    assert await content(hall) == "ab"


async def test_nobody_hears_of_an_update_before_it_is_on_disk() -> None:
    """The disk is held: no update, no status, no answer to a later step 1; then all of them."""
    disk = Disk()
    async with hall_for(wrap_commit=disk.wrap) as hall:
        ann = await Peer(hall, 1).connect(statuses=True)
        bob = await Peer(hall, 2).connect()
        ann.take()
        bob.take()
        ann.statuses.clear()
        disk.hold()
        ann.pad += "kept"
        bob.send(yjs_protocol.sync_step_1(b"\x00"))
        await disk.reached()
        await anyio.wait_all_tasks_blocked()
        assert (ann.take(), bob.take()) == ([], [])
        disk.release()
        await hall.host.settle()
        assert ann.statuses == [b"\x01"]
        assert sorted(kind.name for kind in bob.take()) == ["SYNC_STEP_2", "UPDATE"]
        assert str(bob.pad) == "kept"


async def test_an_update_that_could_not_be_stored_is_in_no_document() -> None:
    """Its sender is disconnected, brings it again, and then it is."""
    disk = Disk()
    async with hall_for(wrap_commit=disk.wrap) as hall:
        ann = await Peer(hall, 1).connect()
        await ann.type("a")
        disk.failing = True
        await ann.type("b")
        disk.failing = False
        assert ann.end is not None
        assert await content(hall) == "a"
        await ann.connect()
        assert await content(hall) == "ab"


async def test_what_waited_reaches_the_one_who_sent_the_missing_part(hall: Hall) -> None:
    """It did not know the rest either."""
    ann, bob = await peers(hall)
    first, second, third = typed("abc", client_id=50)
    await ann.say(yjs_protocol.update(first))
    await ann.say(yjs_protocol.update(third))
    assert str(bob.pad) == "a"
    await bob.say(yjs_protocol.update(second))
    assert str(bob.pad) == "abc"


async def test_a_reader_reads_and_may_not_write(hall: Hall) -> None:
    """It is told so, and stays; what it sends that is known already is no offence."""
    ann, _ = await peers(hall)
    await ann.type("text")
    rae = await Peer(hall, 9).connect(READER, statuses=True)
    assert str(rae.pad) == "text"
    assert YjsKind.PERMISSION_DENIED not in rae.take()
    rae.statuses.clear()
    await rae.type("!")
    assert rae.take() == [YjsKind.PERMISSION_DENIED, YjsKind.STATUS]
    assert rae.statuses == [b"\x00"]
    assert str(ann.pad) == "text" == await content(hall)
    await rae.announce(b'{"cursor":1}')
    assert ann.aware == rae.aware == {}
    assert rae.take() == [YjsKind.AWARENESS]  # it is not alone, and need not connect again
    assert rae.end is None


@pytest.mark.parametrize("capabilities", [("subscribe", "crdt:write"), ("publish",)])
async def test_who_may_not_read_the_document_is_not_let_in(
    hall: Hall, capabilities: tuple[str, ...]
) -> None:
    """Before anything of it is sent."""
    with pytest.raises(Forbidden, match="crdt:read"):
        await Peer(hall, 1).connect(user("eve", *capabilities))


async def test_awareness_is_seen_and_goes_with_its_socket(hall: Hall) -> None:
    """The sender hears itself, as it takes silence for a lost connection."""
    ann, bob = await peers(hall)
    await ann.announce(b'{"name":"ann"}')
    assert bob.aware == ann.aware == {1: b'{"name":"ann"}'}
    late = await Peer(hall, 7).connect()
    assert late.aware == {1: b'{"name":"ann"}'}
    await late.say(yjs_protocol.query_awareness())
    assert late.take()[-1] is YjsKind.AWARENESS
    await ann.close(None)
    assert bob.aware == late.aware == {}


async def test_awareness_outlives_a_sleep_of_the_room(hall: Hall) -> None:
    """As long as its socket does."""
    ann, bob = await peers(hall)
    await ann.announce(b"{}")
    await hall.sleep()
    late = await Peer(hall, 7).connect()
    assert late.aware == {1: b"{}"}
    await hall.sleep()
    await ann.close()
    assert bob.aware == {}


async def test_awareness_writes_nothing_and_loads_no_document(hall: Hall) -> None:
    """It is no activity of the room."""
    ann, _ = await peers(hall)
    await hall.sleep()
    before = hall.host.statistics()
    await ann.announce(b"{}")
    await ann.announce(b"{}", 2)
    after = hall.host.statistics()
    assert after.commits == before.commits


async def test_a_connection_announces_only_so_many(hall: Hall) -> None:
    """The rest of them is left out."""
    ann, bob = await peers(hall)
    entries = [AwarenessEntry(client, 1, b"{}") for client in range(100, 200)]
    await ann.say(yjs_protocol.awareness(awareness_payload(entries)))
    assert len(bob.aware) == limits.MAX_AWARENESS_IDS_OF_CONNECTION


BAD_FRAMES = [
    "text",
    b"",
    b"\x07",
    b"\x00\x09\x00",
    b"\x00\x02\x05\x00",
    b"\x00\x00\x05\xff\xff\xff\xff\x0f",
    b"\x00\x02\x07" + bytes([1, 1, 0x14, 1, 0, 0, 0]),
    b"\x01\x05\xff\xff\xff\xff\x0f",
    b"\x00\x02\x02\x00\x00trailing",
]


@pytest.mark.parametrize("frame", BAD_FRAMES)
async def test_a_client_that_breaks_the_protocol_is_closed(hall: Hall, frame: bytes | str) -> None:
    """With 4400; the others, and the document, do not notice."""
    ann, bob = await peers(hall)
    await bob.type("fine")
    await ann.say(frame)
    assert ann.end is not None
    assert ann.end[0] == 4400
    await bob.type("!")
    assert await content(hall) == "fine!"
    assert bob.end is None


async def test_a_frame_has_a_largest_size(hall: Hall) -> None:
    """1009, as RFC 6455 has it; from who is trusted it may be larger."""
    (ann,) = await peers(hall, 1)
    await ann.say(b"\x00\x02" + b"\x00" * (limits.MAX_UPDATE_BYTES + 100))
    assert ann.end == (1009, "payload_too_large")
    server = await Peer(hall, 5).connect(SERVER)
    server.pad += "x" * (3 * limits.MAX_UPDATE_BYTES)
    await hall.host.settle()
    assert len(await content(hall)) == 3 * limits.MAX_UPDATE_BYTES
    await server.say(b"\x00\x02" + b"\x00" * (limits.MAX_TRUSTED_UPDATE_BYTES + 100))
    assert server.end == (1009, "payload_too_large")


async def test_too_many_frames_close_the_connection_for_a_while(hall: Hall) -> None:
    """4529 means come back, and what was typed comes then; the server's own are not counted."""
    (ann,) = await peers(hall, 1)
    server = await Peer(hall, 5).connect(SERVER)
    for _ in range(limits.YJS_RATE_BURST):
        ann.send(yjs_protocol.query_awareness())  # to which there is nothing to say
        server.send(yjs_protocol.query_awareness())
    await server.type("x")
    await ann.type("lost at first")
    assert ann.end == (4529, RateLimited.code)
    assert server.end is None
    assert await content(hall) == "x"
    await ann.connect()
    assert sorted(await content(hall)) == sorted("xlost at first")


async def test_a_large_document_is_no_slow_reader(hall: Hall) -> None:
    """What a client asks for may be larger than what may wait for it otherwise."""
    ann = await Peer(hall, 1).connect(SERVER)
    for _ in range(3):
        await ann.type("x" * 900_000)
    bob = await Peer(hall, 2).connect()
    assert len(bob.pad) == 2_700_000
    assert bob.end is None


async def test_five_hundred_updates_become_a_checkpoint(hall: Hall) -> None:
    """By themselves, while everybody goes on."""
    ann = await Peer(hall, 1).connect(SERVER)
    for _ in range(limits.MAX_LOG_UPDATES):
        ann.pad += "x"
    await hall.host.settle()
    stored = await hall.stub().operate("sync_yjs", b'{"limit":1000}', b'{"trusted":true}')
    assert b'"updates":[]' in stored.replace(b" ", b"")
    await hall.sleep()
    assert len(await content(hall)) == limits.MAX_LOG_UPDATES


async def test_a_document_that_nobody_changes_becomes_a_checkpoint(hall: Hall) -> None:
    """After the time in which a room is idle, though its clients stay."""
    ann, _ = await peers(hall)
    await ann.type("a")
    crdt = hall.host.env.LIVE.crdt_room("lobby")
    assert len((await crdt.sync_yjs(limit=10)).updates) == 1
    await hall.clock.advance(301)
    await hall.clock.advance(301)
    assert (await crdt.sync_yjs(limit=10)).updates == []
    await ann.type("b")
    assert await content(hall) == "ab"


async def test_a_member_is_here_by_its_yjs_socket(hall: Hall) -> None:
    """As by any other."""
    ann, _ = await peers(hall)
    assert [member.member_id for member in await hall.room.members()] == ["ann"]
    await ann.close()


async def test_json_clients_and_yjs_clients_are_in_one_room(hall: Hall) -> None:
    """Updates and awareness reach both, each in its own frames."""
    (ann,) = await peers(hall, 1)
    bob = await hall.open_quietly(user("bob"))
    await ann.type("hi")
    await ann.announce(b'{"x":1}')
    update, aware = bob.take()
    assert update["type"] == "yjs.update"
    assert aware["type"] == "awareness"
    assert (aware["clientId"], aware["state"]) == ("1", {"x": 1})
    await hall.publish()
    assert bob.types() == ["message"]
    await ann.close()
    gone = next(frame for frame in bob.take() if frame["type"] == "awareness")
    assert gone["state"] is None


async def test_listeners_who_may_not_read_the_document_hear_nothing_of_it(hall: Hall) -> None:
    """Neither updates nor awareness."""
    (ann,) = await peers(hall, 1)
    eve = await hall.open_quietly(user("eve", "subscribe"))
    await ann.type("secret")
    await ann.announce(b"{}")
    assert eve.take() == []


async def test_a_destroyed_room_closes_its_clients(hall: Hall) -> None:
    """With 4410, and no text frame before it."""
    (ann,) = await peers(hall, 1)
    await hall.room.destroy()
    await hall.host.settle()
    assert ann.end == (4410, "room_destroyed")


async def test_who_brings_back_an_old_document_is_told_to_discard_it() -> None:
    """4405, though a stock client knows nothing of epochs."""
    async with hall_for(recreating) as hall:
        (ann,) = await peers(hall, 1)
        await ann.type("old")
        await hall.room.destroy()
        await hall.host.settle()
        await ann.connect(SERVER)
        assert ann.end == (4405, "document_epoch_changed")
        assert await content(hall) == ""
        fresh = await Peer(hall, 77).connect(SERVER)
        await fresh.type("new")
        assert await content(hall) == "new"


async def test_a_document_that_cannot_be_loaded_is_left_alone(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who comes is sent away for a while; messages go on, and other rooms do."""

    async def spoil(room: Room) -> None:
        room.ctx.storage.kv.put(keys.yjs_update(1), b"\xc1")

    monkeypatch.setattr(Room, "spoil", spoil, raising=False)
    (ann,) = await peers(hall, 1)
    await ann.type("a")
    await hall.stub().spoil()
    await hall.sleep()
    await ann.type("b")
    assert ann.end == (4501, "unavailable")
    with pytest.raises(Unavailable) as caught:
        await Peer(hall, 2).connect()
    assert caught.value.retry_after_ms == 2_000
    await hall.room.publish(type="note")


async def test_types_nested_too_deep_close_who_sends_them(hall: Hall) -> None:
    """And nobody else sees them."""
    ann, bob = await peers(hall)
    inner = ann.doc.get("list", type=Array)
    for _ in range(limits.MAX_TYPE_DEPTH + 1):
        inner.append(Array())
        inner = inner[0]
    await hall.host.settle()
    assert ann.end == (4400, "invalid_update")
    await bob.type("fine")
    assert await content(hall) == "fine"
