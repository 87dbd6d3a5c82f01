"""What a shard of the directory has written down: a row for each room, and their sums. Pure, over a
store.

A row is *dirty* from the moment its room said that its figures change until figures have come that
contain the change. `dirty_version` is what those figures have to reach: whatever is older is still
the best that is known, and leaves the row dirty. The sums change in the same batch as the rows, so
reading them costs the same however many rooms there are.

Members that expire without a write need nothing here: the room's alarm removes them at that very
moment, and marks the room before it does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .directory import Figures, Totals
    from .store import Store
    from .types import Kind

SUMS = "sums"
ROWS = "r:"
DIRTY = "q:"  # the rows that are dirty, and what their figures have to reach
NAMES = "n:"  # the rows that count as a room


class RoomKey(NamedTuple):
    """Which room or channel."""

    kind: Kind
    name: str

    def under(self, prefix: str) -> str:
        """Its key among those with the prefix."""
        return f"{prefix}{self.kind}:{self.name}"


class Row(NamedTuple):
    """The last figures of a room, and the version that they have to reach."""

    version: int
    rooms: int
    members: int
    messages: int
    dirty_version: int

    @property
    def is_dirty(self) -> bool:
        """Whether the figures are to change, or have."""
        return self.dirty_version > self.version

    @property
    def says_nothing(self) -> bool:
        """Whether it is as good as no row."""
        return not (self.is_dirty or self.rooms or self.members or self.messages)


class Sums(NamedTuple):
    """The sums of all rows. `forgotten_version`: no figures of a room without a row are newer than
    this, unless it has changed since."""

    rooms: int = 0
    members: int = 0
    messages: int = 0
    forgotten_version: int = 0


class Rows:
    """The rows of one shard."""

    __slots__ = ("_store",)

    def __init__(self, store: Store) -> None:
        self._store = store

    def mark(self, key: RoomKey, version: int, *, asked: bool) -> int:
        """A room's figures change: the row is dirty until figures of the version returned come.
        `asked`: an answer of the room may be on its way that does not contain the change."""
        row = self._row(key)
        least = row.dirty_version if row.is_dirty and not asked else row.dirty_version + 1
        marked = row._replace(dirty_version=max(version, least))
        if marked != row:
            self._put(key, row, marked)
        return marked.dirty_version

    def record(self, key: RoomKey, figures: Figures) -> None:
        """Figures of a room have come, in whatever order."""
        row = self._row(key)
        version = figures["version"]
        if version < row.version or (row.says_nothing and version == row.version):
            return

        self._put(
            key,
            row,
            Row(
                version,
                figures["rooms"],
                figures["members"],
                figures["messages"],
                max(version, row.dirty_version),
            ),
        )

    def dirty(self) -> list[RoomKey]:
        """The rooms to ask."""
        return [_key_of(key) for key in self._store.list(prefix=DIRTY)]

    def dirty_version(self, key: RoomKey) -> int | None:
        """What the figures of a room have to reach; None: they are as they should be."""
        version: int | None = self._store.get(key.under(DIRTY))
        return version

    def totals(self) -> Totals:
        """The sums of what is known."""
        sums = self._sums()
        return {"rooms": sums.rooms, "members": sums.members, "messages": sums.messages}

    def names(self, kind: Kind, after: str | None, limit: int) -> list[str]:
        """Names of rooms, in order, behind `after`."""
        prefix = RoomKey(kind, "").under(NAMES)
        start_after = None if after is None else prefix + after
        found = self._store.list(prefix=prefix, start_after=start_after, limit=limit)
        return [_key_of(key).name for key in found]

    def _row(self, key: RoomKey) -> Row:
        stored: list[int] | None = self._store.get(key.under(ROWS))
        if stored is not None:
            return Row(*stored)

        version = self._sums().forgotten_version
        return Row(version, 0, 0, 0, version)

    def _sums(self) -> Sums:
        return Sums(*self._store.get(SUMS, []))

    def _put(self, key: RoomKey, old: Row, new: Row) -> None:
        """Have a row as it is to be, and all that follows from it."""
        if new.says_nothing:
            self._store.delete(key.under(ROWS))
        else:
            self._store.put(key.under(ROWS), list(new))
        if new.is_dirty:
            self._store.put(key.under(DIRTY), new.dirty_version)
        elif old.is_dirty:
            self._store.delete(key.under(DIRTY))
        if new.rooms and not old.rooms:
            self._store.put(key.under(NAMES), True)
        elif old.rooms and not new.rooms:
            self._store.delete(key.under(NAMES))
        self._sum(old, new)

    def _sum(self, old: Row, new: Row) -> None:
        sums = self._sums()
        changed = Sums(
            sums.rooms + new.rooms - old.rooms,
            sums.members + new.members - old.members,
            sums.messages + new.messages - old.messages,
            max(sums.forgotten_version, new.version if new.says_nothing else 0),
        )
        if changed != sums:
            self._store.put(SUMS, list(changed))


def _key_of(key: str) -> RoomKey:
    _, kind, name = key.split(":", 2)
    return RoomKey("channel" if kind == "channel" else "room", name)
