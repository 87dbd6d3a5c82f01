"""The operation `room`: what the room's own readers would be told, and no trace of the reading."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator
from typing import Any

import msgspec
import pytest
from pycrdt import Text

from roomhost.actors import RealtimePrincipal
from roomhost.admin.errors import OperationError
from roomhost.admin.inspect_object import InspectInput, inspect_object
from roomhost.admin.room import RoomInput, read_room
from roomhost.runtime import Host
from roomhost.runtime.testing import ManualClock, host_for

from ..helpers.realtime_app import app

pytestmark = pytest.mark.anyio
ADA = RealtimePrincipal(kind="user", user_id="ada", display_name="Ada")


@pytest.fixture
async def host() -> AsyncGenerator[Host]:
    """A host with a room, in which something happened."""
    async with host_for(app, clock=ManualClock()) as host:
        room = host.env.COLLAB.crdt_room("lobby")
        await room.join(actor=ADA, presence={"status": "typing"})
        await room.metadata(metadata={"topic": "rooms"})
        for number in range(3):
            await room.publish(type="chat", data={"number": number}, actor=ADA)
        async with room.edit() as doc:
            doc.get("body", type=Text).insert(0, "a text")
        await room.awareness(client_id="tab", state={"cursor": 3}, actor=ADA)
        yield host


async def read(host: Host, **given: Any) -> dict[str, Any]:
    """The operation's result as its JSON has it."""
    found = await read_room(host, msgspec.convert(given, RoomInput))
    result: dict[str, Any] = msgspec.to_builtins(found)
    return result


async def test_a_room_is_what_its_readers_are_told(host: Host) -> None:
    """Members with presence, messages, metadata, who is aware, what the document says."""
    found = await read(host, binding="COLLAB", name="lobby")
    assert [(each["memberId"], each["presence"]) for each in found["members"]] == [
        ("ada", {"status": "typing"})
    ]
    assert [message["data"]["number"] for message in found["messages"]] == [2, 1, 0]
    assert found["metadata"] == {"topic": "rooms"}
    assert [(each["clientId"], each["state"]) for each in found["awareness"]] == [
        ("tab", {"cursor": 3})
    ]
    assert [(text["name"], text["text"]) for text in found["document"]["texts"]] == [
        ("body", "a text")
    ]
    assert found["lifecycle"]["status"] == "active"
    assert "cursor" not in found


async def test_messages_come_in_pages(host: Host) -> None:
    """`cursor` leads to older ones."""
    first = await read(host, binding="COLLAB", name="lobby", limit=2)
    then = await read(host, binding="COLLAB", name="lobby", limit=2, cursor=first["cursor"])
    assert [message["data"]["number"] for message in then["messages"]] == [0]
    with pytest.raises(OperationError) as refused:
        await read(host, binding="COLLAB", name="lobby", cursor="no cursor")
    assert (refused.value.code, refused.value.status) == ("invalid_cursor", 400)


async def test_a_channel_has_messages_alone(host: Host) -> None:
    """No members, no metadata, no document."""
    await host.env.COLLAB.channel("news").publish(type="note")
    found = await read(host, binding="COLLAB", kind="channels", name="news")
    assert [message["type"] for message in found["messages"]] == ["note"]
    assert "members" not in found
    assert "document" not in found


async def test_a_room_without_a_document_has_none(host: Host) -> None:
    """Nothing is made of nothing."""
    await host.env.COLLAB.room("plain").publish(type="note")
    assert "document" not in await read(host, binding="COLLAB", name="plain")


async def test_reading_changes_nothing(host: Host) -> None:
    """The keys and values of the room are the same afterwards, and it was asked by name alone."""
    given = InspectInput(binding="COLLAB.rooms", name="lobby")
    before = (await inspect_object(host, given)).entries
    await read(host, binding="COLLAB", name="lobby")
    assert (await inspect_object(host, given)).entries == before
    with pytest.raises(OperationError) as refused:
        await read(host, binding="COLLAB", name="absent")
    assert refused.value.status == 404
    assert {each.name for each in host.list_objects("COLLAB.rooms")} == {"lobby"}


async def test_a_reading_tells_its_own_events(host: Host) -> None:
    """How many there are, and between when: whoever follows the room tells them from others."""
    await host.env.COLLAB.channel("news").publish(type="note")
    async with host.observer.follow(["COLLAB.rooms", "COLLAB.channels"]) as follower:
        for kind, name in (("rooms", "lobby"), ("channels", "news")):
            found = await read(host, binding="COLLAB", kind=kind, name=name)
            events = [await anext(follower) for _ in range(found["calls"])]
            assert all(found["began_ms"] <= event.at_ms <= found["ended_ms"] for event in events)
            called = Counter(getattr(event, "what", None) for event in events)
            of_room = ["document", "members", "metadata", "sync_yjs"] if kind == "rooms" else []
            assert called == Counter(["history", "lifecycle", *of_room])
        await host.env.COLLAB.room("last").lifecycle()
        assert (await anext(follower)).name == "last"


@pytest.mark.parametrize("binding", ["ABSENT", "COLLAB.rooms", ""])
async def test_a_binding_without_rooms_is_refused(host: Host, binding: str) -> None:
    """It has to be a realtime module's."""
    with pytest.raises(OperationError) as refused:
        await read(host, binding=binding, name="lobby")
    assert (refused.value.status, refused.value.field) == (400, "binding")
