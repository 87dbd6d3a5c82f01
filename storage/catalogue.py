"""What a data directory records of its sets of objects: of which class each is, and which migrations
were applied."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

from .environment import NAMESPACE_BYTES
from .messagepack import pack, unpack

if TYPE_CHECKING:
    from .environment import Environment

TAGS = b"tags"


class NamespaceState(Enum):
    """Whether the objects of a namespace can be reached."""

    SERVED = "served"  # Next: PARKED, DELETED.
    PARKED = "parked"  # Kept, by code that does not know the class. Next: SERVED, DELETED.
    DELETED = "deleted"  # Its data is being deleted. No next.


@dataclass(frozen=True, slots=True)
class NamespaceRecord:
    """A set of objects: its number in the partition, its name, and the key its ids derive from.

    `app`, `class_name`: whose objects they are; None: an older version made it, and did not say.
    `since`: the migration that made its class, whose later ones alone are about it; None: unknown.
    """

    number: int
    name: str
    unique_key: str
    app: str | None = None
    class_name: str | None = None
    state: NamespaceState = NamespaceState.SERVED
    since: str | None = None


@dataclass(frozen=True, slots=True)
class Move:
    """Whose objects a namespace was before a migration took it from another application."""

    number: int
    app: str | None
    class_name: str | None
    since: str | None = None


@dataclass(frozen=True, slots=True)
class AppliedTag:
    """A migration that was applied: of which application, when (milliseconds since the epoch), what it
    says; which classes it deleted the objects of, which nothing undoes; which it renamed, from and to;
    what it took from other applications. `undone`: by a rollback, it may come again."""

    app: str
    tag: str
    at_ms: int
    summary: str
    deleted: tuple[str, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()
    moves: tuple[Move, ...] = ()
    undone: bool = False


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All namespaces of a data directory, by number, and the tags in the order they were applied."""

    namespaces: tuple[NamespaceRecord, ...] = ()
    tags: tuple[AppliedTag, ...] = ()

    def next_number(self) -> int:
        """A number for one more namespace."""
        return 1 + max((record.number for record in self.namespaces), default=0)


class CatalogueTable:
    """The catalogue of one partition. `namespaces` is as older versions read it, so that one of them
    can still serve the directory; the rest is in `deployed`, which they do not open."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment

    def read(self) -> Catalogue:
        """What is stored. StorageError: it cannot be read."""
        environment = self._environment
        found: list[NamespaceRecord] = []
        tags: list[AppliedTag] = []
        with environment.reading() as transaction:
            deployed = dict(environment.cursor(transaction, "deployed"))
            for key, value in environment.cursor(transaction, "namespaces"):
                number, unique_key = unpack(value)
                more = deployed.get(_number(number))
                record = NamespaceRecord(number, key.decode(), unique_key)
                if more is not None:
                    app, class_name, state, since = unpack(more)
                    state = NamespaceState(state)
                    record = replace(
                        record, app=app, class_name=class_name, state=state, since=since
                    )
                found.append(record)
            for app, tag, at_ms, summary, deleted, renamed, moves, undone in unpack(
                deployed.get(TAGS, pack(()))
            ):
                pairs = tuple((old, new) for old, new in renamed)
                moved = tuple(Move(*move) for move in moves)
                tags.append(
                    AppliedTag(app, tag, at_ms, summary, tuple(deleted), pairs, moved, undone)
                )
        found.sort(key=lambda record: record.number)
        return Catalogue(tuple(found), tuple(tags))

    def write(self, catalogue: Catalogue) -> None:
        """Store it in one transaction, durably: after a crash there is all of it, or all of the one
        before. It waits for a commit under way, and its own. StorageError: nothing is stored."""
        environment = self._environment
        namespaces, deployed = encode_catalogue(catalogue)

        def write(transaction: Any) -> None:
            for table, rows in (("namespaces", namespaces), ("deployed", deployed)):
                cursor = environment.cursor(transaction, table)
                gone = [key for key in cursor.iternext(values=False) if key not in rows]
                for key in gone:
                    cursor.pop(key)
                for key, value in rows.items():
                    cursor.put(key, value)

        environment.write(write)


def encode_catalogue(catalogue: Catalogue) -> tuple[dict[bytes, bytes], dict[bytes, bytes]]:
    """The rows of its two tables, by key."""
    namespaces = {
        record.name.encode(): pack((record.number, record.unique_key))
        for record in catalogue.namespaces
    }
    deployed = {
        _number(record.number): pack(
            (record.app, record.class_name, record.state.value, record.since)
        )
        for record in catalogue.namespaces
    }
    tags = [
        (
            tag.app,
            tag.tag,
            tag.at_ms,
            tag.summary,
            tag.deleted,
            tag.renamed,
            [(move.number, move.app, move.class_name, move.since) for move in tag.moves],
            tag.undone,
        )
        for tag in catalogue.tags
    ]
    return namespaces, deployed | {TAGS: pack(tags)}


def _number(number: int) -> bytes:
    return number.to_bytes(NAMESPACE_BYTES, "big")
