"""One client of a document over a simulated connection, as a provider of Yjs is: it edits its copy,
offline too, syncs when it comes, and says who it is."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from typing import Any

from pycrdt import Doc, Map, Text

from roomhost.actors import yjs_protocol
from roomhost.actors.yjs_protocol import (
    AwarenessEntry,
    YjsKind,
    awareness_payload,
    read_awareness,
    read_frame,
)

from ..client import ClientSocket, is_refusal
from ..network import Network
from ..world import World
from .document_events import Aware, Copy, Refused, Shown

PATIENCE_SECONDS = 8.0  # for the answer to a sync
RENEWAL_SECONDS = 15.0  # of awareness, as y-protocols has it
OUTDATED_SECONDS = 30.0  # likewise: then a client is taken for gone
SILENCE_SECONDS = 30.0  # without anything heard, then y-websocket connects anew
TRIES = 40
WORDS = ("a", "the ", "quick ", "\u00e9t\u00e9 ", "\n", "0123456789")


class DocumentClient:
    """`doc`: its copy, in which it is `client_id`."""

    is_aware = True  # it says who it is, and hears it of others

    def __init__(
        self, world: World, network: Network, name: str, client_id: int, token: str
    ) -> None:
        self.name = name
        self.client_id = client_id
        self.doc: Doc[Any] = Doc(client_id=client_id)
        self._text = self.doc.get("text", type=Text)
        self._map: Map[Any] = self.doc.get("map", type=Map)
        self._world = world
        self._network = network
        self._rng: random.Random = world.rng
        self._headers = {"Authorization": f"Bearer {token}"}
        self._socket: ClientSocket | None = None
        self._connection = 0
        self._synced = False
        self._applying = False
        self._clock = 0
        self._state = b'{"is":"new"}'
        self._known: dict[int, tuple[int, bytes | None, float]] = {}
        self._renewed = 0.0
        self._heard_at = 0.0
        self.doc.observe(self._edited)

    @property
    def is_synced(self) -> bool:
        """Whether it has a connection, and had all there was when it came."""
        return self._socket is not None and self._socket.is_open and self._synced

    @property
    def state(self) -> bytes:
        """What it says of itself."""
        return self._state

    async def live(self, operations: int) -> None:
        """Do so many things, in an order of the seed."""
        deeds: list[tuple[int, Callable[[], Any]]] = [
            (12, self.edit),
            (2, self.announce),
            (3, self.connect),
            (1, self.close),
            (2, self.vanish),
            (1, self.reset),
            (1, self.come_and_go),
            (2, self.stay),
        ]
        weights = [weight for weight, _ in deeds]
        await self.connect()
        for _ in range(operations):
            (_, deed) = self._rng.choices(deeds, weights)[0]
            await deed()
            await self._world.pause(0, 20)
        await self.edit()
        await self._world.pause(0, 4)

    async def edit(self) -> None:
        """Change its copy, which is sent at once where it is connected."""
        rng = self._rng
        size = len(self._text)
        action = rng.random()
        if action < 0.6:
            words = rng.choice(WORDS)
            at = size if not words.isascii() or rng.random() < 0.5 else 0
            self._text.insert(at, words)
        elif action < 0.7 and str(self._text).isascii() and size:
            start = rng.randrange(size)
            del self._text[start : min(size, start + rng.randint(1, 5))]
        else:
            self._map[rng.choice("xyz")] = rng.randrange(1_000)

    async def announce(self) -> None:
        """Say something else of itself."""
        self._state = b'{"is":%d}' % self._rng.randrange(1_000)
        self._clock += 1
        self._renew()

    async def connect(self) -> bool:
        """Be connected and in sync; whether that was possible."""
        for _ in range(TRIES):
            if self.is_synced:
                return True

            await self._open()
            if self.is_synced:
                return True

            await self._world.pause(0, 500)
        return False

    async def close(self) -> None:
        """Say goodbye, close as one should, and stay away for a while."""
        if self._clock and self.is_aware:
            self._clock += 1
            self._send(yjs_protocol.awareness(awareness_payload([self._entry(None)])))
        socket = self._leave()
        if socket is not None:
            socket.close()
        await self._away()

    async def vanish(self) -> None:
        """Lose the network: the host hears of it by its pings alone."""
        socket = self._leave()
        if socket is not None:
            socket.vanish()
        await self._away()

    async def reset(self) -> None:
        """Be gone, without a close."""
        self.depart()
        await self._away()

    async def come_and_go(self) -> None:
        """Connect once more, and leave before the answer or after it."""
        socket = ClientSocket(await self._network.link(), lambda message: None)
        await socket.open(self._path(), self._headers, self._rng.choice((0.0, 0.002, 1.0)))
        socket.give_up()

    async def stay(self) -> None:
        """Only listen."""
        await self.listen(self._rng.uniform(0, 2))

    async def listen(self, seconds: float) -> None:
        """Only listen for so long, renew what it says of itself, and come back when the connection
        is lost."""
        loop = self._world.loop
        end = loop.time() + seconds
        while loop.time() < end:
            if await self.connect() and self._socket is not None:
                due = min(end, self._renewed + RENEWAL_SECONDS) - loop.time()
                await self._socket.until(lambda: False, max(0.001, due))
                if loop.time() >= self._renewed + RENEWAL_SECONDS:
                    self._clock += 1
                    self._renew()
                if loop.time() >= self._heard_at + SILENCE_SECONDS:
                    self.depart()

    def depart(self) -> None:
        """Be gone without a word."""
        socket = self._leave()
        if socket is not None:
            socket.give_up()

    def copy(self) -> Copy:
        """Its copy as it is now."""
        return Copy(self.name, self.doc.get_update())

    def aware(self, expected: dict[int, bytes]) -> Aware:
        """Of whom else it knows now, who were heard of lately enough."""
        now = self._world.loop.time()
        known = {
            client: state
            for client, (_, state, heard) in self._known.items()
            if state is not None and heard > now - OUTDATED_SECONDS and client != self.client_id
        }
        others = {client: state for client, state in expected.items() if client != self.client_id}
        return Aware(self.name, known, others)

    async def _away(self) -> None:
        if self._rng.random() < 0.2:
            await self._world.pause(5_000, 45_000)
        else:
            await self._world.pause(0, 300)

    async def _open(self) -> None:
        self.depart()
        self._connection += 1
        self._synced = False
        link = await self._network.link()
        self._socket = socket = ClientSocket(link, partial(self._heard, self._connection))
        if await socket.open(self._path(), self._headers, PATIENCE_SECONDS):
            self._heard_at = self._world.loop.time()
            self._greet()
            self._renew()
            await socket.until(lambda: self._synced, PATIENCE_SECONDS)
        if not self._synced:
            self.depart()

    def _path(self) -> str:
        return "/realtime/live/yjs/lobby"

    def _greet(self) -> None:
        """Ask for what it misses."""
        self._send(yjs_protocol.sync_step_1(self.doc.get_state()))

    def _tell(self, update: bytes) -> None:
        """Send what it has changed."""
        self._send(yjs_protocol.update(update))

    def _leave(self) -> ClientSocket | None:
        """Forget the connection, and of whom it told."""
        socket, self._socket = self._socket, None
        self._connection += 1
        if socket is not None and is_refusal(socket.code):
            self._world.observe(Refused(self.name, str(socket.code)))
        self._known = {
            client: (clock, None, heard) for client, (clock, _, heard) in self._known.items()
        }
        return socket

    def _send(self, frame: str | bytes) -> None:
        if self._socket is not None:
            self._socket.send(frame)

    def _edited(self, event: Any) -> None:
        if not self._applying:
            self._tell(event.update)

    def _apply(self, update: bytes) -> None:
        """Have what others have changed."""
        self._world.observe(Shown(self.name, update))
        self._applying = True
        self.doc.apply_update(update)
        self._applying = False

    def _renew(self) -> None:
        self._clock = self._clock or 1
        self._renewed = self._world.loop.time()
        self._send(yjs_protocol.awareness(awareness_payload([self._entry(self._state)])))

    def _entry(self, state: bytes | None) -> AwarenessEntry:
        return AwarenessEntry(self.client_id, self._clock, state)

    def _heard(self, connection: int, message: str | bytes) -> None:
        if connection == self._connection:
            self._heard_at = self._world.loop.time()
            self._hear(message)

    def _hear(self, message: str | bytes) -> None:
        assert isinstance(message, bytes), "a Yjs client cannot read text"
        kind, data = read_frame(message)
        if kind is YjsKind.SYNC_STEP_1:
            self._send(yjs_protocol.sync_step_2(self.doc.get_update(data)))
        elif kind in (YjsKind.SYNC_STEP_2, YjsKind.UPDATE):
            self._apply(data)
            self._synced = self._synced or kind is YjsKind.SYNC_STEP_2
        elif kind is YjsKind.AWARENESS:
            for entry in read_awareness(data):
                self._told(entry)

    def _told(self, entry: AwarenessEntry) -> None:
        """As `applyAwarenessUpdate` of y-protocols."""
        now = self._world.loop.time()
        if entry.client == self.client_id:
            # Nobody else removes one that is here: it says so the next time.
            if entry.state is None and entry.clock >= self._clock:
                self._clock = entry.clock + 1
            return

        clock, state, _ = self._known.get(entry.client, (-1, None, 0.0))
        leaves = entry.state is None and entry.clock == clock and state is not None
        if entry.clock > clock or leaves:
            self._known[entry.client] = entry.clock, entry.state, now
