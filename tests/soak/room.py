"""A room as the clients of one process know it together: its messages, its document, who is in it."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import msgspec

from . import limits
from .ledger import Key, Ledger
from .tally import Kind

if TYPE_CHECKING:
    from .editor import Editor, Reader
    from .member import Member
    from .seat import House, Seat

NAME = "soak"  # of the module
BASE = f"/realtime/{NAME}"
HTTP = -1  # the sender of what is published over HTTP


class Said(msgspec.Struct, frozen=True):
    """What a message of the traffic has in its data: who sent it, its number there, and when, by the
    monotonic clock of the one process that all clients of a room are in."""

    w: int
    n: int
    t: int
    pad: str = ""


class Message(msgspec.Struct, frozen=True):
    """As much of a message as is looked at."""

    data: Said


class Delivered(msgspec.Struct, frozen=True):
    """A frame of one."""

    seq: int
    message: Message


delivered = msgspec.json.Decoder(Delivered)


class Room:
    """`is_document`: it has a document, with editors. `late`: messages that were sent a second time,
    and are not timed."""

    def __init__(self, house: House, number: int, *, is_document: bool) -> None:
        self.house = house
        self.name = f"{'document' if is_document else 'room'}-{number}"
        self.is_document = is_document
        self.ledger = Ledger(self.name)
        self.members: list[Member] = []
        self.readers: list[Reader] = []  # of the document, editors among them
        self.editors: list[Editor] = []
        self.late: set[Key] = set()
        self.published = 0  # over HTTP, by the sender HTTP
        self._sent: dict[int, int] = {}  # of the newest messages, when they were
        self._order: deque[int] = deque()

    @property
    def seats(self) -> list[Seat]:
        """All of them."""
        return [*self.members, *self.readers]

    @property
    def handle(self) -> Any:
        """Of the room, from code."""
        env = self.house.env
        return env.SOAK.crdt_room(self.name) if self.is_document else env.SOAK.room(self.name)

    @property
    def path(self) -> str:
        """Of its operations over HTTP."""
        return f"{BASE}/{'crdt' if self.is_document else 'rooms'}/{self.name}"

    def hear(self, seq: int, frame: bytes, *, timed: bool) -> None:
        """Somebody got a message, in its place; the first one who does reads it. `timed`: it was here
        when it was sent."""
        if seq > self.ledger.seq:
            self._read(seq, frame)
        sent = self._sent.get(seq)
        if timed and sent is not None:
            self.house.tally.took(Kind.DELIVERY, sent)

    def _read(self, seq: int, frame: bytes) -> None:
        said = delivered.decode(frame).message.data
        self.ledger.hear(seq, (said.w, said.n))
        if (said.w, said.n) in self.late:
            return

        self._sent[seq] = said.t
        self._order.append(seq)
        if len(self._order) > limits.RECENT_SEQS:
            del self._sent[self._order.popleft()]
