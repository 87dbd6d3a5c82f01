"""In which list each struct of a document lies: the sequence of a type, or what one key of it had.

What an update inserts names its neighbours. They lie in one list, unless a stranger has made that up;
yrs 0.28 then links the struct into both lists, and what reads or deletes them later may never end, or
take down the process. So the lists of everything are kept, and such an update is refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from .yjs_guard import GC, HAS_PARENT_KEY, SKIP
from .yjs_runs import Runs
from .yjs_structs import causal

if TYPE_CHECKING:
    from .yjs_structs import Struct

List: TypeAlias = int
NONE: List = 0  # collected: it lies in no list, and yrs looks at the other neighbour


class Lists:
    """Of one document. To be given everything that becomes part of it, in order."""

    __slots__ = ("_names", "_runs")

    def __init__(self) -> None:
        self._names: dict[bytes, List] = {}
        self._runs: Runs[List] = Runs()

    def mixes(self, update: bytes) -> bool:
        """Whether a struct of an update has neighbours in two lists; the update is taken in.
        InvalidArgument: it is malformed, or its structs wait for each other."""
        mixed = False
        for client, struct in causal(update):
            if struct.kind == SKIP:
                continue

            found = (
                {self._list_of(update, struct)}
                if struct.origin is None and (struct.right_origin is None)
                else self._neighbours(struct)
            )
            found.discard(NONE)
            mixed = mixed or len(found) > 1
            place = NONE if struct.kind == GC or not found else found.pop()
            self._runs.fill(client, struct.clock, struct.clock + struct.length, place)
        return mixed

    def _neighbours(self, struct: Struct) -> set[List]:
        return {
            self._runs.at(*neighbour) or NONE
            for neighbour in (struct.origin, struct.right_origin)
            if neighbour is not None
        }

    def _list_of(self, update: bytes, struct: Struct) -> List:
        if struct.kind == GC:
            return NONE

        # A parent and perhaps a key, as they are written: after the flags, before the content.
        keyed = update[struct.start] & HAS_PARENT_KEY
        name = bytes((keyed,)) + update[struct.start + 1 : struct.content]
        return self._names.setdefault(name, len(self._names) + 1)
