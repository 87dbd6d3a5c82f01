"""Rooms with presence: members who publish, lose their connections and come back, and code beside
them; over simulated sockets, under the real server."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from roomhost.actors import limits, realtime
from roomhost.actors.caller import DEFAULT_CAPABILITIES
from roomhost.actors.tokens import Keyring, mint
from roomhost.actors.types import RealtimePrincipal
from roomhost.bindings import App

from ..faults import Fault, Faults
from ..network import Network
from ..world import World
from .room_checks import CHECKS, RESUMED_MESSAGES, the_living_stay
from .room_client import RoomClient
from .room_events import Acknowledged, Final, Message, Read

SECRET = "s" * 43
START_MS = 1_700_000_000_000
DAY_MS = 86_400_000
PRESENCE_TTL_SECONDS = 30
SETTLE_SECONDS = 62.0  # then pings have failed, the grace is over, and a sweep has swept
OUTGOING_FRAMES = 12  # that wait for one reader, at most
TRIES = 40
CALL_SECONDS = 8.0


def token_for(room: str, name: str) -> str:
    """What lets a member into a room, for a day."""
    return mint(
        Keyring([("k1", SECRET)]),
        audience="live",
        room=room,
        kind="room",
        generation=1,
        actor=RealtimePrincipal(kind="user", id=name, user_id=name),
        member_id=name,
        client_id=None,
        presence=None,
        capabilities=DEFAULT_CAPABILITIES,
        now_ms=START_MS,
        expires_ms=START_MS + DAY_MS,
        token_id=name,
    )


class Code:
    """Application code that publishes and reads by handles, in the host's own process."""

    def __init__(self, world: World, room: str, name: str) -> None:
        self.room = room
        self._world = world
        self._name = name

    async def live(self, operations: int) -> None:
        """Publish and read so often."""
        for number in range(operations):
            if self._world.rng.random() < 0.6:
                await self.publish(f"{self._name}-{number}")
            else:
                messages = await self.insist("history")
                if messages is not None:
                    self._world.observe(Read(self.room, messages))
            await self._world.pause(0, 40)

    async def publish(self, key: str) -> None:
        """Publish one message, until it is acknowledged."""
        message_id = await self.insist("publish", key)
        if message_id is not None:
            self._world.observe(Acknowledged(self.room, key, message_id))

    async def insist(self, kind: str, *args: Any) -> Any:
        """What a call returns that is made until it is answered; None: it never was."""
        for _ in range(TRIES):
            host = await self._world.host()
            room = host.env.LIVE.room(self.room)
            try:
                async with asyncio.timeout(CALL_SECONDS):
                    return await getattr(self, f"_{kind}")(room, *args)
            except Exception:
                await self._world.pause(0, 500)
        return None

    async def _publish(self, room: Any, key: str) -> str:
        result = await room.publish(type="chat", data=key, idempotency_key=key)
        message_id: str = result.message_id
        return message_id

    async def _history(self, room: Any) -> tuple[Message, ...]:
        limit = self._world.rng.randint(1, 20)
        cursor: str | None = None
        found: list[Message] = []
        while True:
            page = await room.history(limit=limit, cursor=cursor)
            found += [(item.message_id, item.data) for item in page.items]
            cursor = page.cursor
            if cursor is None:
                return tuple(reversed(found))

    async def _members(self, room: Any) -> dict[str, Any]:
        return {member.member_id: member.presence for member in await room.members()}

    async def _stats(self, _room: Any) -> tuple[int, int, int]:
        host = await self._world.host()
        stats = await host.env.LIVE.stats()
        return stats.rooms, stats.members, stats.messages


class Rooms:
    """One or two rooms, three to five members, and code."""

    name = "rooms"
    faults = Faults()

    def __init__(self) -> None:
        self.settings: dict[str, Any] = {"token_secrets": (f"k1:{SECRET}",)}
        self._clients: list[RoomClient] = []
        self._code: list[Code] = []
        self._network: Network

    def app(self) -> App:
        """One module."""
        live = realtime(name="live", presence_ttl_seconds=PRESENCE_TTL_SECONDS)
        return App(name="rooms", bindings={"LIVE": live})

    async def run(self, world: World) -> None:
        """All clients, until each has done what it does."""
        self._network = Network(world)
        rooms = world.rng.choice((["lobby"], ["lobby", "attic"]))
        with _bounds():
            for number in range(world.rng.randint(3, 5)):
                room, name = world.rng.choice(rooms), f"member{number}"
                client = RoomClient(world, self._network, room, name, token_for(room, name))
                self._clients.append(client)
                world.spawn(client.live, world.rng.randint(2, 5))
            for room in rooms:
                code = Code(world, room, f"code of {room}")
                self._code.append(code)
                world.spawn(code.live, world.rng.randint(1, 3))
            await world.clients_done()

    async def settle(self, world: World) -> None:
        """Some do not come back; the others do, some of whom lose the network once more. When
        everybody who is gone has been noticed, look."""
        self._network.calm()
        rng = world.rng
        with _bounds():
            for client in self._clients:
                world.spawn(_come_back if rng.random() < 0.8 else _stay_away, client, rng)
            await world.clients_done()
            for client in self._clients:
                if client.is_connected:
                    world.spawn(client.listen, SETTLE_SECONDS)
            await world.pause(SETTLE_SECONDS * 1_000, SETTLE_SECONDS * 1_000)
            await world.clients_done()
            for code in self._code:
                await self._look(world, code)

    async def _look(self, world: World, code: Code) -> None:
        here = [one for one in self._clients if one.room == code.room and one.is_connected]
        final = Final(
            code.room,
            await code.insist("history"),
            await code.insist("members"),
            {client.name: client.wanted for client in here},
            await code.insist("stats"),
        )
        await world.pause(1_000, 1_000)
        world.observe(final)
        for client in here:
            world.observe(client.view())
            client.depart()

    def check(self, world: World) -> Iterator[str]:
        """All promises of rooms."""
        events = [seen.event for seen in world.history]
        for check in CHECKS:
            if check is the_living_stay and world.faults[Fault.STUCK_DISK]:
                continue  # that they were here could not be noted, for longer than their grace
            for complaint in check(events):
                yield f"{check.__name__}: {complaint}"


async def _come_back(client: RoomClient, rng: random.Random) -> None:
    await client.connect()
    if rng.random() < 0.3:
        await client.vanish()
        await client.connect()
    await client.be_present()


async def _stay_away(client: RoomClient, _rng: random.Random) -> None:
    client.depart()


@contextmanager
def _bounds() -> Generator[None]:
    """Bounds that a short run gets to."""
    with (
        patch.object(limits, "MAX_RESUMED_MESSAGES", RESUMED_MESSAGES),
        patch.object(limits, "MAX_OUTGOING_FRAMES", OUTGOING_FRAMES),
    ):
        yield
