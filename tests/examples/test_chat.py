"""The chat's room, in process: what it stores, tells, replays, refuses and archives."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from examples.chat import (
    ARCHIVE_BLOCK_MESSAGES,
    IDLE_MS,
    KEPT_MESSAGES,
    MAX_NAME_CHARACTERS,
    REPLAYED_MESSAGES,
    Room,
)
from roomhost.bindings import App, DurableObjectStub
from roomhost.runtime import Host, WebSocket
from roomhost.runtime.testing import ManualClock, host_for

pytestmark = pytest.mark.anyio

Frame = dict[str, Any]
IDLE_SECONDS = IDLE_MS / 1000


class OpenRoom(Room):
    """A room that a test can look into."""

    async def stored(self, prefix: str) -> dict[str, Any]:
        return await self.ctx.storage.list(prefix=prefix)

    async def alarm_at(self) -> int | None:
        return await self.ctx.storage.get_alarm()

    def tagged(self, name: str) -> list[Any]:
        return [ws.deserialize_attachment() for ws in self.ctx.get_web_sockets(name)]


def chat(clock: ManualClock) -> App:
    """The example, its rooms on the clock of the test."""
    return App(name="chat", bindings={"ROOM": OpenRoom}, vars={"now_ms": clock.now_ms})


@pytest.fixture
async def clock() -> ManualClock:
    """Time stands still."""
    return ManualClock()


@pytest.fixture
async def host(clock: ManualClock) -> AsyncIterator[Host]:
    """A host of the example."""
    async with host_for(chat(clock), clock=clock) as running:
        yield running


@pytest.fixture
async def room(host: Host) -> DurableObjectStub:
    """A room."""
    stub: DurableObjectStub = host.env.ROOM.get_by_name("a")
    return stub


async def opened(room: DurableObjectStub, name: str, after: int | str = "") -> WebSocket:
    """A socket of a member, as a page opens it; nothing read yet."""
    query = f"name={name}&after={after}"
    response = await room.fetch(f"http://x/?{query}", headers={"upgrade": "websocket"})
    assert response.status == 101
    assert response.web_socket is not None
    response.web_socket.accept()
    return response.web_socket


async def received(ws: WebSocket) -> Frame:
    """The next frame."""
    frame: Frame = json.loads(await ws.receive())
    return frame


async def replayed(ws: WebSocket) -> list[Frame]:
    """What comes before one's own arrival is announced."""
    frames: list[Frame] = []
    while (frame := await received(ws))["type"] != "joined":
        frames.append(frame)
    return frames


async def entered(room: DurableObjectStub, name: str) -> WebSocket:
    """A socket that has read everything up to its own arrival."""
    ws = await opened(room, name)
    await replayed(ws)
    return ws


async def say(ws: WebSocket, message_id: str, text: str) -> Frame:
    """Send a message as a page does; what comes back."""
    ws.send(json.dumps({"type": "message", "id": message_id, "text": text}))
    return await received(ws)


async def filled(room: DurableObjectStub, count: int, text: str = "hello") -> WebSocket:
    """A member who has said `count` messages, their ids the numbers that they got."""
    ws = await entered(room, "ann")
    for number in range(1, count + 1):
        ws.send(json.dumps({"type": "message", "id": str(number), "text": text}))
    for number in range(1, count + 1):
        assert (await received(ws))["seq"] == number
    return ws


def seqs(messages: list[Frame]) -> list[int]:
    """The numbers of messages."""
    return [message["seq"] for message in messages]


async def test_everyone_gets_every_message_once_in_one_order(
    clock: ManualClock, room: DurableObjectStub
) -> None:
    """Who said it too: the echo is how a page learns that its message is stored."""
    ann, bob = await entered(room, "ann"), await entered(room, "bob")
    assert await received(ann) == {"type": "joined", "name": "bob", "members": ["ann", "bob"]}
    for seq, (ws, name) in enumerate(((ann, "ann"), (bob, "bob"), (ann, "ann")), start=1):
        ws.send(json.dumps({"type": "message", "id": f"m{seq}", "text": "größe 🙂"}))
        expected = {
            "type": "message",
            "seq": seq,
            "id": f"m{seq}",
            "name": name,
            "text": "größe 🙂",
            "at": clock.now_ms(),
        }
        assert await received(ann) == expected
        assert await received(bob) == expected


