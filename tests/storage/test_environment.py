"""The LMDB environment: one transaction for a group, a map that grows, a disk that fills."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from roomhost.storage import UNCHANGED, Batch, ObjectRecord, ObjectStore
from roomhost.storage.environment import Environment

FULL_DISK_CHILD = """
import resource, signal, sys
from pathlib import Path
from roomhost.storage import UNCHANGED, Batch, ObjectStore, StorageError
from roomhost.storage.environment import Environment

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
environment = Environment(Path(sys.argv[1]), 1 << 26)

def batch(number, value):
    return Batch(number, None, False, {b"key": value}, UNCHANGED)

environment.apply([batch(1, b"before")])
limit = (Path(sys.argv[1]) / "data.mdb").stat().st_size + 65_536
unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, unlimited[1]))
try:
    environment.apply([batch(2, b"x" * 1_000_000), batch(3, b"small")])
except StorageError as error:
    print("refused:", error)
environment.apply([batch(4, b"fits")])
resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
environment.apply([batch(5, b"y" * 1_000_000)])
environment.close()
environment = Environment(Path(sys.argv[1]), 1 << 26)
stored = {number: ObjectStore(environment, number).get(b"key") for number in range(1, 6)}
print({number: value and len(value) for number, value in stored.items()})
"""


def batch(number: int, value: bytes) -> Batch:
    """One entry."""
    return Batch(number, None, False, {b"key": value}, UNCHANGED)


def test_the_map_grows_when_it_is_full(tmp_path: Path) -> None:
    """A group larger than the map is stored whole, and reads go on."""
    environment = Environment(tmp_path / "partition", 1 << 16)
    environment.apply([batch(1, b"small")])
    environment.apply([batch(number, bytes([number]) * 100_000) for number in range(2, 40)])
    assert environment.map_bytes > 1 << 16
    assert ObjectStore(environment, 1).get(b"key") == b"small"
    assert ObjectStore(environment, 39).get(b"key") == bytes([39]) * 100_000
    environment.close()

    again = Environment(tmp_path / "partition", 1 << 16)
    assert ObjectStore(again, 39).get(b"key") == bytes([39]) * 100_000
    again.apply([batch(40, b"after")])
    again.close()


def test_a_full_disk_fails_that_group_only(tmp_path: Path) -> None:
    """Nothing of the group is stored, what was is, and when there is room again all goes on."""
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK_CHILD, str(tmp_path / "partition")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    refused, stored = done.stdout.splitlines()
    assert "free space" in refused
    assert stored == "{1: 6, 2: None, 3: None, 4: 4, 5: 1000000}"


def test_only_one_thread_writes(tmp_path: Path) -> None:
    """The write transaction belongs to its thread: another one is a bug, said loudly."""
    import threading

    environment = Environment(tmp_path / "partition", 1 << 20)
    thread = threading.Thread(target=environment.apply, args=([batch(1, b"x")],))
    thread.start()
    thread.join()
    with pytest.raises(RuntimeError, match="only the writer's thread"):
        environment.apply([batch(1, b"y")])
    environment.close()


def test_a_name_that_is_known_is_not_forgotten(tmp_path: Path) -> None:
    """An object stored by name and then by id keeps its name."""
    from roomhost.storage import Partition

    partition = Partition.open(tmp_path / "partition", deliver=lambda answer: answer())
    namespace = partition.namespace("ROOM", "key").number
    number = partition.allocate()
    for name in ("lobby", None):
        record = ObjectRecord(namespace, b"i" * 32, name)
        partition.submit(Batch(number, record, False, {}, UNCHANGED), lambda _: None)
    partition.close()

    again = Partition.open(tmp_path / "partition", deliver=lambda answer: answer())
    assert again.namespace("ROOM", "another key").unique_key == "key"
    assert again.find(namespace, b"i" * 32) == number
    assert again.record(number) == ObjectRecord(namespace, b"i" * 32, "lobby")
    assert again.allocate() == number + 1
    assert [record.name for record in again.list_objects(namespace, limit=9)] == ["lobby"]
    assert again.list_objects(namespace, after=b"i" * 32, limit=9) == []
    again.close()


def test_alarms_stand_in_the_order_they_are_due(tmp_path: Path) -> None:
    """Set, moved and deleted; a position is passed over."""
    from roomhost.storage import AlarmTable

    environment = Environment(tmp_path / "partition", 1 << 20)
    table = AlarmTable(environment)
    dues: dict[int, int | None] = {1: 300, 2: 100, 3: 200, 4: 100}
    environment.apply([Batch(number, None, False, {}, due) for number, due in dues.items()])
    assert table.due(200, limit=9) == [(100, 2), (100, 4), (200, 3)]
    assert table.due(200, after=(100, 2), limit=1) == [(100, 4)]
    assert table.first() == (100, 2)
    environment.apply([Batch(2, None, False, {}, 400), Batch(4, None, False, {}, None)])
    assert table.due(999, limit=9) == [(200, 3), (300, 1), (400, 2)]
    assert table.first(after=(400, 2)) is None
    assert ObjectStore(environment, 2).alarm() == 400
    assert ObjectStore(environment, 4).alarm() is None
    environment.close()
