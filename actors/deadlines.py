"""Many deadlines over an object's one alarm: a sorted table in the object's storage.

Each purpose has at most one moment. The alarm is the earliest of them, set in the same batch as
the table, so that neither can be without the other (realtime.md 5.8). Whoever handles a deadline
looks at the state, not at the deadline: it may fire early, late or twice.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from . import keys

if TYPE_CHECKING:
    from .store import Store


class Deadline(Enum):
    """What there is to do at a moment."""

    PRESENCE = "presence"  # members that are not seen any more
    IDLE = "idle"  # the room, when nothing has happened in it
    IDEMPOTENCY = "idempotency"  # keys whose time is over
    RETENTION = "retention"  # messages that are too old or too many
    GRANTS = "grants"  # connections whose token has expired
    DESTROYED = "destroyed"  # what a destroyed room keeps for a while
    AWARENESS = "awareness"  # clients without a connection that are not heard of any more
    PURGE = "purge"  # rows that nobody can reach any more


class Deadlines:
    """The table, loaded once. `changed`: the earliest moment is another than the alarm's."""

    __slots__ = ("_moments", "_store", "changed")

    def __init__(self, store: Store) -> None:
        self._store = store
        stored: dict[str, int] = store.get(keys.DEADLINES, {})
        self._moments = {Deadline(name): moment for name, moment in stored.items()}
        self.changed = False

    def __contains__(self, deadline: Deadline) -> bool:
        return deadline in self._moments

    @property
    def next_ms(self) -> int | None:
        """The earliest moment."""
        return min(self._moments.values(), default=None)

    def at_latest(self, deadline: Deadline, when_ms: int) -> None:
        """Have the deadline at `when_ms`, or earlier if it is earlier already."""
        if when_ms < self._moments.get(deadline, when_ms + 1):
            self._set(deadline, when_ms)

    def set(self, deadline: Deadline, when_ms: int | None) -> None:
        """Have the deadline at that moment alone; None: not at all."""
        if self._moments.get(deadline) != when_ms:
            self._set(deadline, when_ms)

    def due(self, now_ms: int) -> list[Deadline]:
        """What there is to do now, the earliest first. Each stays in the table until it is set
        again: a handler that fails is run again."""
        due = [(when, name) for name, when in self._moments.items() if when <= now_ms]
        return [name for _, name in sorted(due, key=lambda entry: entry[0])]

    def _set(self, deadline: Deadline, when_ms: int | None) -> None:
        earliest = self.next_ms
        if when_ms is None:
            del self._moments[deadline]
        else:
            self._moments[deadline] = when_ms
        ordered = sorted(self._moments.items(), key=lambda entry: entry[1])
        self._store.put(keys.DEADLINES, {name.value: when for name, when in ordered})
        self.changed = self.changed or self.next_ms != earliest
