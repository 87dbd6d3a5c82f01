"""Clients of documents over y-protocols: editors, who have the document, and those who only listen."""

from __future__ import annotations

import time
from collections import deque
from typing import Any

import msgspec
from pycrdt import Doc, Text

from roomhost.actors.varints import read_var_bytes
from roomhost.actors.yjs_protocol import (
    AwarenessEntry,
    awareness,
    awareness_payload,
    sync_step_1,
    sync_step_2,
    update,
)

from . import limits
from .room import BASE, Room
from .seat import House, Seat
from .tally import Count, Kind
from .wire import BINARY, Wire

YJS = "yjs.sync.v1"
STEP_1, STEP_2, UPDATE = b"\0\0", b"\0\1", b"\0\2"
ROOTS = ("a", "b")  # each editor writes in a text of its own, so that runs of what it wrote merge
WORDS = ("hello ", "x", "the quick brown fox ", "é", "\n", "and so on, ")


class _Socket(Wire):
    """One connection of a reader."""

    def __init__(self, reader: Reader) -> None:
        super().__init__()
        self._reader = reader

    def heard(self, payload: bytes) -> None:
        """See Wire."""
        self._reader.heard(payload)

    def ended(self, code: int) -> None:
        """See Wire."""
        self._reader.was_closed(code)


class Reader(Seat):
    """Who listens to a document, and counts what comes."""

    def __init__(self, house: House, room: Room, number: int) -> None:
        super().__init__(house, room, number)
        self.socket = _Socket(self)

    async def connect(self) -> None:
        """See Seat."""
        _, bearer = await self.protocols()
        begun = time.monotonic_ns()
        self.socket = _Socket(self)
        await self.socket.open(self.house.port, f"{BASE}/yjs/{self.room.name}", [YJS, bearer])
        self.house.tally.took(Kind.OPEN, begun)

    def hang_up(self, *, clean: bool) -> None:
        """See Seat."""
        self.socket.leave(clean=clean)

    def heard(self, frame: bytes) -> None:
        """A frame of the host."""
        if frame.startswith(UPDATE):
            self.house.tally.count(Count.DELIVERIES)


class Editor(Reader):
    """Who writes in a document, and has a copy of it. `others`: the editors beside it."""

    def __init__(self, house: House, room: Room, number: int, root: int) -> None:
        super().__init__(house, room, number)
        self.doc: Doc[Any] = Doc(client_id=number + 1)
        self._texts = [self.doc.get(name, type=Text) for name in ROOTS]
        self._own = self._texts[root]
        self._clock = 0  # of its awareness
        self._sent: deque[int] = deque()  # when the updates were that the other one has not heard
        self.synced = False

    @property
    def text(self) -> list[str]:
        """The document."""
        return [str(text) for text in self._texts]

    async def connect(self) -> None:
        """See Seat."""
        self.synced = False
        for editor in self.room.editors:
            editor.forget_times()
        await super().connect()
        self.ask()

    def ask(self) -> None:
        """For what it has not; once that has come, everything sent before is with the host."""
        self.synced = False
        self.socket.say(sync_step_1(self.doc.get_state()), BINARY)

    def edit(self) -> None:
        """Write at the end, and take away at the begin what is too much."""
        before = self.doc.get_state()
        with self.doc.transaction():
            self._own += self.house.random.choice(WORDS)
            surplus = len(str(self._own)) - limits.KEPT_CHARACTERS
            if surplus > 0:
                # A text is counted in bytes here.
                del self._own[: len(str(self._own)[:surplus].encode())]
        self.socket.say(update(self.doc.get_update(before)), BINARY)
        self._sent.append(time.monotonic_ns())
        self.house.tally.count(Count.EDITS)

    def move(self) -> None:
        """Its cursor."""
        self._clock += 1
        state = msgspec.json.encode({"cursor": self._clock})
        entry = AwarenessEntry(self.number + 1, self._clock, state)
        self.socket.say(awareness(awareness_payload([entry])), BINARY)

    def heard(self, frame: bytes) -> None:
        """See Reader."""
        kind = frame[:2]
        if kind not in (STEP_1, STEP_2, UPDATE):
            return

        content, _ = read_var_bytes(frame, 2)
        if kind == STEP_1:
            self.socket.say(sync_step_2(self.doc.get_update(content)), BINARY)
            return

        self.doc.apply_update(content)
        if kind == STEP_2:
            self.synced = True
            return

        self.house.tally.count(Count.DELIVERIES)
        for editor in self.room.editors:
            if editor is not self:
                editor.was_heard()

    def was_heard(self) -> None:
        """The other one has the update that it has not had for the longest time."""
        if self._sent:
            self.house.tally.took(Kind.EDIT, self._sent.popleft())

    def forget_times(self) -> None:
        """Somebody comes or goes: what is on its way comes some other way."""
        self._sent.clear()

    def hang_up(self, *, clean: bool) -> None:
        """See Seat."""
        for editor in self.room.editors:
            editor.forget_times()
        super().hang_up(clean=clean)
