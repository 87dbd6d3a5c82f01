"""Members of a room, on sockets: they publish, hear each other, say how they are, and resume."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Coroutine
from contextlib import suppress
from random import Random
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from .kill_client import Client, Line, Promise, Record

ROOM = "rooms/lobby"
MEMBERS = ("ann", "bob", "cy")
TOKEN_SECONDS = 86_400  # longer than any run
PUBLISH_SECONDS = 0.03  # between two messages of one: within the rate that a room allows
PRESENCE_SECONDS = 0.1
PAGE = 1_000
AWAY = 3  # every so many runs, one of them is away


class Lobby:
    """What all of them together know of the room. `order`: the id of each message, by its place;
    `numbers`: what those say that were acknowledged, by id; `seen`: of each member the newest presence
    that anybody was told of."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self.order: dict[int, str] = {}
        self.numbers: dict[str, int] = {}
        self.asked: set[int] = set()
        self.seen: Counter[str] = Counter()

    def heard(self, who: str, seq: int, message_id: str) -> None:
        """Somebody heard a message at a place."""
        known = self.order.setdefault(seq, message_id)
        same = known == message_id
        text = f"{who} heard {message_id} at {seq}, where {known} was"
        self.record.expect(same, Promise.ORDER, text)


class Member:
    """One of them, who comes back with the same token, and asks for what it missed."""

    def __init__(self, name: str, lobby: Lobby) -> None:
        self.name = name
        self.lobby = lobby
        self.token = ""
        self.epoch: str | None = None
        self.seq = 0
        self.unanswered: set[int] = set()  # numbers published, and sent again until acknowledged
        self.said = self.acknowledged = 0  # presence
        self._socket: ClientConnection | None = None

    async def connect(self, line: Line) -> None:
        """Open a socket, and hear what was missed."""
        if not self.token:
            grant = await line.post(
                f"{ROOM}/authorize", memberId=self.name, ttlSeconds=TOKEN_SECONDS
            )
            self.token = grant["token"]
        position = "" if self.epoch is None else f"?epoch={self.epoch}&seq={self.seq}"
        url = f"{line.socket_url}/{ROOM}/ws{position}"
        headers = {"Authorization": f"Bearer {self.token}"}
        self._socket = await connect(url, additional_headers=headers, compression=None)
        welcome = await self._next()
        assert welcome["type"] == "welcome", welcome
        if self.epoch is None:
            self.epoch, self.seq = welcome["epoch"], welcome["seq"]
            return

        recovered = welcome.get("recovered") is True
        self.lobby.record.expect(
            recovered, Promise.GAPLESS, f"{self.name} cannot resume: {welcome}"
        )
        while (frame := await self._next())["type"] != "resumed":
            self.hear(frame)
        resumed = self.seq == frame["seq"]
        text = f"{self.name} has resumed to {self.seq}, the room is at {frame['seq']}"
        self.lobby.record.expect(resumed, Promise.GAPLESS, text)

    async def members(self) -> dict[str, Any]:
        """Who is here, as this one is told: their presence."""
        await self.send(type="members", id="members")
        while (frame := await self._next()).get("id") != "members":
            self.hear(frame)
        return {member["memberId"]: member["presence"] for member in frame["result"]}

    async def read(self, line: Line) -> None:
        """Hear everything, until the socket is gone."""
        with suppress(ConnectionClosed):
            while True:
                frame = await self._next()
                if frame["type"] in ("ack", "error"):
                    self.answered(line, frame)
                else:
                    self.hear(frame)

    def hear(self, frame: dict[str, Any]) -> None:
        """A push."""
        kind, lobby = frame["type"], self.lobby
        if kind == "message":
            seq, message = frame["seq"], frame["message"]
            text = f"{self.name} heard {seq} after {self.seq}"
            lobby.record.expect(seq == self.seq + 1, Promise.GAPLESS, text)
            self.seq = seq
            lobby.heard(self.name, seq, message["messageId"])
        elif kind == "presence.updated":
            newest = max(lobby.seen[frame["memberId"]], frame["presence"]["said"])
            lobby.seen[frame["memberId"]] = newest

    def answered(self, line: Line, frame: dict[str, Any]) -> None:
        """What became of a frame."""
        what, _, number = frame["id"].partition(" ")
        if frame["type"] == "error":
            assert frame["retryable"], frame
        elif what == "publish":
            self.unanswered.discard(int(number))
            self.lobby.numbers[frame["result"]["messageId"]] = int(number)
            line.acknowledged("publish")
        elif what == "presence":
            self.acknowledged = max(self.acknowledged, int(number))
            line.acknowledged("presence")

    async def publish(self, number: int) -> None:
        """Publish a number; the first time, or again."""
        self.unanswered.add(number)
        self.lobby.asked.add(number)
        await self.send(type="publish", id=f"publish {number}", message=message_of(number))

    async def say(self) -> None:
        """Another presence."""
        self.said += 1
        presence = {"said": self.said}
        await self.send(type="presence", id=f"presence {self.said}", presence=presence)

    async def send(self, **frame: Any) -> None:
        """A frame."""
        assert self._socket is not None
        await self._socket.send(json.dumps(frame))

    async def _next(self) -> dict[str, Any]:
        assert self._socket is not None
        frame: dict[str, Any] = json.loads(await self._socket.recv())
        return frame


