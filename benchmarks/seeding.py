"""`python -m benchmarks.seeding DIRECTORY COUNT [DUE_MS]`: a data directory with objects in it, named
0, 1, ..., each with one entry; and with an alarm, all of them due at the same time.

They are written below the host, through the partition: by calls, a million would take minutes.
"""

from __future__ import annotations

import queue
import sys
from collections.abc import Callable
from pathlib import Path

import anyio

from roomhost.runtime.object_id import IdFactory
from roomhost.storage import (
    UNCHANGED,
    Batch,
    DataDirectory,
    ObjectRecord,
    Partition,
    StorageError,
    encode,
    encode_user_key,
)

from . import children
from .workloads import app, key_of, new_value

MAX_WAITING = 16_384  # batches submitted and not yet answered


async def seeded(directory: Path, count: int, due_ms: int | None = None) -> None:
    """Such a directory, made by another process."""
    due = [] if due_ms is None else [str(due_ms)]
    command = children.module("seeding", str(directory), str(count), *due)
    await anyio.run_process(command, cwd=children.REPOSITORY, stderr=None)


def seed(directory: Path, count: int, due_ms: int | None) -> None:
    """In this process."""
    held = DataDirectory.open(directory)
    answers: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
    partition = Partition.open(held.path / "partition-0", deliver=answers.put)
    declared = app.namespaces()[0]
    namespace = partition.namespace(declared.name, declared.unique_key)
    ids = IdFactory(namespace.unique_key)
    waiting = 0

    def done(error: StorageError | None) -> None:
        nonlocal waiting
        waiting -= 1
        if error is not None:
            raise error

    for name in map(str, range(count)):
        record = ObjectRecord(namespace.number, bytes(ids.from_name(name)), name)
        writes: dict[bytes, bytes | None] = {encode_user_key(key_of(0)): encode(new_value())}
        alarm = UNCHANGED if due_ms is None else due_ms
        waiting += 1
        partition.submit(Batch(partition.allocate(), record, False, writes, alarm), done)
        while waiting >= MAX_WAITING:
            answers.get()()
    partition.close()
    held.close()


if __name__ == "__main__":
    seed(
        Path(sys.argv[1]),
        int(sys.argv[2]),
        int(sys.argv[3]) if sys.argv[3:] else None,
    )
