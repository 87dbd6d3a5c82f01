"""Deletion of a namespace's objects, a few rows at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from roomhost.storage import Batch, ObjectRecord, Partition, StorageError

MAP_BYTES = 1 << 24


@pytest.fixture
def partition(tmp_path: Path) -> Iterator[Partition]:
    """Two namespaces of five objects, each with four entries and an alarm, all in LMDB."""
    partition = Partition.open(
        tmp_path / "partition", deliver=lambda answer: answer(), map_bytes=MAP_BYTES, sync=False
    )
    done = threading.Semaphore(0)
    for number in range(1, 11):
        record = ObjectRecord(1 + number % 2, b"%032d" % number, str(number))
        writes: dict[bytes, bytes | None] = {b"key%d" % key: b"value" for key in range(4)}

        def answered(error: StorageError | None) -> None:
            assert error is None
            done.release()

        partition.submit(Batch(number, record, False, writes, 1_000 + number), answered)
    for _ in range(10):
        assert done.acquire(timeout=20)
    partition.apply_now()
    yield partition
    partition.close()


@pytest.mark.parametrize("rows", [1, 3, 5, 1_000])
def test_it_takes_as_many_steps_as_it_has_to(partition: Partition, rows: int) -> None:
    """Each deletes at most that many rows; what is left is found by the next. Others stay whole."""
    steps = 1
    assert (partition.count_objects(1, limit=99), partition.count_objects(2, limit=99)) == (5, 5)
    while not partition.delete_objects(1, rows):
        steps += 1
        assert steps < 100
    assert 25 <= steps * rows
    assert (steps == 1) == (rows == 1_000)
    assert (partition.count_objects(1, limit=99), partition.count_objects(2, limit=99)) == (0, 5)
    assert partition.alarms.due(2_000, limit=99) == [(1_000 + n, n) for n in (1, 3, 5, 7, 9)]
    for number in range(1, 11):
        kept = number % 2
        assert len(partition.store(number).scan(None, None)) == 4 * kept
        assert (partition.record(number) is not None) == bool(kept)
        assert (partition.find(1 + kept, b"%032d" % number) is not None) == bool(kept)


def test_an_object_keeps_its_record_until_its_last_entry_is_gone(partition: Partition) -> None:
    """Else nobody would find what is left after a crash."""
    assert not partition.delete_objects(1, 3)
    assert partition.count_objects(1, limit=99) == 5
    assert sum(len(partition.store(number).scan(None, None)) for number in range(2, 11, 2)) == 17
