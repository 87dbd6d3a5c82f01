"""A document that several clients of Yjs edit, offline too, and code beside them; over simulated
sockets, under the real server."""

from __future__ import annotations

import asyncio
import base64
import random
from collections.abc import Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from pycrdt import Doc, Text

from roomhost.actors import crdt_handle, limits, realtime
from roomhost.bindings import App

from ..faults import Faults
from ..network import Network
from ..world import World
from .document_checks import CHECKS
from .document_client import DocumentClient
from .document_events import Asked, Copy, Found, Shown
from .json_document_client import JsonDocumentClient
from .rooms import SECRET, token_for

TRIES = 40
CALL_SECONDS = 8.0
ROOM = "lobby"
GONE_SECONDS = 45.0  # then pings have failed, and who is not heard of is not aware
NOTICED_SECONDS = 3.0  # that a client is gone whose connection was reset
CODE_ID = 900_000  # client ids of documents that code edits, from here


class Code:
    """Application code that edits and reads the document by a handle, in the host's own process."""

    def __init__(self, world: World, name: str, client_id: int) -> None:
        self.name = name
        self._world = world
        self._doc: Doc[Any] = Doc(client_id=client_id)
        self._text = self._doc.get("text", type=Text)
        self._readings = client_id

    async def live(self, operations: int) -> None:
        """Edit, read and compact so often."""
        deeds = (self.edit, self.send, self.send, self.read, self.read, self.compact)
        for _ in range(operations):
            await self._world.rng.choice(deeds)()
            await self._world.pause(0, 40)

    async def edit(self) -> None:
        """Change the document in a block of code; once: nobody knows what became of one that failed."""

        async def edit(room: Any) -> None:
            made: list[bytes] = []
            async with room.edit() as doc:
                subscription = doc.observe(lambda event: made.append(event.update))
                doc.get("text", type=Text).insert(0, f"[{self.name}]")
                doc.unobserve(subscription)
            for update in made:
                self._world.observe(Shown(self.name, update))

        await self._call(edit, tries=1)

    async def send(self) -> None:
        """Apply an update of a copy of its own, until it is acknowledged."""
        before = self._doc.get_state()
        self._text.insert(len(self._text), f"<{self.name}>")
        update = self._doc.get_update(before)
        text = base64.b64encode(update).decode()

        async def send(room: Any) -> None:
            await room.apply_yjs_update(update_base64=text)
            self._world.observe(Shown(self.name, update))

        await self._call(send)

    async def read(self) -> None:
        """Read the whole document."""
        await self._call(self._read)

    async def compact(self) -> None:
        """Have a checkpoint."""

        async def compact(room: Any) -> None:
            await room.compact()

        await self._call(compact)

    async def look(self) -> Copy | None:
        """The document as the host has it in the end."""
        copy: Copy | None = await self._call(self._read)
        return copy

    async def _read(self, room: Any) -> Copy:
        self._readings += 1
        number = self._readings
        self._world.observe(Asked(number))
        update = await room.export_update()
        self._world.observe(Found(number, update))
        return Copy("host", update)

    async def _call(self, deed: Any, tries: int = TRIES) -> Any:
        for _ in range(tries):
            host = await self._world.host()
            try:
                async with asyncio.timeout(CALL_SECONDS):
                    return await deed(host.env.LIVE.crdt_room(ROOM))
            except Exception:
                await self._world.pause(0, 500)
        return None


class Documents:
    """One document, three or four clients, and code."""

    name = "documents"
    faults = Faults()

    def __init__(self) -> None:
        self.settings: dict[str, Any] = {"token_secrets": (f"k1:{SECRET}",)}
        self._clients: list[DocumentClient] = []
        self._code: Code
        self._network: Network

    def app(self) -> App:
        """One module."""
        return App(name="documents", bindings={"LIVE": realtime(name="live")})

    async def run(self, world: World) -> None:
        """All clients, until each has done what it does."""
        rng = world.rng
        self._network = Network(world)
        self._code = Code(world, "code", CODE_ID)
        with _small(rng):
            for number in range(rng.randint(2, 4)):
                name = f"client{number}"
                client_id = rng.randrange(1, 100_000)
                token = token_for(ROOM, rng.choice((name, "client0")))
                kind = rng.choice((DocumentClient, DocumentClient, JsonDocumentClient))
                client = kind(world, self._network, name, client_id, token)
                self._clients.append(client)
                world.spawn(client.live, rng.randint(3, 8))
            world.spawn(self._code.live, rng.randint(1, 4))
            await world.clients_done()

    async def settle(self, world: World) -> None:
        """First what the host has by itself; then some come back, of whom some lose the network once
        more, and all the others are noticed to be gone."""
        self._network.calm()
        rng = world.rng
        with _small(rng):
            await self._code.read()
            for client in self._clients:
                client.depart()
            here = [client for client in self._clients if rng.random() < 0.9]
            await self._together(world, here, lambda client: _come_back(client, rng))
            await self._together(world, here, lambda client: client.listen(GONE_SECONDS))
            for client in here[1:2]:
                client.depart()
                here.remove(client)
            await self._together(world, here, lambda client: client.listen(NOTICED_SECONDS))
            await self._look(world, [client for client in here if client.is_synced])

    async def _together(
        self,
        world: World,
        clients: list[DocumentClient],
        work: Callable[[DocumentClient], Coroutine[Any, Any, None]],
    ) -> None:
        for client in clients:
            world.spawn(work, client)
        await world.clients_done()

    async def _look(self, world: World, clients: list[DocumentClient]) -> None:
        copy = await self._code.look()
        assert copy is not None, "the document cannot be read in the end"
        world.observe(copy)
        states = {client.client_id: client.state for client in clients if client.is_aware}
        for client in clients:
            world.observe(client.copy())
            if client.is_aware:
                world.observe(client.aware(states))
            client.depart()

    def check(self, world: World) -> Iterator[str]:
        """All promises of documents."""
        events = [seen.event for seen in world.history]
        for check in CHECKS:
            for complaint in check(events):
                yield f"{check.__name__}: {complaint}"


async def _come_back(client: DocumentClient, rng: random.Random) -> None:
    await client.connect()
    if rng.random() < 0.3:
        await client.vanish()
        await client.connect()
    await client.announce()
    await client.edit()


@contextmanager
def _small(rng: random.Random) -> Generator[None]:
    """Checkpoints after a few updates, and copies for code whose client ids are of the seed."""
    ids = iter(range(CODE_ID + 1_000, CODE_ID + 2_000))

    def make() -> Doc[Any]:
        return Doc(client_id=next(ids) + rng.randrange(1_000) * 1_000)

    with (
        patch.object(limits, "MAX_LOG_UPDATES", rng.choice((2, 4, 500))),
        patch.object(crdt_handle, "Doc", make),
    ):
        yield
