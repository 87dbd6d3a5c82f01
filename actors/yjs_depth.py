"""How deep the shared types of a document lie within each other.

pycrdt walks them by recursion, and so does everybody who shows them, so a document that is too deep
ends the process (realtime.md 0.2, S5). An update alone does not show it: each may add one level, by
naming a neighbour, to what is there already. So the depths of all that was integrated are kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .errors import InvalidArgument
from .limits import MAX_TYPE_DEPTH
from .yjs_containers import NOWHERE, Containers
from .yjs_guard import TYPE
from .yjs_structs import causal

if TYPE_CHECKING:
    from typing import Final

TOO_DEEP: Final = MAX_TYPE_DEPTH + 1


class Depths:
    """The depths of the shared types of one document; linear in what is added, a few microseconds
    for a keystroke. A type in a root has depth 1, a type in that 2, and so on."""

    __slots__ = ("_containers",)

    def __init__(self) -> None:
        self._containers = Containers(root=lambda name: 0, inner=lambda depth: depth + 1)

    def add(self, update: bytes) -> int:
        """Takes an update that was integrated into the document, after all those it builds upon, and
        returns the greatest depth of a type in it, 0 if it has none.

        Never more than TOO_DEEP, which is also the answer to a type whose place is not known: the
        update refers to what was never added, or is malformed, or its structs wait for each other.
        That must not count as the top, where a cheat would want it. An honest document gets there
        if yrs integrated something ahead of what is missing, which it does not tell
        (`TransactionEvent.update` leaves it out). So on TOO_DEEP: add the `get_update()` of the
        document to a new `Depths`, drop this one, and believe that.

        What is collected, or inside what is, has no depth; a clock that was added once is not
        believed again to be elsewhere."""
        deepest = 0
        try:
            for client, struct in causal(update):
                depth = self._containers.place(client, struct)
                if struct.kind == TYPE and depth != NOWHERE:
                    deepest = max(deepest, depth + 1)
        except InvalidArgument:
            return TOO_DEEP

        return min(deepest, TOO_DEEP)
