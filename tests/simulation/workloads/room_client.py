"""One client of a room over a simulated connection: a member who subscribes, publishes, is present,
loses its connection in every way there is, and comes back to where it was."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any

import msgspec

from roomhost.actors.frames import Protocol

from ..client import ClientSocket, is_refusal
from ..network import Network
from ..world import World
from .room_events import Acknowledged, Heard, Left, Lived, Refused, Subscribed, View

PATIENCE_SECONDS = 8.0  # that an answer may take, before the client gives the connection up
SILENCE_SECONDS = 30.0  # without anything heard, likewise
TRIES = 40
PASSING = frozenset(("internal", "unavailable", "overloaded", "rate_limited", "internal_error"))


class RoomClient:
    """`name` is its member; `token` lets it in. `here`: the presence of every member, as it was told;
    `seq`: how far it has heard; `wanted`: the presence that it has set last."""

    def __init__(self, world: World, network: Network, room: str, name: str, token: str) -> None:
        self.name = name
        self.room = room
        self.here: dict[str, Any] = {}
        self.seq = 0
        self.wanted: dict[str, Any] = {}
        self._world = world
        self._network = network
        self._rng: random.Random = world.rng
        self._headers = {"Authorization": f"Bearer {token}"}
        self._protocol = self._rng.choice((Protocol.JSON, Protocol.MSGPACK))
        self._epoch: str | None = None
        self._socket: ClientSocket | None = None
        self._connection = 0
        self._answers: dict[str, dict[str, Any]] = {}
        self._keys: dict[str, str] = {}  # of what was published, by the frame's number
        self._numbers = 0
        self._published = 0
        self._alive_ms: int | None = None
        self._greeted = False

    @property
    def is_connected(self) -> bool:
        """Whether it has a connection, as far as it knows."""
        return self._socket is not None and self._socket.is_open and self._greeted

    async def live(self, operations: int) -> None:
        """Do so many things, in an order of the seed."""
        deeds: list[tuple[int, Callable[[], Any]]] = [
            (8, self.publish),
            (2, self.publish_many),
            (3, self.be_present),
            (2, self.leave_and_join),
            (2, self.close),
            (2, self.vanish),
            (1, self.reset),
            (1, self.come_and_go),
            (2, self.stay),
        ]
        weights = [weight for weight, _ in deeds]
        for _ in range(operations):
            (_, deed) = self._rng.choices(deeds, weights)[0]
            await deed()
            await self._world.pause(0, 20)

    async def publish(self) -> None:
        """Publish a message, over and over with one key until it is acknowledged."""
        await self.insist("publish", message=self._message())

    async def publish_many(self) -> None:
        """Publish some messages at once, then each until it is acknowledged."""
        messages = [self._message() for _ in range(self._rng.randint(2, 5))]
        if await self.connect():
            for message in messages:
                self._send("publish", message=message)
        for message in messages:
            await self.insist("publish", message=message)

    async def be_present(self) -> None:
        """Set another presence."""
        self.wanted = {"state": self._rng.randrange(1_000)}
        await self.insist("presence", state=self.wanted)

    async def leave_and_join(self) -> None:
        """Leave by one's own word, and join again, over one connection or several."""
        if await self.connect():
            self._lived()
            await self.ask("leave")
            await self._world.pause(0, 20)
            if await self.insist("join", presence=self.wanted) is not None:
                self._alive_ms = self._now_ms()

    async def close(self) -> None:
        """Close as one should, and stay away for a while; perhaps without reading the answer."""
        socket = self._leave()
        if socket is not None:
            socket.close(self._rng.choice((1000, 1001)))
            if self._rng.random() < 0.5:
                await self._world.pause(0, 100)
                socket.give_up()
        await self._away()

    async def vanish(self) -> None:
        """Lose the network: the host hears of it by its pings alone."""
        socket = self._leave()
        if socket is not None:
            socket.vanish()
        await self._away()

    async def reset(self) -> None:
        """Be gone, without a close."""
        socket = self._leave()
        if socket is not None:
            socket.give_up()
        await self._away()

    async def come_and_go(self) -> None:
        """Connect once more, and leave before the answer or after it."""
        socket = ClientSocket(await self._network.link(), lambda message: None)
        await socket.open(self._path(), self._headers, self._rng.choice((0.0, 0.002, 1.0)))
        socket.give_up()

    async def stay(self) -> None:
        """Only listen."""
        await self._world.pause(0, 2_000)
        if self._rng.random() < 0.3:
            await self.ask("ping")

    async def connect(self) -> bool:
        """Be connected, going on from where it was; whether that was possible."""
        for _ in range(TRIES):
            if self.is_connected:
                return True

            await self._open()
            if self.is_connected and await self._see_members():
                return True

            await self._world.pause(0, 500)
        return False

    async def insist(self, kind: str, **fields: Any) -> Any:
        """The result of a frame that is sent until it is answered; None: it never was."""
        for _ in range(TRIES):
            if not await self.connect():
                return None

            answer = await self.ask(kind, **fields)
            if answer is None:
                continue

            if answer["type"] == "ack":
                return answer["result"]

            if not (answer["retryable"] or answer["code"] in PASSING):
                self._world.observe(Refused(self.room, self.name, kind, answer["code"]))
                return None

            await self._world.pause(0, 1_000)
        return None

    async def ask(self, kind: str, **fields: Any) -> dict[str, Any] | None:
        """The answer to a frame that is sent once; None: none came, and the connection is given up."""
        socket = self._socket
        if socket is None or not self.is_connected:
            return None

        number = self._send(kind, **fields)
        if kind == "ping":
            await socket.until(lambda: False, 0.05)
            return None

        await socket.until(lambda: number in self._answers, PATIENCE_SECONDS)
        answer = self._answers.pop(number, None)
        if answer is None:
            lost = self._leave()
            if lost is not None:
                lost.give_up()
        return answer

    async def listen(self, seconds: float) -> None:
        """Only listen for so long, and come back when the connection is lost."""
        end = self._world.loop.time() + seconds
        while self._world.loop.time() < end:
            if await self.connect() and self._socket is not None:
                await self._socket.until(lambda: False, end - self._world.loop.time())

    def view(self) -> View:
        """What it has heard and sees now."""
        return View(self.room, self.name, self.seq, dict(self.here))

    def depart(self) -> None:
        """Be gone for good."""
        socket = self._leave()
        if socket is not None:
            socket.give_up()

    async def _away(self) -> None:
        if self._rng.random() < 0.2:
            await self._world.pause(5_000, 45_000)
        else:
            await self._world.pause(0, 300)

    async def _open(self) -> None:
        socket = self._leave()
        if socket is not None:
            socket.give_up()
        self._connection += 1
        self._greeted = False
        link = await self._network.link()
        self._socket = socket = ClientSocket(link, partial(self._heard, self._connection))
        names = (self._protocol.value,)
        if await socket.open(self._path(), self._headers, PATIENCE_SECONDS, names):
            await socket.until(lambda: self._greeted, PATIENCE_SECONDS)
        if not self._greeted:
            self._leave()
            socket.give_up()

    def _path(self) -> str:
        path = f"/realtime/live/rooms/{self.room}/ws"
        return path if self._epoch is None else f"{path}?epoch={self._epoch}&seq={self.seq}"

    async def _see_members(self) -> bool:
        answer = await self.ask("members")
        return answer is not None and answer["type"] == "ack"

    def _leave(self) -> ClientSocket | None:
        """Forget the connection: what still comes over it is not heard."""
        socket, self._socket = self._socket, None
        if socket is not None:
            self._lived(socket)
            self._connection += 1
            if is_refusal(socket.code):
                refused = Refused(self.room, self.name, "connection", str(socket.code))
                self._world.observe(refused)
        return socket

    def _lived(self, socket: ClientSocket | None = None) -> None:
        socket = socket or self._socket
        if self._alive_ms is not None and socket is not None:
            hurt_at = socket.link.hurt_at
            now = self._world.loop.time()
            ago_ms = 0 if hurt_at is None else round((now - hurt_at) * 1000) + 1
            to_ms = self._now_ms() - ago_ms
            self._world.observe(Lived(self.room, self.name, self._alive_ms, to_ms))
        self._alive_ms = None

    def _message(self) -> dict[str, Any]:
        self._published += 1
        key = f"{self.name}-{self._published}"
        return {"type": "chat", "data": key, "idempotencyKey": key}

    def _send(self, kind: str, **fields: Any) -> str:
        """Send a frame; its number, which the answer will have."""
        self._numbers += 1
        number = f"{self.name}:{self._numbers}"
        if kind == "publish":
            self._keys[number] = fields["message"]["idempotencyKey"]
        if self._socket is not None:
            self._socket.send(self._encode({"type": kind, "id": number, **fields}))
        return number

    def _heard(self, connection: int, message: str | bytes) -> None:
        if connection != self._connection:
            return

        frame: dict[str, Any]
        if isinstance(message, str):
            frame = msgspec.json.decode(message)
        else:
            frame = msgspec.msgpack.decode(message)
        handler = getattr(self, "_on_" + frame["type"].replace(".", "_"), None)
        if handler is not None:
            handler(frame)

    def _on_welcome(self, frame: dict[str, Any]) -> None:
        asked = None if self._epoch is None else self.seq
        recovered = frame.get("recovered")
        event = Subscribed(self.room, self.name, self._connection, frame["seq"], asked, recovered)
        self._world.observe(event)
        self._epoch = frame["epoch"]
        if not recovered:
            self.seq = frame["seq"]
        self._greeted = True
        self._alive_ms = self._now_ms()

    def _on_message(self, frame: dict[str, Any]) -> None:
        self.seq = frame["seq"]
        message = frame["message"]
        heard = (message["messageId"], message["data"])
        self._world.observe(Heard(self.room, self.name, self._connection, self.seq, heard))

    def _on_ack(self, frame: dict[str, Any]) -> None:
        self._answers[frame["id"]] = frame
        key = self._keys.get(frame["id"])
        if key is not None:
            self._world.observe(Acknowledged(self.room, key, frame["result"]["messageId"]))
        if isinstance(frame["result"], list):
            self.here = {member["memberId"]: member["presence"] for member in frame["result"]}

    def _on_error(self, frame: dict[str, Any]) -> None:
        if "id" in frame:
            self._answers[frame["id"]] = frame

    def _on_member_joined(self, frame: dict[str, Any]) -> None:
        member = frame["member"]
        self.here[member["memberId"]] = member["presence"]

    _on_member_updated = _on_member_joined

    def _on_member_left(self, frame: dict[str, Any]) -> None:
        self.here.pop(frame["memberId"], None)
        left_ms = round(datetime.fromisoformat(frame["leftAt"]).timestamp() * 1000)
        self._world.observe(Left(self.room, frame["memberId"], left_ms, frame["reason"]))

    def _on_presence_updated(self, frame: dict[str, Any]) -> None:
        self.here[frame["memberId"]] = frame["presence"]

    def _encode(self, value: Any) -> str | bytes:
        if self._protocol is Protocol.JSON:
            return msgspec.json.encode(value).decode()

        return msgspec.msgpack.encode(value)

    def _now_ms(self) -> int:
        return self._world.clock.now_ms()
