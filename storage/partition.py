"""A partition: one LMDB environment, its writer, and the alarms in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .alarm_table import AlarmTable
from .batch import ObjectRecord
from .environment import NAMESPACE_BYTES, Environment, object_key
from .keyspace import NUMBER_BYTES, number_bytes
from .limits import INITIAL_MAP_BYTES
from .messagepack import pack, unpack
from .store import ObjectStore
from .writer import Writer, WriterStatistics

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from .batch import Batch
    from .errors import StorageError

    CommitFunction = Callable[[Sequence[Batch]], None]


@dataclass(frozen=True, slots=True)
class NamespaceRecord:
    """A set of objects: its number in the partition, its name, and the key its ids derive from."""

    number: int
    name: str
    unique_key: str


class Partition:
    """Reads come from the thread that opened it, and see what is committed; writes go through
    `submit`."""

    def __init__(self, environment: Environment, writer: Writer) -> None:
        self._environment = environment
        self._writer = writer
        self._next_number = self._greatest_number() + 1
        self.alarms = AlarmTable(environment)

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        deliver: Callable[[Callable[[], None]], object],
        map_bytes: int = INITIAL_MAP_BYTES,
        wrap_commit: Callable[[CommitFunction], CommitFunction] | None = None,
        sync: bool = True,
    ) -> Partition:
        """Open the partition at `path`, which is made when missing, and start its writer.

        `deliver(function)` has `function` called in this thread, from the writer's. `wrap_commit`
        gets the function that commits a group and returns the one to use instead: tests hold a
        commit with it, or let one fail.
        """
        environment = Environment(path, map_bytes, sync)
        commit: CommitFunction = environment.apply
        writer = Writer(commit if wrap_commit is None else wrap_commit(commit), deliver)
        partition = cls(environment, writer)
        writer.start()
        return partition

    @property
    def idle(self) -> bool:
        """Whether everything submitted has been answered."""
        return self._writer.idle

    def on_idle(self, callback: Callable[[], object]) -> None:
        """Have `callback()` called, in this thread, each time everything submitted is answered."""
        self._writer.on_idle = callback

    def on_busy(self, callback: Callable[[], object]) -> None:
        """Have `callback()` called, in this thread, each time something is submitted while everything
        was answered."""
        self._writer.on_busy = callback

    @property
    def answered(self) -> int:
        """How many groups of batches have been answered."""
        return self._writer.answered

    def namespace(self, name: str, unique_key: str) -> NamespaceRecord:
        """The namespace of that name. The first time it is made, durably, with `unique_key`; later
        the stored key stands. Making one waits for its own commit: do it when the host starts."""
        known: dict[str, NamespaceRecord] = {}
        with self._environment.reading() as transaction:
            for key, value in self._environment.cursor(transaction, "namespaces"):
                number, stored_key = unpack(value)
                known[key.decode()] = NamespaceRecord(number, key.decode(), stored_key)
        if name in known:
            return known[name]

        number = 1 + max((record.number for record in known.values()), default=0)
        self._environment.put("namespaces", name.encode(), pack((number, unique_key)))
        return NamespaceRecord(number, name, unique_key)

    def find(self, namespace: int, object_id: bytes) -> int | None:
        """The number of an object that was stored before."""
        number = self._environment.get("objects", object_key(namespace, object_id))
        return None if number is None else int.from_bytes(number, "big")

    def record(self, number: int) -> ObjectRecord | None:
        """Who the object of a number is, if it was stored."""
        data = self._environment.get("records", number_bytes(number))
        return None if data is None else ObjectRecord(*unpack(data))

    def allocate(self) -> int:
        """A number no object has. It is lost if nothing is stored with it."""
        number = self._next_number
        self._next_number += 1
        return number

    def store(self, number: int) -> ObjectStore:
        """The committed entries of an object."""
        return ObjectStore(self._environment, number)

    def list_objects(
        self, namespace: int, *, after: bytes | None = None, limit: int
    ) -> list[ObjectRecord]:
        """The stored objects of a namespace in the order of their ids, behind `after`."""
        prefix = namespace.to_bytes(NAMESPACE_BYTES, "big")
        begin = prefix if after is None else prefix + after + b"\0"
        numbers: list[bytes] = []
        with self._environment.reading() as transaction:
            cursor = self._environment.cursor(transaction, "objects")
            there = cursor.set_range(begin)
            while there and len(numbers) < limit and cursor.key().startswith(prefix):
                numbers.append(cursor.value())
                there = cursor.next()
        records = [self.record(int.from_bytes(number, "big")) for number in numbers]
        return [record for record in records if record is not None]

    def submit(self, batch: Batch, done: Callable[[StorageError | None], object]) -> None:
        """Have a batch committed; `done` is told, in this thread (see `Writer`)."""
        self._writer.submit(batch, done)

    def forgive(self, number: int) -> None:
        """An object of which a batch failed was dropped from memory: accept its batches again."""
        self._writer.forgive(number)

    def statistics(self) -> WriterStatistics:
        """What was committed since the start."""
        return self._writer.statistics()

    def close(self) -> None:
        """Commit what was submitted, then close. May be called from any thread but the writer's."""
        self._writer.close()
        self._environment.close()

    def abandon(self) -> None:
        """Close as `kill -9` would: what no commit has begun with is lost."""
        self._writer.abandon()
        self._environment.close()

    def _greatest_number(self) -> int:
        """The greatest number with anything stored under it, a record or not: a number given twice
        would show one object's entries to another."""
        greatest = 0
        with self._environment.reading() as transaction:
            for table in ("records", "entries", "alarm_of"):
                cursor = self._environment.cursor(transaction, table)
                if cursor.last():
                    number = int.from_bytes(cursor.key()[:NUMBER_BYTES], "big")
                    greatest = max(greatest, number)
        return greatest
