"""A member of a room over a JSON socket: it publishes, is present, hears everything in its order, and
comes back where it was."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import msgspec

from .room import BASE, Room, Said
from .seat import House, Seat
from .tally import Count, Kind
from .wire import Wire

MESSAGE, ACK = b'{"type":"message","seq":', b'{"type":"ack","id":'
PAD = "x" * 60
KEYED = (
    4  # of so many publishes one has a key, and is sent again when nobody knows what became of it
)
MAY_HAVE_LEFT_SECONDS = 8.0  # a host gives a member whose socket was lost ten

Done = Callable[[], None]


class Greeting(msgspec.Struct, rename="camel"):
    """Every frame that is no message and no answer, as far as it is looked at."""

    type: str
    epoch: str = ""
    seq: int = 0
    recovered: bool | None = None
    code: str = ""
    id: int = 0


_greeting = msgspec.json.Decoder(Greeting)


class _Socket(Wire):
    """One connection of a member."""

    def __init__(self, member: Member) -> None:
        super().__init__()
        self._member = member

    def heard(self, payload: bytes) -> None:
        """See Wire."""
        self._member.heard(payload)

    def ended(self, code: int) -> None:
        """See Wire."""
        self._member.was_closed(code)


class Member(Seat):
    """`seq`: of the last message it heard. `presence`: the last one that was acknowledged, and those
    that may count since; None is that of who has left, and came back as a new member."""

    def __init__(self, house: House, room: Room, number: int) -> None:
        super().__init__(house, room, number)
        self.seq: int | None = None
        self.presence: set[int | None] = {None}
        self._gone_at = 0.0
        self._epoch = ""
        self._replayed_to = 0  # what comes up to there was sent while nobody was here
        self._socket: _Socket | None = None
        self._frames = 0
        self._messages = 0
        self._presences = 0
        self._waiting: dict[int, Done] = {}
        self._again: list[Said] = []

    async def connect(self) -> None:
        """See Seat."""
        where = f"/{'crdt' if self.room.is_document else 'rooms'}/{self.room.name}/ws"
        if self.seq is not None:
            where += f"?epoch={self._epoch}&seq={self.seq}"
        begun = time.monotonic_ns()
        protocols = await self.protocols()
        socket = self._socket = _Socket(self)
        await socket.open(self.house.port, BASE + where, protocols)
        self.house.tally.took(Kind.OPEN, begun)
        if self._gone_at and time.monotonic() - self._gone_at > MAY_HAVE_LEFT_SECONDS:
            self.presence.add(None)
        again, self._again = self._again, []
        for said in again:
            self.room.late.add((said.w, said.n))
            self._publish(said)

    def hang_up(self, *, clean: bool) -> None:
        """See Seat."""
        assert self._socket is not None
        self._forget_answers()
        self._gone_at = time.monotonic()
        if clean:
            self.presence = {None}
        self._socket.leave(clean=clean)

    def was_closed(self, code: int) -> None:
        """See Seat."""
        self._forget_answers()
        self._gone_at = time.monotonic()
        super().was_closed(code)

    def publish(self) -> None:
        """A new message."""
        self._messages += 1
        self._publish(Said(self.number, self._messages, time.monotonic_ns(), PAD))

    def be_present(self) -> None:
        """A new presence, which replaces the one before."""
        self._presences += 1
        number, begun = self._presences, time.monotonic_ns()
        self.presence.add(number)

        def done() -> None:
            self.house.tally.took(Kind.PRESENCE, begun)
            self.presence = {later for later in self.presence if later and later >= number}

        self._say({"type": "presence", "state": {"at": number}}, done)

    def move(self) -> None:
        """A cursor in the document, for the others alone."""
        self._presences += 1
        state = {"clientId": self.member_id, "state": {"at": self._presences}}
        self._say({"type": "awareness", **state}, lambda: None)

    def heard(self, frame: bytes) -> None:
        """A frame of the host."""
        if frame.startswith(MESSAGE):
            self._hear(int(frame[len(MESSAGE) : frame.index(b",", len(MESSAGE))]), frame)
        elif frame.startswith(ACK):
            end = frame.index(b",", len(ACK))
            self._answered(int(frame[len(ACK) : end]))
        else:
            self._other(_greeting.decode(frame))

    def _hear(self, seq: int, frame: bytes) -> None:
        self.house.tally.count(Count.DELIVERIES)
        if self.seq is not None and seq != self.seq + 1:
            self.room.ledger.complain(f"{self.member_id} heard {seq} after {self.seq}")
        self.seq = seq
        if seq <= self._replayed_to:
            self.house.tally.count(Count.RESUMED)
        self.room.hear(seq, frame, timed=seq > self._replayed_to)

    def _other(self, greeting: Greeting) -> None:
        if greeting.type == "welcome":
            if greeting.recovered is False:
                self.room.ledger.complain(f"{self.member_id} could not resume after {self.seq}")
            if self.seq is None:
                self.seq = greeting.seq
            self._epoch = greeting.epoch
            self._replayed_to = greeting.seq
        elif greeting.type == "error":
            self.house.tally.error("frame", f"{self.room.name} {self.member_id}", greeting.code)
            if self._waiting.pop(greeting.id, None) is not None:
                self.house.in_flight -= 1

    def _publish(self, said: Said) -> None:
        message: dict[str, Any] = {"type": "chat", "data": said}
        keyed = said.n % KEYED == 0
        if keyed:
            message["idempotencyKey"] = f"{self.member_id}-{said.n}"

        def done() -> None:
            if (said.w, said.n) not in self.room.late:
                self.house.tally.took(Kind.ACK, said.t)
            self.room.ledger.acknowledge((said.w, said.n))
            if keyed:
                self._again.remove(said)

        if keyed:
            self._again.append(said)
        self._say({"type": "publish", "message": message}, done)

    def _say(self, frame: dict[str, Any], done: Done) -> None:
        assert self._socket is not None
        self._frames += 1
        self._waiting[self._frames] = done
        self.house.in_flight += 1
        kind = frame.pop("type")
        self._socket.say(msgspec.json.encode({"type": kind, "id": self._frames, **frame}))

    def _answered(self, number: int) -> None:
        done = self._waiting.pop(number, None)
        if done is None:
            self.room.ledger.complain(f"{self.member_id} got an answer to nothing, {number}")
            return

        self.house.in_flight -= 1
        done()

    def _forget_answers(self) -> None:
        """What had none may have happened or not."""
        self.house.in_flight -= len(self._waiting)
        self._waiting.clear()
