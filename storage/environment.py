"""One LMDB environment: the tables, the reads, and the one transaction that writes.

Reads come from one thread, the event loop's, one short transaction each.
Batches come from the applier's thread alone: LMDB's write transaction belongs to the thread that
began it. Between the two stands only the growth of the map, for which no transaction may be open.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import lmdb as untyped_lmdb  # pyright: ignore[reportMissingTypeStubs]

from .batch import UNCHANGED
from .errors import DataDirectoryError, StorageError
from .files import free_bytes
from .keyspace import NUMBER_BYTES, number_bytes, stored_key, stored_value
from .limits import DELETING_BYTES, DELETING_DISK_BYTES, HEAD_ROOM_BYTES, MAX_MAP_BYTES
from .messagepack import pack, unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator
    from pathlib import Path

    from .batch import Batch, ObjectRecord, Unchanged

# The binding publishes no annotations.
lmdb: Any = untyped_lmdb

TABLES = (
    "entries",
    "objects",
    "records",
    "alarms",
    "alarm_of",
    "namespaces",
    "deployed",
    "log",
)
APPLIED = b"applied"
# The binding tells the ways a file cannot grow only by the system's words for them. A write that
# was cut short, as on a disk that is about to be full, LMDB reports as EIO.
DISK_FULL = tuple(
    os.strerror(code) for code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
)
NAMESPACE_BYTES = 4


class Environment:
    """The tables of one partition. Keys and values are bytes.

    `entries`: object number and user key to value (`keyspace`). `objects`: namespace and id to
    number. `records`: number to namespace, id, name. `alarms`: due time and number, in order.
    `alarm_of`: number to due time. `namespaces`, `deployed`: see `CatalogueTable`. `log`: the
    sequence of the newest group that is in the other tables.

    Once LMDB cannot know any more what is on the disk, or lost its map, it is broken for good: every
    read and write raises a StorageError with the first cause. Only a restart reads the disk again.
    """

    def __init__(
        self,
        path: Path,
        map_bytes: int,
        sync: bool = True,
        max_map_bytes: int = MAX_MAP_BYTES,
    ) -> None:
        """Open the environment at `path`, which is made when missing. DataDirectoryError: there is
        something else, it is damaged, or the system refuses."""
        try:
            path.mkdir(mode=0o700, exist_ok=True)
            self._lmdb = lmdb.open(
                str(path),
                map_size=map_bytes,
                max_dbs=len(TABLES),
                max_spare_txns=2,
                sync=sync,
                metasync=sync,
                readahead=False,
            )
            self._lmdb.reader_check()  # see `forget_readers`
            with self._lmdb.begin(write=True) as transaction:
                self._tables: dict[str, Any] = {
                    name: self._lmdb.open_db(name.encode(), txn=transaction) for name in TABLES
                }
        except (lmdb.Error, OSError) as error:
            raise DataDirectoryError(
                f"the storage at {path} cannot be opened ({error}): check that it is whole and that "
                "this user may write it, or restore a backup"
            ) from error

        # What is stored already may need more than was asked for.
        self._map_bytes: int = self._lmdb.info()["map_size"]
        self._max_map_bytes = max_map_bytes
        self._begin_uncopied = partial(self._lmdb.begin, buffers=True)
        self._guard = threading.Lock()  # held while a read transaction is open, and by growth
        self._writing = threading.Lock()  # held while anybody writes, growth included
        self._path = path
        self._writer: int | None = None
        self._broken: str | None = None
        self._freed = True  # perhaps, by a commit whose pages no other has come after

    @property
    def map_bytes(self) -> int:
        """The size of the map now."""
        return self._map_bytes

    @property
    def used_bytes(self) -> int:
        """How much of the map has ever been used: the size of the file. StorageError: it is closed."""
        try:
            return self._used()
        except lmdb.Error as error:
            raise self._unreadable(error) from error

    @property
    def broken(self) -> str | None:
        """Why nothing can be read or written any more, if that is so."""
        return self._broken

    def count(self, table: str) -> int:
        """How many entries a table has."""
        with self.reading() as transaction:
            count: int = transaction.stat(self._tables[table])["entries"]
            return count

    @property
    def roomy(self) -> bool:
        """Whether everything that may be in the log is sure to fit: the disk and the map have head
        room. StorageError: the disk cannot say."""
        try:
            free = free_bytes(self._path)
            used = self._used()
        except (OSError, lmdb.Error) as error:
            raise self._unreadable(error) from error

        return free >= HEAD_ROOM_BYTES and used + HEAD_ROOM_BYTES <= self._max_map_bytes

    @contextlib.contextmanager
    def reading(self, *, copied: bool = True) -> Generator[Any]:
        """A read transaction at the newest commit. Keep no cursor beyond the block, and where keys
        and values are not copied, none of those either: they are views of the map.

        StorageError, here and in `get`: storage is closed, broken or damaged.
        """
        try:
            begin = self._lmdb.begin if copied else self._begin_uncopied
            with self._guard, begin() as transaction:
                yield transaction
        except lmdb.Error as error:
            raise self._unreadable(error) from error

    def get(self, table: str, key: bytes) -> bytes | None:
        """The value of a key in a table, if there is one."""
        try:
            # The binding keeps an ended read transaction and renews it here: beginning is cheap.
            with self._guard, self._lmdb.begin(db=self._tables[table]) as transaction:
                value: bytes | None = transaction.get(key)
                return value
        except lmdb.Error as error:
            raise self._unreadable(error) from error

    def cursor(self, transaction: Any, table: str) -> Any:
        """A cursor over a table, for the length of `transaction`."""
        return transaction.cursor(db=self._tables[table])

    def applied(self) -> int:
        """The sequence of the newest group of the log that is stored, 0 without one."""
        sequence = self.get("log", APPLIED)
        return 0 if sequence is None else int.from_bytes(sequence, "big")

    def apply(
        self,
        batches: Collection[Batch],
        sequence: int | None = None,
        *,
        acknowledged: bool = False,
    ) -> None:
        """Commit all batches in one transaction, with one fsync, and with it the sequence of the log
        that they reach to. When the map is full it grows and the same batches are tried again.

        What is `acknowledged`, and what only deletes, may take the last of the disk and of the map's
        limit, which are kept for that.

        StorageError: nothing of them is stored; the message says why and what to do. Only one
        thread, ever, may call this.
        """
        self._check_thread()

        def write(transaction: Any) -> None:
            for batch in batches:
                self._write(transaction, batch)
            if sequence is not None:
                transaction.put(APPLIED, number_bytes(sequence), db=self._tables["log"])

        reserve = acknowledged or all(batch.only_deletes for batch in batches)
        self._commit(write, reserve=reserve)

    def write(self, function: Callable[[Any], object], *, deletes: bool = False) -> None:
        """Commit what `function(transaction)` does by cursors, durably, in the thread that asks: it
        waits for a commit under way, and for its own; the function may be called again, on a larger
        map. For what is written rarely. `deletes`: and nothing else. StorageError as `apply`."""
        self._commit(function, reserve=deletes)

    def forget_readers(self) -> None:
        """Have LMDB use again what processes that were killed while they read, a copy, still hold:
        pages that are free, and their places in the table of readers. StorageError: it cannot."""
        try:
            self._lmdb.reader_check()
        except lmdb.Error as error:
            raise self._unreadable(error) from error

    def close(self) -> None:
        """Give up the map, when a `write` that is in progress has ended."""
        with self._writing, self._guard:
            self._lmdb.close()

    def _commit(self, write: Callable[[Any], object], *, reserve: bool = False) -> None:
        with self._writing:
            while True:
                if self._broken is not None:
                    raise StorageError(self._broken)

                most = self._most(reserve)
                if self._map_bytes > most and not reserve:
                    self._resize(max(self._used(), most))
                try:
                    with self._lmdb.begin(write=True) as transaction:
                        write(transaction)
                    self._freed = True
                    return
                except lmdb.MapFullError:
                    # What a killed reader still holds is used first.
                    if self._lmdb.reader_check():
                        continue
                    if self._freed and most <= self._map_bytes < self._largest:
                        self._turn_over()
                    else:
                        self._grow(most)
                except lmdb.Error as error:
                    raise self._failure(error) from error

    def _write(self, transaction: Any, batch: Batch) -> None:
        number = number_bytes(batch.number)
        if batch.record is not None:
            self._write_record(transaction, number, batch.record)
        entries = self._tables["entries"]
        if batch.clear:
            self._clear(transaction, number)
        for key, value in batch.writes.items():
            stored = stored_key(number, key)
            if value is None:
                transaction.delete(stored, db=entries)
            else:
                transaction.put(stored, stored_value(key, value), db=entries)
        if batch.alarm is not UNCHANGED:
            self._write_alarm(transaction, number, batch.alarm)

    def _write_record(self, transaction: Any, number: bytes, record: ObjectRecord) -> None:
        name = record.name
        if name is None:
            stored = transaction.get(number, db=self._tables["records"])
            name = None if stored is None else unpack(stored)[2]
        data = pack((record.namespace, record.id, name))
        transaction.put(object_key(record.namespace, record.id), number, db=self._tables["objects"])
        transaction.put(number, data, db=self._tables["records"])

    def _clear(self, transaction: Any, number: bytes) -> None:
        with transaction.cursor(db=self._tables["entries"]) as cursor:
            found = cursor.set_range(number)
            while found and cursor.key()[:NUMBER_BYTES] == number:
                found = cursor.delete()

    def _write_alarm(
        self, transaction: Any, number: bytes, alarm: int | Literal[Unchanged.UNCHANGED] | None
    ) -> None:
        before = transaction.get(number, db=self._tables["alarm_of"])
        if before is not None:
            transaction.delete(before + number, db=self._tables["alarms"])
            transaction.delete(number, db=self._tables["alarm_of"])
        if isinstance(alarm, int):
            due = number_bytes(alarm)
            transaction.put(due + number, b"", db=self._tables["alarms"])
            transaction.put(number, due, db=self._tables["alarm_of"])

    def _most(self, reserve: bool) -> int:
        """The size that the map may have for a commit. Where the disk is almost full it is what the
        file has already: pages of it that are free are used, and no others."""
        if reserve:
            return self._max_map_bytes + DELETING_BYTES

        try:
            is_full = free_bytes(self._path) < DELETING_DISK_BYTES
            return min(self._used(), self._max_map_bytes) if is_full else self._max_map_bytes
        except OSError as error:
            raise self._unreadable(error) from error

    @property
    def _largest(self) -> int:
        """What the map may ever be: somebody who reads, a backup, keeps what deletes have freed."""
        return self._max_map_bytes + 2 * DELETING_BYTES

    def _turn_over(self) -> None:
        """Commit next to nothing. LMDB uses the pages that a commit has freed in the second one after
        it: when what is written finds no place, and so is never the first, it would wait for ever."""
        self._freed = False
        self._resize(min(self._map_bytes + DELETING_BYTES, self._largest))
        try:
            with self._lmdb.begin(write=True, db=self._tables["log"]) as transaction:
                transaction.put(APPLIED, transaction.get(APPLIED, number_bytes(0)))
        except lmdb.Error as error:
            raise self._failure(error) from error

    def _grow(self, most: int) -> None:
        size = min(self._map_bytes * 2, most)
        if size <= self._map_bytes:
            if most < self._max_map_bytes:
                raise StorageError(
                    f"the disk is full, but for {DELETING_DISK_BYTES} bytes that are kept for deletes: "
                    "free space, then call again; nothing of this commit is stored"
                )

            raise StorageError(
                f"storage has reached its limit of {self._max_map_bytes} bytes: delete what is not "
                "needed, then call again; nothing of this commit is stored"
            )

        self._resize(size)

    def _resize(self, size: int) -> None:
        if size == self._map_bytes:
            return

        with self._guard:
            try:
                self._lmdb.set_mapsize(size)
            except lmdb.Error as error:
                # The old map is gone already.
                raise self._break(
                    f"storage is unusable, its map could not grow to {size} bytes ({error}): allow "
                    "the process more address space (ulimit -v), then restart the host"
                ) from error
        self._map_bytes = size

    def _used(self) -> int:
        with self._guard:  # growth gives up the map for a moment
            used: int = (self._lmdb.info()["last_pgno"] + 1) * self._lmdb.stat()["psize"]
            return used

    def _failure(self, error: Exception) -> StorageError:
        """What a failed commit means for its batches, and for all that follow."""
        if self._is_panicked(error):
            return self._break(f"storage is unusable ({error}): check the disk, restart the host")

        if isinstance(error, lmdb.DiskError) or any(text in str(error) for text in DISK_FULL):
            return StorageError(
                f"the disk is full, fails, or has reached a file limit ({error}): free space, then "
                "call again; nothing of this commit is stored"
            )

        return StorageError(f"storage failed ({error}): check the disk; nothing is stored")

    def _is_panicked(self, error: Exception) -> bool:
        """Whether LMDB gives up. The commit that makes it do so fails with the system's reason, only
        the next transaction says that it has: so ask now, while the reason is known."""
        if isinstance(error, lmdb.PanicError):
            return True

        try:
            with self._guard, self._lmdb.begin():
                return False
        except lmdb.Error:
            return True

    def _unreadable(self, error: Exception) -> StorageError:
        return StorageError(
            self._broken or f"storage cannot be read ({error}): check the disk, restart the host"
        )

    def _break(self, message: str) -> StorageError:
        # The first cause stands. Another error each time: raised again and again, one would keep all
        # that met it.
        self._broken = self._broken or message
        return StorageError(self._broken)

    def _check_thread(self) -> None:
        thread = threading.get_ident()
        if self._writer is None:
            self._writer = thread
        if self._writer != thread:
            raise RuntimeError("only the writer's thread may write")


def object_key(namespace: int, object_id: bytes) -> bytes:
    """The key of an object in `objects`."""
    return namespace.to_bytes(NAMESPACE_BYTES, "big") + object_id
