"""The LMDB environment: one transaction for a group, a map that grows, a disk that fills."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import lmdb
import pytest

from roomhost.storage import UNCHANGED, Batch, DataDirectoryError, ObjectStore, StorageError
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


NO_SPACE_CHILD = """
import resource, sys
from pathlib import Path
from roomhost.storage import UNCHANGED, Batch, ObjectStore, StorageError
from roomhost.storage.environment import Environment

environment = Environment(Path(sys.argv[1]), 1 << 26)
value = b"x" * (1 << 20)
taken = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (taken + (1 << 25), -1))
acknowledged = 0

def write():
    global acknowledged
    for number in range(100):
        environment.apply([Batch(number, None, False, {b"key": value}, UNCHANGED)])
        acknowledged += 1

for attempt in (write, write, lambda: ObjectStore(environment, 0).get(b"key")):
    try:
        attempt()
    except StorageError as error:
        print(error)
print(acknowledged)
"""


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[Environment]:
    """An empty environment with a small map."""
    opened = Environment(tmp_path / "partition", 1 << 17)
    yield opened
    opened.close()


def transactions(environment: Environment) -> int:
    """How many LMDB has committed."""
    return int(environment._lmdb.info()["last_txnid"])


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
    environment = Environment(tmp_path / "partition", 1 << 20)
    thread = threading.Thread(target=environment.apply, args=([batch(1, b"x")],))
    thread.start()
    thread.join()
    with pytest.raises(RuntimeError, match="only the writer's thread"):
        environment.apply([batch(1, b"y")])
    environment.close()


def test_a_group_is_one_transaction(tmp_path: Path) -> None:
    """However many batches: LMDB counts one commit, which is one fsync."""
    environment = Environment(tmp_path / "partition", 1 << 20)
    before = transactions(environment)
    environment.apply([batch(number, b"x") for number in range(100)])
    assert transactions(environment) == before + 1
    environment.apply([batch(1, b"y")])
    assert transactions(environment) == before + 2
    environment.close()


def test_a_map_at_its_limit_fails_that_group_only(tmp_path: Path) -> None:
    """It says what to do, and deleting makes room again."""
    environment = Environment(tmp_path / "partition", 1 << 20, max_map_bytes=1 << 20)
    environment.apply([batch(1, b"x" * 300_000)])
    with pytest.raises(StorageError, match="limit of 1048576 bytes: delete what is not needed"):
        environment.apply([batch(2, b"small"), batch(3, b"x" * 1_000_000)])
    assert [ObjectStore(environment, number).get(b"key") for number in (2, 3)] == [None, None]
    environment.apply([Batch(1, None, True, {}, UNCHANGED)])
    environment.apply([batch(2, b"x" * 300_000)])
    assert len(ObjectStore(environment, 2).get(b"key") or b"") == 300_000
    environment.close()


@pytest.mark.parametrize("size", [100, 300, 1_000])
def test_deleting_is_possible_at_the_limit(tmp_path: Path, size: int) -> None:
    """Though LMDB writes new pages for it first; and what it went beyond the limit with, writes do
    not get."""
    environment = Environment(tmp_path / "partition", 1 << 20, False, max_map_bytes=1 << 20)
    rng = random.Random(size)
    for _ in range(3):
        stored: list[bytes] = []
        with pytest.raises(StorageError, match="limit"):
            while True:
                key = rng.randbytes(8)
                environment.apply([Batch(1, None, False, {key: rng.randbytes(size)}, UNCHANGED)])
                stored.append(key)
        for key in stored:
            environment.apply([Batch(1, None, False, {key: None}, UNCHANGED)])
        assert environment.used_bytes < (1 << 20) + 200_000
    environment.close()


def test_what_one_commit_has_freed_is_written_by_the_next(tmp_path: Path) -> None:
    """LMDB itself gives it to the one after that, which never came at a full map."""
    environment = Environment(tmp_path / "partition", 1 << 20, False, max_map_bytes=1 << 20)
    number = 1
    with pytest.raises(StorageError, match="limit"):
        while True:
            environment.apply([batch(number, bytes(20_000))])
            number += 1
    environment.apply([Batch(each, None, True, {}, UNCHANGED) for each in range(1, number)])
    environment.apply([batch(each, bytes(20_000)) for each in range(1, number - 1)])
    environment.close()


def test_so_it_is_after_a_restart(tmp_path: Path) -> None:
    """Which does not know of the commit that has freed it."""
    environment = Environment(tmp_path / "partition", 1 << 20, False, max_map_bytes=1 << 20)
    number = 1
    with pytest.raises(StorageError, match="limit"):
        while True:
            environment.apply([batch(number, bytes(20_000))])
            number += 1
    environment.apply([Batch(each, None, True, {}, UNCHANGED) for each in range(1, number)])
    environment.close()
    environment = Environment(tmp_path / "partition", 1 << 20, False, max_map_bytes=1 << 20)
    environment.apply([batch(each, bytes(20_000)) for each in range(1, number - 1)])
    environment.close()


@pytest.mark.parametrize("deletes", [True, False])
def test_the_last_of_the_disk_is_kept_for_deletes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deletes: bool
) -> None:
    """And for what was acknowledged; pages that are free within the file are written all the same."""
    environment = Environment(tmp_path / "partition", 1 << 24, False)
    environment.apply([batch(number, bytes(50_000)) for number in range(8)])
    monkeypatch.setattr("roomhost.storage.environment.free_bytes", lambda _: 1 << 20)
    with pytest.raises(StorageError, match=r"the disk is full, .* kept for deletes: free space"):
        environment.apply([batch(9, bytes(500_000))])
    if not deletes:
        environment.apply([batch(9, bytes(500_000))], 1, acknowledged=True)
        assert environment.applied() == 1
    else:
        environment.apply([Batch(number, None, True, {}, UNCHANGED) for number in range(8)])
        used = environment.used_bytes
        environment.apply([batch(9, bytes(100_000))])
        assert environment.used_bytes <= used + 100_000
    environment.close()


def test_a_map_that_cannot_grow_breaks_storage_for_good(tmp_path: Path) -> None:
    """The process has no address space: what was acknowledged is there after a restart."""
    done = subprocess.run(
        [sys.executable, "-c", NO_SPACE_CHILD, str(tmp_path / "partition")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    *said, acknowledged = done.stdout.splitlines()
    assert len(said) == 3
    assert all(line.startswith("storage is unusable, its map could not grow") for line in said)
    environment = Environment(tmp_path / "partition", 1 << 26)
    stored = [ObjectStore(environment, number).get(b"key") for number in range(100)]
    assert sum(value is not None for value in stored) == int(acknowledged)
    environment.close()


def test_a_panic_keeps_the_reason_of_the_commit_that_caused_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every read and write after it fails with that first cause."""
    environment = Environment(tmp_path / "partition", 1 << 20)
    environment.apply([batch(1, b"x")])
    real, panicking = environment._lmdb, Panicking()
    monkeypatch.setattr(environment, "_lmdb", panicking)
    for attempt in (
        lambda: environment.apply([batch(1, b"y")]),
        lambda: environment.apply([batch(2, b"y")]),
        lambda: ObjectStore(environment, 1).get(b"key"),
        lambda: ObjectStore(environment, 1).scan(None, None),
    ):
        with pytest.raises(StorageError, match=r"unusable .*meta page.*restart the host"):
            attempt()
    assert panicking.writes == 1
    real.close()


