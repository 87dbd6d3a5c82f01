"""One LMDB environment: the tables, the reads, and the one transaction that writes.

Reads come from one thread, the event loop's, one short transaction each.
Writes come from the writer's thread alone: LMDB's write transaction belongs to the thread that
began it. Between the two stands only the growth of the map, for which no transaction may be open.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
from typing import TYPE_CHECKING, Any, Literal

import lmdb as untyped_lmdb  # pyright: ignore[reportMissingTypeStubs]

from .batch import UNCHANGED
from .errors import StorageError
from .keyspace import NUMBER_BYTES, number_bytes, stored_key, stored_value
from .limits import MAX_MAP_BYTES
from .messagepack import pack, unpack

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    from .batch import Batch, ObjectRecord, Unchanged

# The binding publishes no annotations.
lmdb: Any = untyped_lmdb

TABLES = ("entries", "objects", "records", "alarms", "alarm_of", "namespaces")
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
    `alarm_of`: number to due time. `namespaces`: name to number and unique key.
    """

    def __init__(self, path: Path, map_bytes: int, sync: bool = True) -> None:
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
        self._map_bytes = map_bytes
        self._tables: dict[str, Any] = {name: self._lmdb.open_db(name.encode()) for name in TABLES}
        self._guard = threading.Lock()  # held while a read transaction is open, and by growth
        self._writer: int | None = None
        self._broken: StorageError | None = None

    @property
    def map_bytes(self) -> int:
        """The size of the map now."""
        return self._map_bytes

    @contextlib.contextmanager
    def reading(self) -> Generator[Any]:
        """A read transaction at the newest commit. Keep no cursor beyond the block."""
        with self._guard:
            with self._lmdb.begin() as transaction:
                yield transaction

    def get(self, table: str, key: bytes) -> bytes | None:
        """The value of a key in a table, if there is one."""
        with self._guard:
            # The binding keeps an ended read transaction and renews it here: beginning is cheap.
            with self._lmdb.begin(db=self._tables[table]) as transaction:
                value: bytes | None = transaction.get(key)
                return value

    def cursor(self, transaction: Any, table: str) -> Any:
        """A cursor over a table, for the length of `transaction`."""
        return transaction.cursor(db=self._tables[table])

    def apply(self, batches: Sequence[Batch]) -> None:
        """Commit all batches in one transaction, with one fsync. When the map is full it grows and
        the same batches are tried again.

        StorageError: nothing of them is stored; the message says why and what to do. Only one
        thread, ever, may call this.
        """
        self._check_thread()
        while True:
            try:
                with self._lmdb.begin(write=True) as transaction:
                    for batch in batches:
                        self._write(transaction, batch)
                return
            except lmdb.MapFullError:
                self._grow()
            except lmdb.Error as error:
                raise self._failure(error) from error

    def put(self, table: str, key: bytes, value: bytes) -> None:
        """Store one key, durably, before the writer's thread has started."""
        try:
            with self._lmdb.begin(write=True) as transaction:
                transaction.put(key, value, db=self._tables[table])
        except lmdb.MapFullError:
            self._grow()
            self.put(table, key, value)
        except lmdb.Error as error:
            raise self._failure(error) from error

    def close(self) -> None:
        """Give up the map. No read or write may be in progress."""
        with self._guard:
            self._lmdb.close()

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

    def _grow(self) -> None:
        size = self._map_bytes * 2
        if size > MAX_MAP_BYTES:
            raise StorageError(f"the storage map has reached its limit of {MAX_MAP_BYTES} bytes")

        with self._guard:
            self._lmdb.set_mapsize(size)
        self._map_bytes = size

    def _failure(self, error: Exception) -> StorageError:
        if self._broken is not None:
            return self._broken

        if isinstance(error, lmdb.DiskError) or any(text in str(error) for text in DISK_FULL):
            return StorageError(
                f"the disk is full, fails, or has reached a file limit ({error}): free space, then "
                "call again; nothing of this commit is stored"
            )

        failure = StorageError(f"storage failed ({error}): check the disk; nothing is stored")
        if isinstance(error, lmdb.PanicError):
            # LMDB cannot know any more what is on the disk: only a restart reads it again.
            failure = StorageError(f"storage is unusable ({error}): restart the host")
            self._broken = failure
        return failure

    def _check_thread(self) -> None:
        thread = threading.get_ident()
        if self._writer is None:
            self._writer = thread
        if self._writer != thread:
            raise RuntimeError("only the writer's thread may write")


def object_key(namespace: int, object_id: bytes) -> bytes:
    """The key of an object in `objects`."""
    return namespace.to_bytes(NAMESPACE_BYTES, "big") + object_id
