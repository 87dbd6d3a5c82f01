"""A pycrdt document, as far as a host may trust one with what strangers have sent.

Whatever the library raises, and a panic is no Exception, becomes a DocumentFailed: the document is
then in an unknown state, and is dropped by its owner (realtime.md 0.2, S4).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar
from weakref import finalize

from pycrdt import Doc, get_update

from . import limits
from .large_stack import run_on_large_stack
from .yjs_deletes import includes
from .yjs_depth import Depths
from .yjs_reader import read_uint
from .yjs_structs import read_deletes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


T = TypeVar("T")
NO_STRUCTS = b"\x00"


class DocumentFailed(Exception):
    """The library could not do it, and the document may be damaged by the attempt."""


class TooDeep(DocumentFailed):
    """Shared types are nested deeper than may be; destroying such ones overflows a usual stack."""


class LiveDocument:
    """In memory; nothing here is stored. Every method may raise DocumentFailed."""

    __slots__ = ("__weakref__", "_depths", "_doc", "_forget", "_integrated", "_unwalked")

    def __init__(self) -> None:
        self._doc: Doc[Any] = Doc(allow_multithreading=True)
        self._integrated: list[bytes] = []
        self._forget = self._observe()
        self._depths: Depths | None = None  # until an update nests shared types
        self._unwalked: list[bytes] = []

    def apply(self, update: bytes) -> bytes | None:
        """Apply an update that does not nest: what became part of the document, which may be more
        than it or less, or nothing."""
        integrated = trusting(lambda: self._apply(update))
        if integrated is not None and self._depths is not None:
            self._unwalked.append(integrated)
        return integrated

    def without_known(self, update: bytes) -> bytes:
        """What of an update the document has not, and all that it deletes.

        To be applied instead of an update of which the document has the beginning of a struct: yrs
        believes what that says of its place, puts the rest elsewhere than the beginning is, and
        crashes later. Cut off here, the rest goes to where the document has the beginning."""
        return trusting(lambda: get_update(update, self._doc.get_state()))

    def apply_nesting(self, update: bytes) -> bytes | None:
        """Apply one that nests, or that others have waited for. TooDeep: see MAX_TYPE_DEPTH."""
        return trusting(lambda: run_on_large_stack(lambda: self._apply_nesting(update)))

    def apply_all(self, updates: Iterable[bytes]) -> None:
        """Apply whole documents, of ours, in this order."""

        def work() -> None:
            # Nobody asks what became part of the document, and to say it costs as much as to apply it.
            self._forget()
            for update in updates:
                self._doc.apply_update(update)
            self._forget = self._observe()

        trusting(lambda: run_on_large_stack(work))

    def vector(self) -> bytes:
        """The state vector."""
        return trusting(self._doc.get_state)

    def clocks(self) -> dict[int, int]:
        """The state vector, by client id."""
        vector = self.vector()
        count, at = read_uint(vector, 0)
        clocks: dict[int, int] = {}
        for _ in range(count):
            client, at = read_uint(vector, at)
            clocks[client], at = read_uint(vector, at)
        return clocks

    def diff(self, vector: bytes | None = None) -> bytes:
        """What one with that state vector misses, deletions always included; None: everything."""
        update: bytes = trusting(
            lambda: self._doc.get_update() if vector is None else self._doc.get_update(vector)
        )
        return update

    def checkpoint(self) -> bytes:
        """The whole document as one update. DocumentFailed: that is read as another document."""
        update = self.diff()
        copy = LiveDocument()
        try:
            copy.apply_all([update])
            if copy.clocks() != self.clocks():
                raise DocumentFailed("it is read back as another document")
        finally:
            copy.close()
        return update

    def has_deleted(self, update: bytes, deletes_at: int) -> bool:
        """Whether everything that an update deletes is deleted; see `Shape.deletes_at`."""
        wanted = read_deletes(update, deletes_at)
        if not wanted:
            return True

        # One who has everything misses no struct: after their number, none, come the deletions.
        own = self.diff(self.vector())
        return own.startswith(NO_STRUCTS) and includes(read_deletes(own, len(NO_STRUCTS)), wanted)

    def walk(self) -> int:
        """Look at how deep the types lie in what was integrated since the last time: the greatest
        depth there."""
        depths, unwalked = self._depths, self._unwalked
        self._unwalked = []
        return 0 if depths is None else max(map(depths.add, unwalked), default=0)

    def close(self) -> None:
        """Take the document apart, which recurses as deep as it is nested."""
        doc, self._doc = self._doc, Doc()
        self._forget()
        holder = [doc]
        del doc
        run_on_large_stack(holder.clear)

    def _apply(self, update: bytes) -> bytes | None:
        self._integrated.clear()
        self._doc.apply_update(update)
        events = self._integrated
        if not events:
            return None

        integrated = events[0] if len(events) == 1 else self._merged(events)
        events.clear()
        return integrated

    def _apply_nesting(self, update: bytes) -> bytes | None:
        if self._depths is None:
            self._measure()
        self.walk()
        integrated = self._apply(update)
        if integrated is not None:
            self._unwalked.append(integrated)
            # What is not known is taken for too deep: the whole document then says how deep it is.
            if self.walk() > limits.MAX_TYPE_DEPTH and self._measure() > limits.MAX_TYPE_DEPTH:
                raise TooDeep(f"shared types are nested at most {limits.MAX_TYPE_DEPTH} deep")

        return integrated

    def _measure(self) -> int:
        self._depths = Depths()
        self._unwalked = [self._doc.get_update()]
        return self.walk()

    def _merged(self, events: list[bytes]) -> bytes:
        raise DocumentFailed(f"{len(events)} transactions for one update")

    def _observe(self) -> Callable[[], object]:
        """Have what is integrated noted; returns what ends that, as the end of this object does: the
        library holds its observers, and they the document, where no collector finds it."""
        integrated = self._integrated
        subscription = self._doc.observe(lambda event: integrated.append(event.update))
        forget = finalize(self, self._doc.unobserve, subscription)
        forget.atexit = False
        return forget


def trusting(work: Callable[[], T]) -> T:
    """What work with the library returns. DocumentFailed: it has failed, however it did."""
    try:
        return work()
    except (DocumentFailed, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        raise DocumentFailed(f"{type(error).__name__}: {error}") from error