async def test_who_comes_gets_the_last_hundred_messages(room: DurableObjectStub) -> None:
    """Oldest first."""
    await filled(room, REPLAYED_MESSAGES + 5)
    bob = await opened(room, "bob")
    assert seqs(await replayed(bob)) == list(range(6, REPLAYED_MESSAGES + 6))


async def test_a_message_that_comes_again_is_stored_once(room: DurableObjectStub) -> None:
    """Its page gets the echo that it had missed; nobody else hears of it twice."""
    ann = await filled(room, 1)
    await say(ann, "x", "once")
    ann.close(1000)
    again = await entered(room, "ann")
    bob = await entered(room, "bob")
    await received(again)
    assert (await say(again, "x", "once"))["seq"] == 2
    assert (await say(again, "y", "next"))["seq"] == 3
    assert (await received(bob))["seq"] == 3
    assert seqs(await room.history()) == [1, 2, 3]


async def test_who_comes_back_gets_what_was_missed(room: DurableObjectStub) -> None:
    """All of it, more than who comes for the first time; and nothing when nothing was."""
    await filled(room, 250)
    assert seqs(await replayed(await opened(room, "bob", after=20))) == list(range(21, 251))
    assert await replayed(await opened(room, "bob", after=250)) == []


async def test_who_missed_too_much_is_told_how_much(room: DurableObjectStub) -> None:
    """The newest thousand are replayed, after a frame that counts the others."""
    await filled(room, KEPT_MESSAGES + 30)
    first, *missed = await replayed(await opened(room, "bob", after=10))
    assert first == {"type": "skipped", "count": 20}
    assert seqs(missed) == list(range(31, KEPT_MESSAGES + 31))


async def test_a_page_that_knows_more_than_the_room_starts_over(room: DurableObjectStub) -> None:
    """A copy was restored: its numbers are given again."""
    await filled(room, 3)
    first, *messages = await replayed(await opened(room, "bob", after=7))
    assert first == {"type": "reset"}
    assert seqs(messages) == [1, 2, 3]


@pytest.mark.parametrize("after", ["", "-1", "1.5", "x", "²", "9" * 13, "9" * 5000])
async def test_what_is_no_number_is_as_if_nothing_was_seen(
    room: DurableObjectStub, after: str
) -> None:
    """`?after=` comes from anybody."""
    await filled(room, 2)
    assert seqs(await replayed(await opened(room, "bob", after=after))) == [1, 2]


async def test_an_empty_name_is_somebody_and_a_long_one_is_cut(room: DurableObjectStub) -> None:
    """A name is shown, and is a tag, of 256 bytes at most."""
    await entered(room, "%20")
    await entered(room, "%F0%9F%99%82" * (MAX_NAME_CHARACTERS + 1))
    assert await room.members() == ["somebody", "🙂" * MAX_NAME_CHARACTERS]


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "{",
        "null",
        "[]",
        "7",
        "[" * 100_000,
        "9" * 5_000,
        b"\xff\xfe\xfd",
        "{}",
        '{"type": "other", "id": "a", "text": "b"}',
        '{"type": ["message"], "id": "a", "text": "b"}',
        '{"type": "message", "text": "b"}',
        '{"type": "message", "id": "", "text": "b"}',
        '{"type": "message", "id": 7, "text": "b"}',
        json.dumps({"type": "message", "id": "i" * 65, "text": "b"}),
        '{"type": "message", "id": "a"}',
        '{"type": "message", "id": "a", "text": ""}',
        '{"type": "message", "id": "a", "text": "  "}',
        '{"type": "message", "id": "a", "text": null}',
        json.dumps({"type": "message", "id": "a", "text": "t" * 2001}),
        json.dumps({"type": "message", "id": "a", "text": " " * 3_000_000 + "t"}),
        '{"type": "message", "id": "a", "text": "\\ud800"}',
        '{"type": "message", "id": "\\udfff", "text": "b"}',
    ],
    ids=lambda bad: repr(bad[:60]),
)
async def test_what_is_no_message_gets_an_error_frame(
    room: DurableObjectStub, bad: str | bytes
) -> None:
    """Alone, without a trace in the room; its socket goes on."""
    bob = await entered(room, "bob")
    ann = await entered(room, "ann")
    await received(bob)
    ann.send(bad)
    assert (await received(ann))["type"] == "error"
    assert (await say(ann, "i" * 64, "t" * 2000))["seq"] == 1
    assert (await received(bob))["seq"] == 1


async def test_a_ping_is_answered_without_the_room(host: Host, room: DurableObjectStub) -> None:
    """It sleeps on."""
    ann = await entered(room, "ann")
    assert await host.evict(room)
    before = host.statistics()
    ann.send("ping")
    assert await ann.receive() == "pong"
    assert host.statistics() == before