class Rooms(Client):
    """The members of the lobby, and a back-end that publishes there over HTTP."""

    def __init__(self, record: Record, random: Random) -> None:
        super().__init__(record, random)
        self.lobby = Lobby(record)
        self.members = [Member(name, self.lobby) for name in MEMBERS]
        self.unanswered: set[int] = set()  # of the back-end
        self.here: list[Member] = []  # in this run
        self._runs = 0
        self._number = 0

    async def look(self, line: Line) -> None:
        """The history, and who is here, before any of them has come back."""
        if self.members[0].token:
            self.compare_history(await self.history(line))
            self.compare_members(await line.get(f"{ROOM}/members"))

    async def history(self, line: Line) -> list[dict[str, Any]]:
        """All messages, the oldest first."""
        found: list[dict[str, Any]] = []
        query: dict[str, Any] = {"limit": PAGE}
        while True:
            page = await line.get(f"{ROOM}/history", **query)
            found += page["items"]
            if "cursor" not in page:
                return found[::-1]

            query["cursor"] = page["cursor"]

    def compare_history(self, history: list[dict[str, Any]]) -> None:
        """What was heard has its place still, and what was acknowledged; nothing is there twice."""
        record, lobby = self.record, self.lobby
        ids = [message["messageId"] for message in history]
        for seq, message_id in lobby.order.items():
            kept = seq <= len(ids) and ids[seq - 1] == message_id
            record.expect(kept, Promise.KEPT, f"{message_id} was at {seq}, and is not any more")
        number_of = {message["messageId"]: message["data"]["number"] for message in history}
        for message_id, number in lobby.numbers.items():
            there = number_of.get(message_id) == number
            record.expect(there, Promise.DURABLE, f"{message_id}, {number}, is not in the history")
        twice = [number for number, count in Counter(number_of.values()).items() if count > 1]
        record.expect(not twice, Promise.ONCE, f"{twice} are in the history twice")
        strange = set(number_of.values()) - lobby.asked
        record.expect(not strange, Promise.ONCE, f"{strange} were published by nobody")
        lobby.order |= dict(enumerate(ids, 1))
        record.checked["publish"] += len(lobby.numbers)

    def compare_members(self, found: list[dict[str, Any]]) -> None:
        """All are here, and say what they said last, or what they said and got no answer to."""
        said = {member["memberId"]: member["presence"].get("said", 0) for member in found}
        for member in self.members:
            least = max(member.acknowledged, self.lobby.seen[member.name])
            now = said.get(member.name, -1)
            text = f"{member.name} said {least} to {member.said}, and says {now}"
            self.record.expect(least <= now <= member.said, Promise.PRESENCE, text)
            self.lobby.seen[member.name] = max(now, 0)
            self.record.checked["presence"] += 1

    async def resume(self, line: Line) -> None:
        """They come back, and see the same; of some runs one sees nothing, and has much to hear in
        the next."""
        self._runs += 1
        self.here = self.members[:-1] if self._runs % AWAY == 2 else self.members
        for member in self.here:
            try:
                async with asyncio.timeout(self.record.patience):
                    await member.connect(line)
            except (InvalidStatus, ConnectionClosed) as error:
                self.record.complain(Promise.TOKENS, f"{member.name} is not let in: {error}")
                self.here = []
                return

        views = [await member.members() for member in self.here]
        agree = all(view == views[0] for view in views) and views[0].keys() == set(MEMBERS)
        self.record.expect(agree, Promise.PRESENCE, f"the members see {views}")

    def jobs(self, line: Line) -> list[Coroutine[Any, Any, None]]:
        """Hear, publish, say."""
        found: list[Coroutine[Any, Any, None]] = []
        found.append(line.keep(lambda: self._post(line), PUBLISH_SECONDS))
        for member in self.here:
            found += [
                member.read(line),
                self._publish(line, member),
                line.keep(member.say, PRESENCE_SECONDS),
            ]
        return found

    async def _publish(self, line: Line, member: Member) -> None:
        """First what the last process did not answer, then new ones."""
        with suppress(ConnectionClosed):
            for number in sorted(member.unanswered):
                await member.publish(number)
        await line.keep(lambda: member.publish(self._next()), PUBLISH_SECONDS)

    async def _post(self, line: Line) -> None:
        number = min(self.unanswered, default=0) or self._next()
        self.unanswered.add(number)
        self.lobby.asked.add(number)
        result = await line.post(f"{ROOM}/publish", **message_of(number))
        self.unanswered.discard(number)
        self.lobby.numbers[result["messageId"]] = number
        line.acknowledged("publish")

    def _next(self) -> int:
        self._number += 1
        return self._number


def message_of(number: int) -> dict[str, Any]:
    """A message; sent again it is the same."""
    return {"type": "number", "data": {"number": number}, "idempotencyKey": f"number {number}"}
