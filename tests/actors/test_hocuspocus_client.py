"""A client of Hocuspocus in process: who gets in, what is carried, and what ends it."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from roomhost.actors import hocuspocus_protocol as protocol
from roomhost.actors import limits
from roomhost.actors.caller import Caller
from roomhost.actors.errors import Unavailable
from roomhost.actors.hocuspocus import Hocuspocus
from roomhost.actors.hocuspocus_protocol import MessageType
from roomhost.actors.varints import write_var_bytes
from roomhost.runtime import WebSocket

from ..helpers.hocuspocus import Desk, desk_for

pytestmark = pytest.mark.anyio


@pytest.fixture
async def desk() -> AsyncGenerator[Desk]:
    """A host with the module."""
    async with desk_for() as desk:
        yield desk


async def test_no_token_in_time(desk: Desk) -> None:
    """A client that is let into no document within ten seconds is closed, whatever it sends."""
    silent, noisy = desk.dial(), desk.dial()
    noisy.provider("doc").sync()
    noisy.provider("doc").authenticate("wrong")
    await desk.clock.advance(limits.HOCUSPOCUS_AUTH_SECONDS - 1)
    await desk.settle()
    assert silent.end is noisy.end is None
    await desk.clock.advance(1)
    await desk.settle()
    assert silent.end == noisy.end == (4408, "no document was opened")


@pytest.mark.parametrize(
    "message",
    ["text", b"", b"\x0bdo", b"\x03doc", b"\xff" * 12, write_var_bytes(b"x" * 1025) + b"\0"],
)
async def test_what_is_no_frame(desk: Desk, message: str | bytes) -> None:
    """Text, or bytes that name no document and type, close the socket, and its documents with it."""
    client = desk.dial()
    await client.opened("doc")
    client.ws.send(message)
    await desk.settle()
    assert client.end == (4401, "invalid_argument")
    assert desk.host.statistics().web_sockets == 0


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 256])
async def test_a_name_no_room_can_have(desk: Desk, name: str) -> None:
    """Its document is denied, and the others go on."""
    client = desk.dial()
    good = await client.opened("doc")
    bad = client.provider(name)
    bad.start("key")
    await desk.settle()
    assert bad.denied == ["invalid_argument"]
    assert (good.closed, client.end) == ([], None)


async def test_a_token_that_is_not_good(desk: Desk) -> None:
    """No token, one that is none, one of another room, one that may not read: denied, and it may try
    again with another."""
    client = desk.dial()
    provider = client.provider("doc")
    for token in ("", "wrong", await desk.token(name="other"), await desk.token("presence")):
        provider.start(token)
        await desk.settle()
    assert provider.denied == [*["unauthenticated"] * 3, "forbidden"]
    assert desk.host.statistics().web_sockets == 0

    provider.start(await desk.token())
    await desk.settle()
    assert (provider.scope, provider.synced) == ("read-write", True)


async def test_too_much_before_a_token(desk: Desk) -> None:
    """Too many frames, bytes or documents whose token does not come: the socket is reset."""
    clients = [desk.dial() for _ in range(3)]
    for _ in range(limits.MAX_WAITING_FRAMES + 1):
        clients[0].provider("doc").sync()
    for _ in range(6):
        clients[1].provider("doc").say(MessageType.SYNC, bytes(1024 * 1024))
    for number in range(limits.MAX_WAITING_DOCUMENTS + 1):
        clients[2].provider(f"doc{number}").sync()
    await desk.settle()
    assert [client.end and client.end[0] for client in clients] == [4205] * 3


async def test_frames_before_the_token(desk: Desk) -> None:
    """What a provider sends while it waits for its token is applied when that has come."""
    client = desk.dial()
    provider = client.provider("doc")
    provider.text += "early"
    provider.sync()
    await desk.settle()
    assert not provider.synced
    provider.authenticate("key")
    await desk.settle()
    assert (provider.synced, provider.unsynced) == (True, 0)
    other = await desk.dial().opened("doc", 2)
    assert str(other.text) == "early"


async def test_two_clients_edit(desk: Desk) -> None:
    """What one writes the other reads, each update is acknowledged, and they see each other."""
    ann = await desk.dial().opened("doc", 1)
    bob = await desk.dial().opened("doc", 2)
    ann.text += "hello"
    await desk.settle()
    bob.text += " you"
    await desk.settle()
    assert str(ann.text) == str(bob.text) == "hello you"
    assert ann.unsynced == bob.unsynced == 0
    ann.announce(b'{"cursor":1}')
    await desk.settle()
    assert bob.aware == {1: b'{"cursor":1}', 2: b"{}"}


async def test_many_documents_on_one_socket(desk: Desk) -> None:
    """Each has its own room, two sessions of one document too, and closing one leaves the others."""
    client = desk.dial()
    first, second, session = [
        await client.opened(key, number) for number, key in enumerate(("a", "b", "a\0s2"), 1)
    ]
    first.text += "one"
    await desk.settle()
    assert (str(first.text), str(second.text), str(session.text)) == ("one", "", "one")
    assert desk.host.statistics().web_sockets == 3

    first.say(MessageType.CLOSE)
    await desk.settle()
    assert desk.host.statistics().web_sockets == 2
    assert session.aware[1] is None, "who closes its document is aware no more"
    session.text += "!"
    await desk.settle()
    assert (str(first.text), session.unsynced, first.closed) == ("one", 0, [])

    again = await client.opened("a", 9)
    assert str(again.text) == "one!"


async def test_a_reader_writes(desk: Desk) -> None:
    """It is told its scope; what it writes is denied, unless the document has it already."""
    writer = await desk.dial().opened("doc", 1)
    reader = await desk.dial().opened("doc", 2, await desk.token("crdt:read"))
    assert (reader.scope, reader.statuses) == ("readonly", [True])
    reader.text += "no"
    await desk.settle()
    assert (reader.statuses, reader.unsynced) == ([True, False], 1)
    assert str(writer.text) == ""
    assert reader.token_requests == 0


async def test_a_reader_without_presence_is_answered(desk: Desk) -> None:
    """It is not shown to others; but a client that hears nothing at all would connect again."""
    client = desk.dial()
    reader = await client.opened("doc", 2, await desk.token("crdt:read"))
    reader.aware = {5: b"{}"}
    writer = await desk.dial().opened("doc", 1)
    assert writer.aware == {1: b"{}"}
    heard: list[bytes] = []
    client._providers.clear()
    reader.announce(b"{}")
    await desk.settle()
    heard = client.others
    assert [protocol.read_frame(message).type for message in heard] == [MessageType.AWARENESS]


async def test_a_forced_sync(desk: Desk) -> None:
    """A provider that syncs again hears that everything it has is there."""
    provider = await desk.dial().opened("doc")
    provider.text += "x"
    await desk.settle()
    provider.sync()
    await desk.settle()
    assert provider.unsynced == 0


async def test_a_room_that_is_destroyed(desk: Desk) -> None:
    """Its document is closed with the reason, the others are not; opening it again is denied."""
    client = desk.dial()
    doc, other = await client.opened("doc"), await client.opened("other", 2)
    await desk.room().destroy()
    await desk.settle()
    assert doc.closed == ["room_destroyed"]
    assert (other.closed, client.end) == ([], None)
    doc.start("key")
    await desk.settle()
    assert doc.denied == ["room_destroyed"]


async def test_a_client_that_goes(desk: Desk) -> None:
    """Its rooms see it go as it went: it leaves after a normal end, and is missed after a loss."""
    polite, lost = desk.dial(), desk.dial()
    await polite.opened("doc", 1, await desk.token(member_id="ann"))
    await lost.opened("doc", 2, await desk.token(member_id="bob"))
    polite.ws.close(1000, "")
    lost.ws.terminate()
    await desk.settle()
    assert desk.host.statistics().web_sockets == 0
    assert [member.member_id for member in await desk.room().members()] == ["bob"]
    await desk.clock.advance(limits.GRACE_SECONDS)
    assert not await desk.room().members()


async def test_a_new_token_in_place(desk: Desk) -> None:
    """When a token is over a new one is asked for, and the document stays open with it."""
    client = desk.dial()
    provider = await client.opened("doc", 1, await desk.token())
    await desk.clock.advance(limits.TOKEN_TTL_SECONDS)
    await desk.settle()
    assert provider.token_requests == 1
    provider.authenticate(await desk.token())
    await desk.settle()
    await desk.clock.advance(limits.TOKEN_GRACE_SECONDS + 5)
    await desk.settle()
    provider.text += "still here"
    await desk.settle()
    assert (provider.unsynced, provider.closed, client.end) == (0, [], None)

    await desk.clock.advance(limits.TOKEN_TTL_SECONDS)
    await desk.settle()
    assert (provider.token_requests, provider.closed) == (2, ["grant_expired"])
    assert desk.host.statistics().web_sockets == 0


async def test_a_new_token_that_is_not_good(desk: Desk) -> None:
    """It closes the document that the old one had opened."""
    client = desk.dial()
    provider = await client.opened("doc")
    provider.authenticate("wrong")
    await desk.settle()
    assert (provider.closed, provider.denied) == (["unauthenticated"], [])
    assert client.end is None
    assert desk.host.statistics().web_sockets == 0


async def test_a_new_token_with_other_rights(desk: Desk) -> None:
    """The socket is reset: the client connects again, and has what the new token allows."""
    client = desk.dial()
    provider = await client.opened("doc", 1, await desk.token())
    provider.authenticate(await desk.token("crdt:read"))
    await desk.settle()
    assert client.end == (4205, "another token, with other rights")
    assert desk.host.statistics().web_sockets == 0


async def test_without_a_token(desk: Desk) -> None:
    """Where anonymous clients are allowed a provider needs no token, and may send none again."""
    async with desk_for(allow_anonymous=True) as open_desk:
        client = open_desk.dial()
        provider = await client.opened("doc", 1, "")
        provider.authenticate("")
        await open_desk.settle()
        assert (provider.scope, provider.closed, client.end) == ("read-write", [], None)


async def test_pings_and_what_nobody_knows(desk: Desk) -> None:
    """A ping is answered; stateless messages, and types that nobody knows, do no harm."""
    client = desk.dial()
    provider = await client.opened("doc")
    client.ws.send(protocol.PING)
    client.ws.send(protocol.PONG)
    provider.say(MessageType.STATELESS, write_var_bytes(b"hi"))
    provider.say(MessageType.BROADCAST_STATELESS, write_var_bytes(b"hi"))
    provider.say(99)
    client.provider("nobody").say(MessageType.CLOSE)
    await desk.settle()
    assert (client.others, provider.closed, client.end) == ([protocol.PONG], [], None)


async def test_a_frame_the_room_refuses(desk: Desk) -> None:
    """It closes the document that it was for, and no other."""
    client = desk.dial()
    doc, other = await client.opened("doc"), await client.opened("other", 2)
    doc.say(MessageType.SYNC, b"\x02\x03\x01\x01\x14")
    await desk.settle()
    assert doc.closed == ["invalid_update"]
    assert (other.closed, client.end) == ([], None)


async def test_a_reader_that_is_too_slow(desk: Desk) -> None:
    """Nothing is taken from its rooms while it does not read; when one has too much for it, it is cut
    off, and the rooms have one socket less."""
    slow = desk.dial(reads=False)
    slow.provider("doc", 2).start("key")
    writer = await desk.dial().opened("doc", 1)
    for _ in range(6):
        writer.text += "x" * 500_000
        await desk.settle()
    assert writer.unsynced == 0
    desk.group.start_soon(slow.read)
    await desk.settle()
    assert slow.end == (4531, "slow_consumer")
    assert desk.host.statistics().web_sockets == 1


async def test_a_room_that_cannot_be_loaded(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked again, ever less often, and holds up nothing else on the socket."""
    asked: list[str] = []
    open_room = desk.endpoint._open_room

    async def refuse(name: str, caller: Caller) -> WebSocket:
        asked.append(name)
        if name == "doc" and len(asked) < 3:
            raise Unavailable("damaged", code="unavailable", retry_after_ms=2_000)
        return await open_room(name, caller)

    monkeypatch.setattr(Hocuspocus, "_open_room", staticmethod(refuse))
    client = desk.dial()
    waiting = client.provider("doc", 2)
    waiting.start("key")
    await desk.settle()
    other = await client.opened("other")
    assert (waiting.scope, waiting.denied) == (None, [])
    await desk.clock.advance(2)
    await desk.settle()
    assert asked == ["doc", "other", "doc"]
    assert (waiting.synced, waiting.unsynced) == (True, 0)
    assert (other.closed, client.end) == ([], None)