async def test_a_room_that_left_memory_goes_on(host: Host, room: DurableObjectStub) -> None:
    """Who is in it, under which names and tags, and what the next number is."""
    ann = await filled(room, 3)
    bob = await entered(room, "bob")
    await received(ann)
    assert await host.evict(room)
    assert (await say(ann, "m", "still here?"))["name"] == "ann"
    assert (await received(bob))["seq"] == 4
    assert await host.evict(room)
    assert await room.members() == ["ann", "bob"]
    assert await room.tagged("bob") == [{"name": "bob"}]


async def test_who_leaves_is_announced_once_gone(room: DurableObjectStub) -> None:
    """Not while the same name has another page open."""
    ann, bob, other = [await entered(room, name) for name in ("ann", "bob", "bob")]
    for _ in range(2):
        await received(ann)
    other.close(1000)
    bob.close(1000)
    assert await received(ann) == {"type": "left", "name": "bob", "members": ["ann"]}
    assert await room.members() == ["ann"]


async def test_history_is_read_backwards_page_by_page(room: DurableObjectStub) -> None:
    """Oldest first in each; before the first there is nothing."""
    await filled(room, 7)
    assert seqs(await room.history(limit=3)) == [5, 6, 7]
    assert seqs(await room.history(before=5, limit=3)) == [2, 3, 4]
    assert seqs(await room.history(before=2, limit=3)) == [1]
    assert await room.history(before=1) == []
    assert await room.history(before=0) == []
    assert seqs(await room.history(before=100)) == [1, 2, 3, 4, 5, 6, 7]


async def test_an_idle_room_archives_all_but_the_last_thousand(
    clock: ManualClock, room: DurableObjectStub
) -> None:
    """In blocks; when is written down; the history reads as before."""
    await filled(room, KEPT_MESSAGES + ARCHIVE_BLOCK_MESSAGES + 20)
    before = await room.history(limit=10_000)
    await clock.advance(IDLE_SECONDS)
    assert len(await room.stored("message:")) == KEPT_MESSAGES
    blocks = await room.stored("archive:")
    assert [len(block) for block in blocks.values()] == [ARCHIVE_BLOCK_MESSAGES, 20]
    assert await room.stored("archived_at") == {"archived_at": clock.now_ms()}
    assert await room.history(limit=10_000) == before
    for end in (1, 2, 500, 501, 502, 520, 521, 522, 900):
        expected = before[max(0, end - 1 - 30) : end - 1]
        assert await room.history(before=end, limit=30) == expected


async def test_a_message_postpones_the_archive(clock: ManualClock, room: DurableObjectStub) -> None:
    """Idle is ten minutes after the last one."""
    ann = await filled(room, KEPT_MESSAGES)
    await clock.advance(IDLE_SECONDS - 1)
    await say(ann, "late", "one more")
    await clock.advance(IDLE_SECONDS - 1)
    assert await room.stored("archive") == {}
    await clock.advance(1)
    assert len(await room.stored("archive:")) == 1
    assert await room.alarm_at() is None


async def test_an_archived_message_is_not_stored_again(
    clock: ManualClock, room: DurableObjectStub
) -> None:
    """However late its page comes back: it gets the echo of then."""
    await filled(room, KEPT_MESSAGES + 3)
    await clock.advance(IDLE_SECONDS)
    bob = await entered(room, "bob")
    assert (await say(bob, "2", "hello"))["seq"] == 2
    assert (await say(bob, "new", "hello"))["seq"] == KEPT_MESSAGES + 4


async def test_a_room_of_long_messages_is_archived_too(
    clock: ManualClock, room: DurableObjectStub
) -> None:
    """500 of them would be more than a value may hold: their blocks are shorter."""
    await filled(room, KEPT_MESSAGES + ARCHIVE_BLOCK_MESSAGES, text="🙂" * 2000)
    await clock.advance(IDLE_SECONDS)
    assert len(await room.stored("message:")) == KEPT_MESSAGES
    blocks = await room.stored("archive:")
    archived = [message for block in blocks.values() for message in block]
    assert seqs(archived) == list(range(1, ARCHIVE_BLOCK_MESSAGES + 1))
    assert len(blocks) > 1


async def test_a_request_that_is_no_upgrade_is_told_so(room: DurableObjectStub) -> None:
    """426."""
    assert (await room.fetch("http://x/")).status == 426
