"""Frames of a room's sockets, and their answers."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import msgspec
import pytest

from roomhost.actors import limits
from roomhost.actors.caller import Caller
from roomhost.actors.errors import RoomDestroyed, Unauthenticated
from roomhost.actors.frames import Protocol

from ..helpers.room_sockets import BOTH, READER, Hall, hall_for, user

pytestmark = pytest.mark.anyio


@pytest.fixture
async def hall() -> AsyncGenerator[Hall]:
    """A host with the module."""
    async with hall_for() as hall:
        yield hall


@pytest.mark.parametrize("protocol", BOTH)
async def test_the_welcome_is_first_and_says_where_the_client_is(
    hall: Hall, protocol: Protocol
) -> None:
    """Then its member joins, which it hears as everybody does."""
    expires_ms = hall.clock.now_ms() + 60_000
    await hall.publish(2)
    client = await hall.open(user("ana", expires_at_ms=expires_ms), protocol=protocol)
    welcome, joined = client.take()
    assert welcome == {
        "type": "welcome",
        "connectionId": welcome["connectionId"],
        "epoch": welcome["epoch"],
        "seq": 2,
        "memberId": "ana",
        "expiresAt": "2023-11-14T22:14:20.000Z",
    }
    assert len(welcome["connectionId"]) == 24
    assert welcome["epoch"].startswith("1-")
    assert (joined["type"], joined["member"]["memberId"]) == ("member.joined", "ana")


async def test_the_welcome_of_nobody_says_no_more_than_there_is(hall: Hall) -> None:
    """No member, no expiry; the epoch of a room that nobody has written stays."""
    (first,) = (await hall.open()).take()
    await hall.sleep()
    (second,) = (await hall.open()).take()
    assert set(first) == {"type", "connectionId", "epoch", "seq"}
    assert (first["epoch"], first["seq"]) == (second["epoch"], 0)
    assert first["connectionId"] != second["connectionId"]


@pytest.mark.parametrize("protocol", BOTH)
async def test_every_type_of_frame_has_its_ack(hall: Hall, protocol: Protocol) -> None:
    """With the result of the operation, which is the one of the handle."""
    everything = user("ana", *user("ana").capabilities, "admin")
    ana = await hall.open_quietly(everything, protocol=protocol)
    note = {"type": "chat", "data": {"n": 1}, "metadata": {"a": None}}
    named = {"room": "lobby", "kind": "room"}
    for kind in ("publish", "broadcast"):
        published = await ana.result(kind, message=note)
        assert named.items() <= published.items()
        assert published["actor"]["userId"] == "ana"
    member = await ana.result("join", metadata={"m": 1})
    assert (member["memberId"], member["metadata"]) == ("ana", {"m": 1})
    present = await ana.result("presence", presence={"x": 1})
    assert present["presence"] == {"x": 1}
    members = await ana.result("members", limit=1)
    assert [member["presence"] for member in members] == [{"x": 1}]
    assert (await ana.result("metadata", metadata={"t": 1}))["metadata"] == {"t": 1}
    assert (await ana.result("metadata"))["metadata"] == {"t": 1}
    history = await ana.result("history", limit=1)
    assert history["items"][0]["data"] == {"n": 1}
    assert (await ana.result("history", cursor=history["cursor"]))["items"][0]["data"] == {"n": 1}
    snapshot = await ana.result("snapshot")
    restored = await ana.result("restore", snapshotId=snapshot["snapshotId"])
    assert named.items() <= restored.items()
    lifecycle = await ana.result("lifecycle")
    assert (lifecycle["status"], lifecycle["activeConnections"]) == ("active", 1)
    assert (await ana.result("leave"))["memberId"] == "ana"
    assert ana.end is None


async def test_pushes_come_before_the_ack_of_what_caused_them(hall: Hall) -> None:
    """In the order in which things happened."""
    ana = await hall.open_quietly(user("ana"))
    said = await ana.say('{"type":"publish","id":1,"message":{"type":"chat"}}')
    assert [frame["type"] for frame in said] == ["message", "ack"]
    assert said[0]["seq"] == 1
    assert said[0]["message"]["messageId"] == said[1]["result"]["messageId"]
    said = await ana.say('{"type":"presence","state":{}}')
    assert [frame["type"] for frame in said] == ["presence.updated", "ack"]
    assert said[0]["presence"] == {}
    assert "id" not in said[1]


@pytest.mark.parametrize("protocol", BOTH)
@pytest.mark.parametrize("number", [1, -1.5, 0, "", "é", True, None, [1, {"a": []}], {"a": "b"}])
async def test_an_id_is_echoed_as_it_is(hall: Hall, protocol: Protocol, number: Any) -> None:
    """Whatever JSON it is; in answers of both kinds."""
    client = await hall.open_quietly(protocol=protocol)
    for kind, answered in (("members", "ack"), ("publish", "error"), ("nothing", "error")):
        (answer,) = await client.say(client.encode({"type": kind, "id": number}))
        assert answer["type"] == answered
        assert answer["id"] == number
        assert type(answer["id"]) is type(number)


@pytest.mark.parametrize("protocol", BOTH)
async def test_a_frame_that_is_wrong_has_an_error_and_the_socket_stays(
    hall: Hall, protocol: Protocol
) -> None:
    """Unknown types, wrong fields, no objects, frames of the other kind."""
    client = await hall.open_quietly(user("ana"), protocol=protocol)
    answer = await client.ask("dance")
    assert (answer["code"], answer["field"]) == ("invalid_argument", "type")
    assert "'dance'" in answer["message"]
    assert answer["retryable"] is False
    for kind in ("destroy", "authorize", "apply-update", "__class__"):
        assert await client.refusal(kind) == "invalid_argument"
    answer = await client.ask("publish", message={"type": "", "data": 1})
    assert (answer["code"], answer["field"]) == ("invalid_argument", "message.type")
    answer = await client.ask("presence", presence={}, other=1)
    assert (answer["code"], answer["field"]) == ("invalid_argument", "other")
    other: Any = b"\x00" if protocol is Protocol.JSON else "{}"
    for frame in (other, client.encode([1]), client.encode(None)):
        (answer,) = await client.say(frame)
        assert (answer["type"], answer["code"]) == ("error", "invalid_argument")
    assert await client.result("members")
    assert client.end is None


@pytest.mark.parametrize("text", ["x", "é", "\U0001f600"])
async def test_a_frame_over_a_mebibyte_ends_the_connection(hall: Hall, text: str) -> None:
    """Counted in bytes. One of exactly as many is read."""
    client = await hall.open_quietly(user("ana"))
    head = '{"type":"dance","x":"'
    room = limits.MAX_BODY_BYTES - len(head) - 2
    filled = text * (room // len(text.encode()))
    filled += "x" * (room - len(filled.encode()))
    (answer,) = await client.say(f'{head}{filled}"}}')
    assert (answer["code"], client.end) == ("invalid_argument", None)
    (answer,) = await client.say(f'{head}x{filled}"}}')
    assert (answer["type"], answer["code"]) == ("error", "payload_too_large")
    assert client.end == (1009, "payload_too_large", True)


async def test_what_comes_after_the_room_has_closed_is_not_done(hall: Hall) -> None:
    """Frames that were on their way, or of a client that does not answer the close."""
    client = await hall.open_quietly(user("ana"))
    listener = await hall.open_quietly()
    client.ws.send("x" * (limits.MAX_BODY_BYTES + 1))
    client.send(type="publish", message={"type": "chat"})
    await hall.host.settle()
    assert client.types() == ["error"]
    assert listener.take() == []
    assert (await hall.room.history()).items == []


async def test_the_hundred_and_first_frame_at_once_is_too_many(hall: Hall) -> None:
    """It works again when the time that was named has passed; others have their own count."""
    client = await hall.open_quietly(user("ana"))
    other = await hall.open_quietly(user("bea"))
    client.take()
    for _ in range(100):
        client.send(type="members")
    client.send(type="publish", id=7, message={"type": "chat"})
    await hall.host.settle()
    *acks, refused = client.take()
    assert [frame["type"] for frame in acks] == ["ack"] * 100
    assert (refused["id"], refused["code"], refused["retryable"]) == (7, "rate_limited", True)
    assert refused["retryAfterMs"] == 20
    assert await other.result("members")
    await hall.clock.advance(0.019)
    assert await client.refusal("members") == "rate_limited"
    await hall.clock.advance(0.001)
    assert await client.result("members")
    assert await client.refusal("members") == "rate_limited"
    await hall.clock.advance(2)
    for _ in range(100):
        assert await client.result("members")


async def test_the_exact_ping_does_not_wake_the_room(hall: Hall) -> None:
    """Others are answered too, by the room."""
    client = await hall.open_quietly()
    await hall.sleep()
    before = hall.host.statistics().activations
    assert await client.say('{"type":"ping"}') == [{"type": "pong"}]
    assert hall.host.statistics().activations == before
    assert await client.say('{"type": "ping"}') == [{"type": "pong"}]
    assert hall.host.statistics().activations == before + 1
    packed = await hall.open_quietly(protocol=Protocol.MSGPACK)
    assert await packed.say(msgspec.msgpack.encode({"type": "ping"})) == [{"type": "pong"}]


async def test_publish_reaches_the_sender_and_broadcast_does_not(hall: Hall) -> None:
    """Its other connections hear it; both are recorded."""
    ana = await hall.open_quietly(user("ana"))
    second = await hall.open_quietly(user("ana"), protocol=Protocol.MSGPACK)
    bea = await hall.open_quietly(user("bea"))
    for client in (ana, second):
        client.take()
    await ana.result("publish", message={"type": "one"})
    await ana.result("broadcast", message={"type": "two"})
    heard = [[frame["message"]["type"] for frame in client.take()] for client in (ana, second, bea)]
    assert heard == [["one"], ["one", "two"], ["one", "two"]]
    assert [item.type for item in (await hall.room.history()).items] == ["two", "one"]


ALLOWED: dict[str, tuple[str, ...]] = {
    "subscribe": ("members", "lifecycle", "metadata"),
    "publish": ("publish", "broadcast"),
    "presence": ("join", "leave", "presence"),
    "history": ("history", "resume"),
    "admin": ("snapshot", "restore"),
}
INPUTS: dict[str, dict[str, Any]] = {
    "publish": {"message": {"type": "chat"}},
    "broadcast": {"message": {"type": "chat"}},
    "resume": {"epoch": "1-x", "seq": 0},
    "restore": {"snapshotId": "none"},
}


@pytest.mark.parametrize("capability", ALLOWED)
async def test_a_connection_may_do_what_its_capabilities_say(hall: Hall, capability: str) -> None:
    """Each frame needs one of them, and no other helps."""
    with_one = await hall.open_quietly(user("ana", capability))
    others = (name for name in ALLOWED if name != capability)
    with_others = await hall.open_quietly(user("bea", *others))
    for kind in ALLOWED[capability]:
        fields = INPUTS.get(kind, {})
        answer = await with_one.ask(kind, **fields)
        assert answer.get("code") != "forbidden", answer
        answer = await with_others.ask(kind, **fields)
        assert answer.get("code") == "forbidden", answer
        assert f"'{capability}'" in answer["message"]


async def test_without_subscribe_nothing_is_heard(hall: Hall) -> None:
    """But the answers to one's own frames."""
    deaf = await hall.open(user("ana", "publish", "presence"))
    assert deaf.types() == ["welcome"]
    assert await deaf.result("publish", message={"type": "chat"})
    await hall.room.metadata(metadata={"a": 1})
    await hall.host.settle()
    assert deaf.take() == []