class Panicking:
    """An LMDB whose first commit cannot write its meta page, and which is dead afterwards."""

    def __init__(self) -> None:
        self.writes = 0

    def begin(self, write: bool = False, **_options: Any) -> Any:
        if write and not self.writes:
            self.writes += 1
            raise lmdb.Error("mdb_txn_commit: meta page: Input/output error")
        raise lmdb.PanicError("mdb_txn_begin: MDB_PANIC")


def test_reading_what_is_closed_is_a_storage_error(environment: Environment) -> None:
    """Not one of LMDB's own, which nobody above knows."""
    environment.close()
    with pytest.raises(StorageError, match="cannot be read"):
        ObjectStore(environment, 1).get(b"key")
    with pytest.raises(StorageError, match="cannot be read"):
        ObjectStore(environment, 1).scan(None, None)


def test_a_damaged_file_is_one_line(tmp_path: Path) -> None:
    """It names the place and says what to do."""
    (tmp_path / "partition").mkdir()
    (tmp_path / "partition" / "data.mdb").write_bytes(b"no database" * 5_000)
    with pytest.raises(DataDirectoryError, match="restore a backup") as refused:
        Environment(tmp_path / "partition", 1 << 20)
    assert "\n" not in str(refused.value)


def put(environment: Environment, key: bytes, transaction: Any) -> None:
    """Write 50,000 bytes under a key."""
    environment.cursor(transaction, "namespaces").put(key, b"y" * 50_000)


def test_another_thread_may_write_while_the_writer_commits(environment: Environment) -> None:
    """It waits for that commit, and both are stored."""
    barrier = threading.Barrier(2, timeout=20)

    def apply() -> None:
        barrier.wait()
        for number in range(50):
            environment.apply([batch(number, b"x" * 50_000)])

    thread = threading.Thread(target=apply)
    thread.start()
    barrier.wait()
    for number in range(50):
        environment.write(partial(put, environment, b"%d" % number))
    thread.join(20)
    assert ObjectStore(environment, 49).get(b"key") == b"x" * 50_000
    assert environment.get("namespaces", b"49") == b"y" * 50_000
