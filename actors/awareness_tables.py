"""Who is aware, of all rooms of one instance in a host: it outlives the actors, not the process."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from .awareness import Awareness, nowhere_ahead
from .limits import MAX_AWARE_ROOMS

if TYPE_CHECKING:
    from collections.abc import Callable


class AwarenessTables:
    """By the name of the room; made when somebody is aware, and dropped when nobody is. `ahead_ms`: see
    `Awareness`."""

    __slots__ = ("_ahead_ms", "_by_room")

    def __init__(self, ahead_ms: Callable[[], int] = nowhere_ahead) -> None:
        self._ahead_ms = ahead_ms
        self._by_room: OrderedDict[str, Awareness] = OrderedDict()

    def __len__(self) -> int:
        return len(self._by_room)

    def find(self, room: str) -> Awareness | None:
        """The table of a room; None: nobody is aware in it."""
        return self._by_room.get(room)

    def open(self, room: str) -> Awareness:
        """The table of a room, for somebody to be aware in; call `tidy` when that is done.

        Past `MAX_AWARE_ROOMS` the table that was opened longest ago is forgotten: who is still there
        says so again within seconds.
        """
        table = self._by_room.get(room)
        if table is None:
            table = self._by_room[room] = Awareness(self._ahead_ms)
        self._by_room.move_to_end(room)
        if len(self._by_room) > MAX_AWARE_ROOMS:
            self._by_room.popitem(last=False)
        return table

    def tidy(self, room: str) -> None:
        """Forget the table of a room in which nobody is aware."""
        if not self._by_room.get(room, ()):
            self._by_room.pop(room, None)

    def forget(self, room: str) -> None:
        """The room is destroyed."""
        self._by_room.pop(room, None)
