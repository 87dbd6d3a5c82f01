"""A partition: its commit log and LMDB behind it, its writer, and the alarms in it.

A group of batches is durable when the log has it; `Applier` brings it into LMDB later. Until then
`Pending` shows it to every read.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from .alarm_table import AlarmTable
from .applier import Applier
from .batch import ObjectRecord
from .catalogue import CatalogueTable, NamespaceRecord
from .commit_log import CommitLog
from .deletion import delete_objects
from .environment import NAMESPACE_BYTES, Environment, object_key
from .errors import DataDirectoryError, StorageError
from .figures import PartitionFigures
from .keyspace import NUMBER_BYTES, number_bytes
from .limits import APPLY_DELAY_SECONDS, INITIAL_MAP_BYTES, MAX_MAP_BYTES
from .log_record import encode_batches
from .messagepack import unpack
from .pending import Pending
from .store import ObjectStore
from .writer import Writer, WriterStatistics

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from .batch import Batch

    CommitFunction = Callable[[Sequence[Batch]], None]


class Partition:
    """Reads come from the thread that opened it, and see what is durable; writes go through
    `submit`."""

    def __init__(
        self,
        environment: Environment,
        log: CommitLog,
        deliver: Callable[[Callable[[], None]], object],
        soon: Callable[[Callable[[], None]], object] | None,
        apply_delay_seconds: float | None,
        wrap_commit: Callable[[CommitFunction], CommitFunction] | None,
    ) -> None:
        commit: CommitFunction = self._commit
        self._environment = environment
        self._log = log
        self._pending = Pending()
        self._applier = Applier(environment, log, self._pending, apply_delay_seconds)
        self._writer = Writer(commit if wrap_commit is None else wrap_commit(commit), deliver, soon)
        self._writer.position = lambda: log.last
        self._writer.on_committed = self._committed
        self._next_number = 1
        self.alarms = AlarmTable(environment, self._pending)
        self.catalogue = CatalogueTable(environment)

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        deliver: Callable[[Callable[[], None]], object],
        soon: Callable[[Callable[[], None]], object] | None = None,
        map_bytes: int = INITIAL_MAP_BYTES,
        max_map_bytes: int = MAX_MAP_BYTES,
        wrap_commit: Callable[[CommitFunction], CommitFunction] | None = None,
        apply_delay_seconds: float | None = APPLY_DELAY_SECONDS,
        sync: bool = True,
    ) -> Partition:
        """Open the partition at `path`, which is made when missing, bring LMDB up to its log, and
        start its threads. DataDirectoryError: it cannot be used; the message says why.

        `deliver(function)` has `function` called in this thread, from the writer's; `soon(function)`
        at the end of what this thread is doing now, which makes that one group. `wrap_commit`
        gets the function that makes a group durable and returns the one to use instead: tests hold
        it, or let it fail. `apply_delay_seconds`: how long groups gather before they are applied;
        None: until there are many, or `apply_now` is called. Without `sync`, what was written last
        may be lost, or the partition damaged, when the power fails.
        """
        environment = Environment(path, min(map_bytes, max_map_bytes // 4), sync, max_map_bytes)
        try:
            log = CommitLog(path, environment.applied(), sync=sync)
        except BaseException:
            environment.close()
            raise

        try:
            partition = cls(environment, log, deliver, soon, apply_delay_seconds, wrap_commit)
            partition._start()
        except StorageError as error:
            log.close()
            environment.close()
            raise DataDirectoryError(
                f"what is in the commit log at {path} cannot be brought into the storage: {error}"
            ) from error

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
    def broken(self) -> str | None:
        """Why nothing can be written until a restart, with what to do about it; None: it can."""
        return self._environment.broken or self._log.broken

    @property
    def answered(self) -> int:
        """How many groups of batches have been answered."""
        return self._writer.answered

    def namespace(self, name: str, unique_key: str) -> NamespaceRecord:
        """The namespace of that name. The first time it is made, durably, with `unique_key`; later
        the stored key stands. Making one waits for its own commit: do it when the host starts."""
        known = self.catalogue.read()
        for record in known.namespaces:
            if record.name == name:
                return record

        made = NamespaceRecord(known.next_number(), name, unique_key)
        self.catalogue.write(replace(known, namespaces=(*known.namespaces, made)))
        return made

    def delete_objects(self, namespace: int, rows: int) -> bool:
        """Delete up to `rows` rows of the objects of a namespace, in the thread that asks; whether
        none is left. Before it, `apply_now` what was written of them. StorageError: as `apply_now`.
        """
        return delete_objects(self._environment, namespace, rows)

    def find(self, namespace: int, object_id: bytes) -> int | None:
        """The number of an object that was stored before."""
        pending = self._pending.find(namespace, object_id)
        if pending is not None:
            return pending

        number = self._environment.get("objects", object_key(namespace, object_id))
        return None if number is None else int.from_bytes(number, "big")

    def record(self, number: int) -> ObjectRecord | None:
        """Who the object of a number is, if it was stored."""
        pending = self._pending.record(number)
        if pending is not None and pending.name is not None:
            return pending

        data = self._environment.get("records", number_bytes(number))
        return pending if data is None else ObjectRecord(*unpack(data))

    def allocate(self) -> int:
        """A number no object has. It is lost if nothing is stored with it."""
        number = self._next_number
        self._next_number += 1
        return number

    def store(self, number: int) -> ObjectStore:
        """The durable entries of an object."""
        return ObjectStore(self._environment, number, self._pending)

    def list_objects(
        self, namespace: int, *, after: bytes | None = None, limit: int
    ) -> list[ObjectRecord]:
        """The stored objects of a namespace in the order of their ids, behind `after`."""
        prefix = namespace.to_bytes(NAMESPACE_BYTES, "big")
        begin = prefix if after is None else prefix + after + b"\0"
        found = {
            object_id: number
            for object_id, number in self._pending.objects(namespace).items()
            if after is None or object_id > after
        }
        stored = 0
        with self._environment.reading() as transaction:
            cursor = self._environment.cursor(transaction, "objects")
            there = cursor.set_range(begin)
            while there and stored < limit and cursor.key().startswith(prefix):
                found[cursor.key()[NAMESPACE_BYTES:]] = int.from_bytes(cursor.value(), "big")
                stored += 1
                there = cursor.next()
        records = [self.record(found[object_id]) for object_id in sorted(found)[:limit]]
        return [record for record in records if record is not None]

    def count_objects(self, namespace: int, *, limit: int) -> int:
        """How many stored objects a namespace has; `limit` is where counting ends."""
        prefix = namespace.to_bytes(NAMESPACE_BYTES, "big")
        waiting = self._pending.objects(namespace)
        stored = 0
        with self._environment.reading() as transaction:
            cursor = self._environment.cursor(transaction, "objects")
            there = cursor.set_range(prefix)
            while there and stored < limit and cursor.key().startswith(prefix):
                waiting.pop(cursor.key()[NAMESPACE_BYTES:], None)
                stored += 1
                there = cursor.next()
        return min(stored + len(waiting), limit)

    def submit(self, batch: Batch, done: Callable[[StorageError | None], object]) -> None:
        """Have a batch committed; `done` is told, in this thread (see `Writer`)."""
        self._writer.submit(batch, done)

    def forgive(self, number: int) -> None:
        """An object of which a batch failed was dropped from memory: accept its batches again."""
        self._writer.forgive(number)

    def statistics(self) -> WriterStatistics:
        """What was committed since the start."""
        return self._writer.statistics()

    def figures(self) -> PartitionFigures:
        """What there is and what was done. StorageError: it is closed, or cannot be read."""
        environment, log = self._environment, self._log
        return PartitionFigures(
            writer=self._writer.statistics(),
            group_sizes=self._writer.group_sizes,
            sync_seconds=log.sync_seconds,
            map_bytes=environment.map_bytes,
            used_bytes=environment.used_bytes,
            log_bytes=log.size,
            unapplied_bytes=log.unapplied,
            pending_writes=self._pending.writes,
            alarms=environment.count("alarms"),
        )

    def apply_now(self) -> None:
        """Return when LMDB has everything that was acknowledged before the call. It waits for the
        disk: not for the thread that opened the partition while that has other work. StorageError:
        LMDB cannot take it."""
        self._applier.drain()

    def forget_readers(self) -> None:
        """A process that copied the map has ended, maybe by a signal: see `Environment`."""
        self._environment.forget_readers()

    def close(self) -> None:
        """Commit what was submitted, bring LMDB up to it, then close. May be called from any thread
        but the writer's."""
        self._writer.close()
        self._applier.close()
        self._close_files()

    def abandon(self) -> None:
        """Close as `kill -9` would: what no commit has begun with is lost."""
        self._writer.abandon()
        self._applier.abandon()
        self._close_files()

    def _start(self) -> None:
        self._applier.start()
        try:
            self._applier.drain()
            self._next_number = self._greatest_number() + 1
        except StorageError:
            self._applier.abandon()
            raise

        self._writer.start()

    def _close_files(self) -> None:
        self._log.close()
        self._environment.close()

    def _commit(self, batches: Sequence[Batch]) -> None:
        """Make a group durable, in the writer's thread. StorageError: nothing of it is stored."""
        payload = encode_batches(batches)
        log, applier = self._log, self._applier
        size = len(payload)
        if not (applier.keeps_up and log.reserve(size)):
            applier.make_room(lambda: applier.keeps_up and log.has_room(size))
            if not (applier.keeps_up and log.reserve(size)):
                applier.apply_directly(batches)
                return

        log.append(payload)

    def _committed(self, batches: Sequence[Batch], last: int) -> None:
        """The log has these, up to its sequence `last`; nobody has been told yet."""
        self._pending.add(batches, last)
        self._applier.gathered()

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