async def test_metadata_is_written_with_publish_and_read_with_subscribe(hall: Hall) -> None:
    """One frame, two rights."""
    reader = await hall.open_quietly(user("ana", "subscribe"))
    assert (await reader.result("metadata"))["metadata"] == {}
    assert await reader.refusal("metadata", metadata={"a": 1}) == "forbidden"
    writer = await hall.open_quietly(user("bea", "subscribe", "publish"))
    assert (await writer.result("metadata", metadata={"a": 1}))["metadata"] == {"a": 1}


async def test_another_member_needs_admin(hall: Hall) -> None:
    """And another actor a trusted back-end."""
    ana = await hall.open_quietly(user("ana"))
    await hall.open(user("bea"))
    for kind in ("join", "leave", "presence"):
        answer = await ana.ask(kind, memberId="bea")
        assert (answer["code"], answer["field"]) == ("forbidden", "memberId")
    actor = {"kind": "user", "userId": "bea"}
    assert await ana.refusal("publish", message={"type": "x", "actor": actor}) == "forbidden"
    assert (await ana.result("presence", memberId="ana"))["memberId"] == "ana"
    admin = await hall.open_quietly(user("eve", "admin", "presence"))
    assert (await admin.result("leave", memberId="bea"))["memberId"] == "bea"