async def test_a_room_that_is_full(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its document is denied, with the reason."""
    monkeypatch.setattr(limits, "MAX_CONNECTIONS", 1)
    client = desk.dial()
    await client.opened("doc")
    other = desk.dial().provider("doc", 2)
    other.start("key")
    await desk.settle()
    assert other.denied == ["rate_limited"]


async def test_too_many_documents(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """One over the limit of a socket is denied; the others go on."""
    monkeypatch.setattr(limits, "MAX_DOCUMENTS_OF_CLIENT", 2)
    client = desk.dial()
    first = await client.opened("a")
    await client.opened("b", 2)
    third = client.provider("c", 3)
    third.start("key")
    await desk.settle()
    assert third.denied == ["rate_limited"]
    first.authenticate("key")
    await desk.settle()
    assert (first.closed, first.denied, client.end) == ([], [], None)


async def test_a_mistake_of_ours(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It ends the one client that it was made for, and its rooms' sockets."""
    good, bad = desk.dial(), desk.dial()
    provider = await good.opened("doc")
    carried = protocol.from_room

    def fail(prefix: bytes, frame: bytes) -> bytes | None:
        if b"broken" in prefix:
            raise RuntimeError("a mistake")
        return carried(prefix, frame)

    monkeypatch.setattr(protocol, "from_room", fail)
    bad.provider("broken", 2).start("key")
    await desk.settle()
    assert bad.end is not None
    assert bad.end[0] == 1006
    assert "could not be served" in caplog.text
    provider.text += "x"
    await desk.settle()
    assert (provider.unsynced, good.end) == (0, None)
    assert desk.host.statistics().web_sockets == 1
