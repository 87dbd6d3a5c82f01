"""Clients over simulated connections, under the real server of a host."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any
from unittest.mock import patch

import anyio
import anyio.lowlevel
import pytest

from roomhost.actors import Room, realtime
from roomhost.bindings import App
from roomhost.runtime import Request, Response

from .client import ABNORMAL, ClientSocket
from .faults import NO_FAULTS
from .network import Network
from .pipes import CALM
from .run import simulate
from .workloads.rooms import SECRET, token_for
from .world import World

PATH = "/realtime/live/rooms/lobby/ws"
SECONDS = 5.0
Story = Callable[["Visit"], Awaitable[None]]


class Visit:
    """One client of one room on a calm network, whose `story` asserts what it sees."""

    name = "visit"
    faults = NO_FAULTS

    def __init__(self, story: Story) -> None:
        self.settings: dict[str, Any] = {"token_secrets": (f"k1:{SECRET}",)}
        self.story = story
        self.heard: list[dict[str, Any]] = []
        self.world: World
        self.network: Network

    def app(self) -> App:
        """A room."""
        return App(name="visit", bindings={"LIVE": realtime(name="live")})

    async def run(self, world: World) -> None:
        """The story."""
        self.world = world
        self.network = Network(world, CALM)
        await self.story(self)

    async def settle(self, world: World) -> None:
        """Nothing is left to look at."""

    def check(self, world: World) -> Iterator[str]:
        """The story has told."""
        yield from ()

    async def connect(self, path: str = PATH) -> ClientSocket:
        """A client, which has asked to be let in."""
        socket = ClientSocket(await self.network.link(), self._hear)
        await socket.open(path, self.headers("ann"), SECONDS)
        return socket

    @staticmethod
    def headers(name: str) -> dict[str, str]:
        """What lets somebody into the lobby."""
        return {"Authorization": f"Bearer {token_for('lobby', name)}"}

    async def hears(self, socket: ClientSocket, kind: str) -> dict[str, Any]:
        """The first frame of this type."""

        def frames() -> list[dict[str, Any]]:
            return [frame for frame in self.heard if frame["type"] == kind]

        await socket.until(lambda: bool(frames()), SECONDS)
        return frames()[0]

    def _hear(self, message: str | bytes) -> None:
        self.heard.append(json.loads(message))


async def publish(visit: Visit) -> None:
    """Ask, and be answered; the server answers the close, too."""
    socket = await visit.connect()
    assert (await visit.hears(socket, "welcome"))["memberId"] == "ann"
    socket.send('{"type":"publish","id":1,"message":{"type":"chat","data":"hi"}}')
    assert (await visit.hears(socket, "ack"))["id"] == 1
    assert (await visit.hears(socket, "message"))["message"]["data"] == "hi"
    socket.close()
    assert not await socket.until(lambda: False, SECONDS)
    assert socket.code == 1000


async def be_refused(visit: Visit) -> None:
    """The status of HTTP says why."""
    socket = await visit.connect("/realtime/live/rooms/attic/ws")
    assert not socket.is_open
    assert socket.code == 401


async def vanish(visit: Visit) -> None:
    """The room holds the member for as long as pings may stay unanswered, and then for its grace."""
    socket = await visit.connect()
    await visit.hears(socket, "welcome")
    socket.vanish()
    assert socket.code == ABNORMAL
    host = await visit.world.host()
    room = host.env.LIVE.room("lobby")
    await visit.world.pause(35_000, 35_000)
    assert len(await room.members()) == 1
    await visit.world.pause(20_000, 20_000)
    assert await room.members() == []
    assert socket.link.is_over


async def crash(visit: Visit) -> None:
    """The client hears of it, some time, and may come again when another host runs."""
    socket = await visit.connect()
    await visit.hears(socket, "welcome")
    visit.network.crash()
    assert not await socket.until(lambda: False, SECONDS)
    assert socket.code == ABNORMAL
    visit.heard.clear()
    again = await visit.connect()
    assert (await visit.hears(again, "welcome"))["seq"] == 0


async def stop(visit: Visit) -> None:
    """Who is connected is closed with 1012, who was about to be is told 503."""
    socket = await visit.connect()
    await visit.hears(socket, "welcome")
    coming = ClientSocket(await visit.network.link(), lambda message: None)

    fetch = Room.fetch

    async def fetch_slowly(self: Room, request: Request) -> Response:
        await visit.world.pause(3_000, 3_000)
        return await fetch(self, request)

    async def come() -> None:
        await coming.open(PATH, visit.headers("bob"), 2 * SECONDS)

    with patch.object(Room, "fetch", fetch_slowly):
        client = visit.world.spawn(come)
        await visit.world.pause(1_000, 1_000)
        await visit.network.stop()
        await socket.until(lambda: False, SECONDS)
        await client
    assert socket.code == 1012
    assert coming.code == 503


async def refuse_while_it_stops(visit: Visit) -> None:
    """The object refuses just when a stop has answered in its place: nothing more is answered."""
    coming = ClientSocket(await visit.network.link(), lambda message: None)
    refusing = anyio.Event()

    async def refuse_late(_self: Room, _request: Request) -> Response:
        await refusing.wait()
        return Response("no", status=404)

    async def come() -> None:
        await coming.open(PATH, visit.headers("bob"), 2 * SECONDS)

    with patch.object(Room, "fetch", refuse_late):
        client = visit.world.spawn(come)
        await visit.world.pause(1_000, 1_000)
        refusing.set()
        for _ in range(visit.world.rng.randrange(20)):
            await anyio.lowlevel.checkpoint()
        await visit.network.stop()
        await client
    assert coming.code in (404, 503)


@pytest.mark.parametrize("story", [publish, be_refused, vanish, crash, stop])
def test_a_client_over_a_simulated_network(story: Story) -> None:
    """See each story; in any order that tasks may run in."""
    for seed in range(1, 6):
        assert simulate(lambda: Visit(story), seed).complaints == ()


def test_an_upgrade_is_answered_once() -> None:
    """However close a stop and the end of the request are."""
    for seed in range(1, 41):
        assert simulate(lambda: Visit(refuse_while_it_stops), seed).complaints == ()