async def test_a_channel_has_messages_and_no_members(hall: Hall) -> None:
    """A member's frames are refused, its socket joins nobody."""
    ana = await hall.open(user("ana"), kind="channel")
    assert ana.types() == ["welcome"]
    for kind in ("join", "leave", "presence", "members", "metadata"):
        assert await ana.refusal(kind) == "unsupported_for_channel"
    await ana.result("publish", message={"type": "x"})
    assert ana.types() == ["message"]
    await ana.close()


async def test_a_token_of_another_life_opens_nothing(hall: Hall) -> None:
    """And leaves nothing open."""
    with pytest.raises(Unauthenticated):
        await hall.open(user("ana", generation=2))
    await hall.room.destroy()
    with pytest.raises(RoomDestroyed):
        await hall.open(user("ana", generation=1))
    with pytest.raises(RoomDestroyed):
        await hall.open(Caller(trusted=True))
    assert hall.host.statistics().web_sockets == 0


async def test_a_socket_that_could_not_join_is_not_left_open(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is refused before anybody has its other end: nobody would ever close it."""
    monkeypatch.setattr(limits, "MAX_MEMBERS", 1)
    await hall.open(user("ana"))
    with pytest.raises(Exception, match="at most 1 members"):
        await hall.open(user("bea"))
    assert (await hall.room.lifecycle()).active_connections == 1
    assert hall.host.statistics().web_sockets == 1
    assert await (await hall.open_quietly(READER)).result("members")


async def test_a_request_that_is_not_from_the_host_reaches_nothing(hall: Hall) -> None:
    """Only trusted code says who opens a socket."""
    response = await hall.stub().fetch("https://room/ws", headers={"upgrade": "websocket"})
    assert response.status == 404
