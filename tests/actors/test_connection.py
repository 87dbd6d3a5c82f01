"""A connection: what outlives the room's instance, and what a socket may be opened with."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from roomhost.actors import limits
from roomhost.actors.caller import CAPABILITIES, Caller
from roomhost.actors.errors import RateLimited
from roomhost.actors.frames import Protocol
from roomhost.actors.types import RealtimePrincipal

from ..helpers.room_sockets import BOTH, Hall, hall_for, user

pytestmark = pytest.mark.anyio


@pytest.fixture
async def hall() -> AsyncGenerator[Hall]:
    """A host with the module."""
    async with hall_for() as hall:
        yield hall


@pytest.mark.parametrize("protocol", BOTH)
async def test_a_connection_is_the_same_after_the_room_slept(
    hall: Hall, protocol: Protocol
) -> None:
    """Its protocol, its member, its capabilities, its own id."""
    ana = await hall.open_quietly(user("ana", "publish", "subscribe"), protocol=protocol)
    bea = await hall.open_quietly(user("bea"), protocol=protocol)
    ana.take()
    await hall.sleep()
    published = await ana.result("broadcast", message={"type": "x"})
    assert published["actor"] == {"kind": "user", "id": "ana", "userId": "ana"}
    assert (ana.types(), bea.types()) == ([], ["message"])
    assert await ana.refusal("history") == "forbidden"


async def test_a_socket_opens_with_the_largest_presence(hall: Hall) -> None:
    """It becomes the member's, and is not kept with the socket."""
    presence = {"x": "y" * (limits.MAX_PRESENCE_BYTES - 8)}
    bot = await hall.open_quietly(Caller(trusted=True, member_id="bot", presence=presence))
    await hall.sleep()
    (member,) = await bot.result("members")
    assert member["presence"] == presence


async def test_a_socket_opens_with_the_longest_identity(hall: Hall) -> None:
    """Whatever the texts hold."""
    text = '"' * limits.MAX_ID_BYTES
    actor = RealtimePrincipal(
        kind="user",
        id=text,
        user_id=text,
        session_id=text,
        tenant_id=text,
        email=text,
        display_name=text,
    )
    caller = Caller(actor=actor, member_id=text, client_id=text, capabilities=CAPABILITIES)
    client = await hall.open_quietly(caller)
    await hall.sleep()
    assert (await client.result("members"))[0]["memberId"] == text
    assert (await client.result("leave"))["memberId"] == text


async def test_a_member_has_so_many_connections(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that only read count too; a closed one does not; others have their own."""
    monkeypatch.setattr(limits, "MAX_CONNECTIONS_OF_MEMBER", 2)
    first = await hall.open(user("ana"))
    await hall.open(user("ana", "subscribe"))
    for caller in (user("ana"), user("ana", "subscribe")):
        with pytest.raises(RateLimited):
            await hall.open(caller)
    await hall.open(user("bea"))
    await first.close()
    await hall.open(user("ana"))


async def test_a_room_has_so_many_connections(hall: Hall, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever they are of."""
    monkeypatch.setattr(limits, "MAX_CONNECTIONS", 2)
    first = await hall.open()
    await hall.open(user("ana"))
    with pytest.raises(RateLimited):
        await hall.open()
    await first.close()
    await hall.open()
