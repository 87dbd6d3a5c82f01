"""A document in memory, with what is known of its log: which updates are in it, and which wait.

An update waits for others that it builds upon. One that would leave a hole in what its own client
wrote waits outside of the library, which does not survive what may fill the hole (`Shape.follows`);
nor does it survive one that cuts a character in two, whose neighbours lie in two lists, or that gives
one key several values, which is refused (`yjs_pairs.py`, `yjs_lists.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import InvalidArgument
from .live_document import DocumentFailed, LiveDocument
from .yjs_gaps import without_gaps
from .yjs_guard import check_update
from .yjs_lists import Lists
from .yjs_pairs import Pairs, brings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .yjs_guard import Shape
    from .yjs_pairs import Lows


class Unsound(DocumentFailed):
    """The update would cut a character in two, mix lists, or give one key several values; the document is
    as it was."""


@dataclass(slots=True)
class Waiting:
    """An update in the log that is not, or not wholly, part of the document. `inside`: the library has
    it, and knows what it waits for. `blocker`: a client, and the clock of it that is waited for."""

    update: bytes
    shape: Shape
    inside: bool
    blocker: tuple[int, int] | None = None

    def may_follow(self, clocks: dict[int, int]) -> bool:
        """Whether what it was seen to wait for has come. It is asked at every keystroke of others."""
        blocker = self.blocker
        if blocker is None or clocks.get(blocker[0], 0) >= blocker[1]:
            self.blocker = self.shape.blocker(clocks)
        return self.blocker is None


class LoadedDocument:
    """Every method but the properties may raise DocumentFailed; then it is of no use any more."""

    __slots__ = (
        "_clocks",
        "_lists",
        "_loading",
        "_pairs",
        "_seqs",
        "has_dropped",
        "live",
        "size",
        "waiting",
    )

    def __init__(self) -> None:
        self.live = LiveDocument()
        self.size = 0  # of the log, bytes
        self.waiting: dict[int, Waiting] = {}  # by their places in the log
        self._clocks: dict[int, int] = {}
        self._seqs: dict[bytes, int] = {}  # the places of all updates in the log
        # An update that waited turned out to cut a character: the log must forget it, and what of it
        # was applied before is in no other record. So it is time for a checkpoint.
        self.has_dropped = False
        self._loading = False
        self._pairs = Pairs()
        self._lists: Lists | None = None  # until an update comes

    def load(self, checkpoint: bytes | None, rows: Iterable[tuple[int, bytes]]) -> None:
        """Have what is on disk: updates that were checked and applied before. None is refused."""
        self._loading = True
        if checkpoint is not None:
            self.live.apply_all([checkpoint])
            self._clocks = self.live.clocks()
        for seq, update in rows:
            shape = check_update(update, len(update))
            self.note(seq, update, shape, self.integrate(update, shape))
        self._loading = False
        self._forget_released()

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

    def is_cut_by(self, vector: dict[int, int]) -> bool:
        """Whether a state vector is known to end within a character."""
        return self._pairs.cut_by(vector)

    def integrate(self, update: bytes, shape: Shape) -> list[bytes]:
        """Apply an update that was checked, and those that it makes possible: what became part of the
        document, for others to apply in this order. Unsound; one that waited, and would be released
        only to do that, is dropped instead: it must not keep out others for ever."""
        found: list[bytes] = []
        self._take(update, shape, found)
        # What became part of the document may be what others wait for, and those, what others do.
        progress = len(found)
        while progress:
            before = len(found)
            for seq, waiting in list(self.waiting.items()):
                if not waiting.inside and waiting.may_follow(self._clocks):
                    self._release(seq, waiting, found)
            progress = len(found) - before
        return found

    def note(self, seq: int, update: bytes, shape: Shape, integrated: list[bytes]) -> None:
        """The update is in the log at `seq`. Know whether it waits, and who still does."""
        self._seqs[update] = seq
        self.size += len(update)
        if integrated == [update] and not self.waiting:
            return

        self.waiting[seq] = Waiting(update, shape, shape.follows(self._clocks))
        if not self._loading:
            self._forget_released()

    def let_go(self) -> list[int]:
        """The places of the updates that are part of the document: they are in a checkpoint now, and
        leave the log."""
        self._forget_released()
        gone = [seq for seq in self._seqs.values() if seq not in self.waiting]
        self._seqs = {waiting.update: seq for seq, waiting in self.waiting.items()}
        self.size = self.waiting_bytes
        self.has_dropped = False
        self.live.walk()
        return gone

    def _forget_released(self) -> None:
        self.waiting = {
            seq: waiting for seq, waiting in self.waiting.items() if not self.covers(waiting.shape)
        }

    def _release(self, seq: int, waiting: Waiting, found: list[bytes]) -> None:
        try:
            waiting.inside = self._take(waiting.update, waiting.shape, found)
        except Unsound:
            del self.waiting[seq]
            self._lists = None
            self.has_dropped = True

    def _take(self, update: bytes, shape: Shape, found: list[bytes]) -> bool:
        """Apply an update, or as much of it as leaves no hole; whether that is all of it.
        DocumentFailed: it follows the document, and is not in it then."""
        follows = shape.follows(self._clocks)
        if follows:
            integrated = self._apply(update, shape)
        else:
            integrated = self._apply_part(update)
        if integrated is not None:
            found.append(integrated)
        if follows and not self._loading and not self.covers(shape):
            raise DocumentFailed("structs of it wait for each other")
        return follows

    def _apply_part(self, update: bytes) -> bytes | None:
        part = without_gaps(update, self._clocks)
        return None if part is None else self._apply(part, check_update(part, len(part)))

    def _apply(self, update: bytes, shape: Shape) -> bytes | None:
        brought = self._brought(update)
        if shape.overlaps(self._clocks):
            update = self.live.without_known(update)
        self._check_lists(update)
        nests = shape.nests or self.waiting
        integrated = self.live.apply_nesting(update) if nests else self.live.apply(update)
        if integrated == update:
            for client, end in shape.ends.items():
                self._clocks[client] = max(end, self._clocks.get(client, 0))
        elif integrated is not None:
            self._clocks = self.live.clocks()
        self._pairs.add(brought)
        return integrated

    def _brought(self, update: bytes) -> Lows:
        """The pairs that an update, which is to be applied next, adds to the document. Unsound."""
        if self._loading:
            return {}

        if self._lists is None:
            whole = self.live.diff()
            self._lists, self._pairs = Lists(), Pairs.of(whole)
            self._lists.fault(whole)
        lows = brings(update, self._clocks)
        if self._pairs.cuts(update, lows, self._clocks):
            raise Unsound(
                "it cuts a character in two, which takes two UTF-16 units: edit whole characters"
            )

        return lows

    def _check_lists(self, update: bytes) -> None:
        # What is known of it already lies where it lies, whatever the sender says: so that is cut off.
        if self._lists is None:
            return  # while loading

        try:
            fault = self._lists.fault(update)
        except InvalidArgument as error:
            raise Unsound(error.message) from error

        if fault is not None:
            raise Unsound(fault)
