"""In which list each struct of a document lies: the sequence of a type, or what one key of it had.

What an update inserts names its neighbours. They lie in one list, unless a stranger has made that up;
yrs 0.28 then links the struct into both lists, and what reads or deletes them later may never end, or
take down the process. So the lists of everything are kept, and such an update is refused.

Of what one key had, only the newest value is not deleted, and Yjs writes each with a clock of its own;
what has several is a run of deleted ones. Where one was not, the deletion of its last clock would
leave the others without an owner: yrs 0.28 forgets them when it deletes the type around them, and
reads freed memory later. So that is refused too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from .yjs_deletes import includes
from .yjs_guard import DELETED, GC, HAS_PARENT_KEY, SKIP
from .yjs_runs import Runs
from .yjs_structs import causal, read_deletes, read_sections

if TYPE_CHECKING:
    from .yjs_structs import Struct

List: TypeAlias = int
NONE: List = 0  # collected: it lies in no list, and yrs looks at the other neighbour
MIXED = "a struct of it has neighbours in two lists"
SEVERAL = "it gives one key several values at once, and does not delete them"


class Lists:
    """Of one document. To be given everything that becomes part of it, in order."""

    __slots__ = ("_keyed", "_names", "_runs")

    def __init__(self) -> None:
        self._names: dict[bytes, List] = {}
        self._keyed: set[List] = set()  # those of one key
        self._runs: Runs[List] = Runs()

    def fault(self, update: bytes) -> str | None:
        """What of an update its document would not survive, `MIXED` or `SEVERAL`; None: nothing. The
        update is taken in. InvalidArgument: it is malformed, or its structs wait for each other."""
        fault: str | None = None
        values: dict[int, list[tuple[int, int]]] = {}
        for client, struct in causal(update):
            if struct.kind == SKIP:
                continue

            found = (
                {self._list_of(update, struct)}
                if struct.origin is None and (struct.right_origin is None)
                else self._neighbours(struct)
            )
            found.discard(NONE)
            if len(found) > 1:
                fault = MIXED
            place = NONE if struct.kind == GC or not found else found.pop()
            end = struct.clock + struct.length
            self._runs.fill(client, struct.clock, end, place)
            if struct.length > 1 and place in self._keyed and struct.kind != DELETED:
                values.setdefault(client, []).append((struct.clock, end))
        if values and not includes(read_deletes(update, read_sections(update)[1]), values):
            fault = fault or SEVERAL
        return fault

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
        place = self._names.setdefault(name, len(self._names) + 1)
        if keyed:
            self._keyed.add(place)
        return place
