"""A document in memory, with what is known of its log: which updates are in it, and which wait.

An update waits for others that it builds upon. One that would leave a hole in what its own client
wrote waits outside of the library, which does not survive what may fill the hole (`Shape.follows`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .live_document import LiveDocument
from .yjs_gaps import without_gaps
from .yjs_guard import check_update

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .yjs_guard import Shape


@dataclass(slots=True)
class Waiting:
    """An update in the log that is not, or not wholly, part of the document. `inside`: the library has
    it, and knows what it waits for."""

    update: bytes
    shape: Shape
    inside: bool


class LoadedDocument:
    """Every method but the properties may raise DocumentFailed; then it is of no use any more."""

    __slots__ = ("_clocks", "_seqs", "live", "size", "waiting")

    def __init__(self) -> None:
        self.live = LiveDocument()
        self.size = 0  # of the log, bytes
        self.waiting: dict[int, Waiting] = {}  # by their places in the log
        self._clocks: dict[int, int] = {}
        self._seqs: dict[bytes, int] = {}  # the places of all updates in the log

    def load(self, checkpoint: bytes | None, rows: Iterable[tuple[int, bytes]]) -> None:
        """Have what is on disk: updates that were checked and applied before."""
        if checkpoint is not None:
            self.live.apply_all([checkpoint])
            self._clocks = self.live.clocks()
        for seq, update in rows:
            shape = check_update(update)
            self.note(seq, update, shape, self.integrate(update, shape))

    @property
    def settled(self) -> int:
        """How many updates of the log are part of the document."""
        return len(self._seqs) - len(self.waiting)

    @property
    def waiting_bytes(self) -> int:
        """How large those are that wait."""
        return sum(len(waiting.update) for waiting in self.waiting.values())

    def place(self, update: bytes) -> int | None:
        """Where the log has these bytes."""
        return self._seqs.get(update)

    def covers(self, shape: Shape) -> bool:
        """Whether the document has all structs that an update has, or deletes."""
        return shape.covered_by(self._clocks)

    def integrate(self, update: bytes, shape: Shape) -> list[bytes]:
        """Apply an update that was checked, and those that it makes possible: what became part of the
        document, for others to apply in this order."""
        found: list[bytes] = []
        self._take(update, shape, found, is_new=True)
        # What became part of the document may be what others wait for, and those, what others do.
        progress = len(found)
        while progress:
            before = len(found)
            for waiting in self.waiting.values():
                if not waiting.inside:
                    waiting.inside = self._take(waiting.update, waiting.shape, found)
            progress = len(found) - before
        return found

    def note(self, seq: int, update: bytes, shape: Shape, integrated: list[bytes]) -> None:
        """The update is in the log at `seq`. Know whether it waits, and who still does."""
        inside = shape.follows(self._clocks)
        self._seqs[update] = seq
        self.size += len(update)
        if integrated == [update] and not self.waiting:
            return

        self.waiting[seq] = Waiting(update, shape, inside)
        self.waiting = {
            seq: waiting for seq, waiting in self.waiting.items() if not self.covers(waiting.shape)
        }

    def let_go(self) -> list[int]:
        """The places of the updates that are part of the document: they are in a checkpoint now, and
        leave the log."""
        gone = [seq for seq in self._seqs.values() if seq not in self.waiting]
        self._seqs = {waiting.update: seq for seq, waiting in self.waiting.items()}
        self.size = self.waiting_bytes
        self.live.walk()
        return gone

    def _take(
        self, update: bytes, shape: Shape, found: list[bytes], *, is_new: bool = False
    ) -> bool:
        """Apply an update, or as much of it as leaves no hole; whether that is all of it."""
        follows = shape.follows(self._clocks)
        part = update if follows else without_gaps(update, self._clocks)
        if part is not None and (follows or is_new or not self.covers(check_update(part))):
            integrated = self._apply(part, shape)
            if integrated is not None:
                found.append(integrated)
        return follows

    def _apply(self, update: bytes, shape: Shape) -> bytes | None:
        nests = shape.nests or self.waiting
        integrated = self.live.apply_nesting(update) if nests else self.live.apply(update)
        if integrated == update:
            for client, end in shape.ends.items():
                self._clocks[client] = max(end, self._clocks.get(client, 0))
        elif integrated is not None:
            self._clocks = self.live.clocks()
        return integrated
