"""A partition's map, read or copied by a process that does not write it.

A copy is a read transaction as long as it takes. In the process that writes, growth of the map would
wait for it, and every read for the growth; so a map that is served is copied by another process,
which LMDB allows, and whose end at any moment leaves at most a place in the table of readers.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import lmdb as untyped_lmdb  # pyright: ignore[reportMissingTypeStubs]

from .environment import APPLIED, TABLES
from .errors import DataDirectoryError
from .files import create
from .limits import COPY_CHUNK_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

# The binding publishes no annotations.
lmdb: Any = untyped_lmdb

DATA_FILE = "data.mdb"
META_PAGES = 2


@dataclass(frozen=True, slots=True)
class MapFigures:
    """Bytes of a map: `used` in its file, `live` of them in use at the moment it was read, the rest
    free pages; `map`: what it may use before it grows; `applied`: the sequence it has of the log."""

    used: int
    live: int
    map: int
    applied: int


class MapReader:
    """A map that is open for reading; a context that closes it."""

    def __init__(self, path: Path, *, shared: bool) -> None:
        """Open the map in the directory `path`. `shared`: others may write it, this process not;
        else nobody does, and not even the lock file is touched.

        DataDirectoryError: there is none, it is damaged, or the system refuses.
        """
        self._path = path
        try:
            self._lmdb = lmdb.open(
                str(path),
                map_size=0,  # as large as the file says
                max_dbs=len(TABLES),
                readonly=True,
                create=False,
                lock=shared,
                max_spare_txns=0,
            )
        except (lmdb.Error, OSError) as error:
            raise self._unreadable(error) from error

    @contextlib.contextmanager
    def reading(self) -> Generator[tuple[Any, dict[str, Any]]]:
        """A transaction in which nothing changes, and the tables by their names. DataDirectoryError:
        the map cannot be read."""
        try:
            with self._begin() as transaction:
                tables: dict[str, Any] = {}
                for name in TABLES:
                    with contextlib.suppress(lmdb.NotFoundError):
                        tables[name] = self._lmdb.open_db(
                            name.encode(), txn=transaction, create=False
                        )
                yield transaction, tables
        except lmdb.Error as error:
            raise self._unreadable(error) from error

    def figures(self) -> MapFigures:
        """How large it is. DataDirectoryError: it cannot be read."""
        with self.reading() as (transaction, tables):
            information = self._lmdb.info()
            counts = [transaction.stat(table) for table in tables.values()]
            counts.append(self._lmdb.stat())
            page: int = counts[0]["psize"]
            kinds = ("branch_pages", "leaf_pages", "overflow_pages")
            live = META_PAGES + sum(count[kind] for count in counts for kind in kinds)
            applied = transaction.get(APPLIED, db=tables["log"]) if "log" in tables else None
            return MapFigures(
                used=(information["last_pgno"] + 1) * page,
                live=live * page,
                map=information["map_size"],
                applied=int.from_bytes(applied or b"", "big"),
            )

    def copy(self, target: Path, report: Callable[[int], object]) -> str:
        """Write what is stored now, without its free pages, to a new file, and sync it; the SHA-256
        of it, in hexadecimal.

        `report(bytes)` after each piece, with its size. OSError: the disk is full, or fails.
        DataDirectoryError: the map is damaged.
        """
        digest = hashlib.sha256()
        with self._begin():
            pass  # so that the map is as large as the file
        with (
            os.fdopen(create(target), "wb", buffering=0) as file,
            contextlib.closing(self._chunks()) as chunks,
        ):
            for chunk in chunks:
                rest = memoryview(chunk)
                while rest:
                    rest = rest[file.write(rest) :]
                digest.update(chunk)
                report(len(chunk))
            os.fsync(file.fileno())
        return digest.hexdigest()

    def _chunks(self) -> Generator[bytes]:
        """The copy as LMDB writes it, by a pipe: whoever stops reading ends it."""
        failures: list[Exception] = []
        reading, writing = os.pipe()

        def write() -> None:
            try:
                self._lmdb.copyfd(writing, compact=True)
            except Exception as error:
                failures.append(error)
            finally:
                os.close(writing)

        thread = threading.Thread(target=write, name="roomhost-copy")
        thread.start()
        try:
            with contextlib.suppress(OSError):  # over what the system allows a user
                fcntl.fcntl(reading, fcntl.F_SETPIPE_SZ, COPY_CHUNK_BYTES)
            while chunk := os.read(reading, COPY_CHUNK_BYTES):
                yield chunk
        finally:
            os.close(reading)
            thread.join()
        for failure in failures:
            raise self._unreadable(failure) from failure

    def close(self) -> None:
        """Close it."""
        self._lmdb.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _begin(self) -> Any:
        try:
            return self._lmdb.begin()
        except lmdb.MapResizedError:
            self._lmdb.set_mapsize(0)
            return self._lmdb.begin()

    def _unreadable(self, error: BaseException) -> DataDirectoryError:
        return DataDirectoryError(
            f"the storage at {self._path} cannot be read ({error}): check that it is whole and that "
            "this user may read it, or restore a backup"
        )
