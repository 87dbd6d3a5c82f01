"""Which container each struct of a document is in: a number for a root or a shared type.

A struct says it itself only if it came first; others name a neighbour, and are where that one is.
So for each client the clocks are kept as runs, a new one where the container is another one than
that of the clock before: what is typed in one text is one run, however long it is.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from .yjs_guard import GC, SKIP, TYPE

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

    from .yjs_structs import Id, Struct

# They are in no container. Less, and more, than every number of one.
NOWHERE: Final = -1  # collected, or within what is collected or no type: nobody sees it
UNKNOWN: Final = 1 << 62  # not known yet


class Containers:
    """The containers of the structs that were placed so far.

    `root(name)` gives the number of a root type, `inner(number)` that of a type which is in the
    container with that number; both are >= 0, and may be the same for many. Where a struct names
    two neighbours, which lie in one container unless somebody cheats, and of which yrs looks at the
    second if the first one is collected, the greater number counts.
    """

    __slots__ = ("_inner", "_root", "_runs", "_types")

    def __init__(self, root: Callable[[str], int], inner: Callable[[int], int]) -> None:
        self._root = root
        self._inner = inner
        self._types: dict[Id, int] = {}
        # By client: where runs begin, and their numbers. The last is UNKNOWN, and has no end.
        self._runs: dict[int, tuple[list[int], list[int]]] = {}

    def place(self, client: int, struct: Struct) -> int:
        """The number of the container of a struct, NOWHERE, or UNKNOWN: it refers to what was not
        placed, nor is it then. A clock that was placed stays where it is."""
        kind = struct.kind
        if kind == SKIP:
            return UNKNOWN

        number = NOWHERE if kind == GC else self._container_of(struct)
        if number != UNKNOWN:
            if kind == TYPE and number != NOWHERE and self._at(client, struct.clock) == UNKNOWN:
                self._types[client, struct.clock] = self._inner(number)
            self._fill(client, struct.clock, struct.clock + struct.length, number)

        return number

    def type_at(self, client: int, clock: int) -> int:
        """The number of a type as a container, NOWHERE if what is there is none, or UNKNOWN."""
        number = self._types.get((client, clock))
        if number is not None:
            return number

        return UNKNOWN if self._at(client, clock) == UNKNOWN else NOWHERE

    def _container_of(self, struct: Struct) -> int:
        if struct.root is not None:
            return self._root(struct.root)
        if struct.parent is not None:
            return self.type_at(*struct.parent)

        number = NOWHERE
        for neighbour in (struct.origin, struct.right_origin):
            if neighbour is not None:
                number = max(number, self._at(*neighbour))

        return number

    def _at(self, client: int, clock: int) -> int:
        runs = self._runs.get(client)
        if runs is None or clock >= runs[0][-1]:
            return UNKNOWN

        return runs[1][bisect_right(runs[0], clock) - 1]

    def _fill(self, client: int, start: int, end: int, number: int) -> None:
        """Notes a container for those clocks from `start` to before `end` that have none."""
        starts, numbers = self._runs.setdefault(client, ([0], [UNKNOWN]))
        if start == starts[-1] and len(starts) > 1 and numbers[-2] == number:
            starts[-1] = end
            return

        run = bisect_right(starts, start) - 1
        while run < len(starts) and starts[run] < end:
            after = starts[run + 1] if run + 1 < len(starts) else None
            if numbers[run] == UNKNOWN:
                low = max(starts[run], start)
                high = end if after is None else min(end, after)
                pieces = [(starts[run], UNKNOWN)] if starts[run] < low else []
                pieces.append((low, number))
                if high != after:
                    pieces.append((high, UNKNOWN))
                starts[run : run + 1] = [piece[0] for piece in pieces]
                numbers[run : run + 1] = [piece[1] for piece in pieces]
                run += len(pieces) - 1
            run += 1
