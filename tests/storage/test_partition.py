"""A partition: committed by its writer, found again by the next."""

from __future__ import annotations

import os
import queue
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from roomhost.storage import UNCHANGED, Batch, ObjectRecord, Partition, StorageError

Answer = Callable[[], None]
Commit = Callable[[Sequence[Batch]], None]
TIMEOUT_SECONDS = 20

CRASH_CHILD = """
import itertools, os, queue, sys
from pathlib import Path
from roomhost.storage import UNCHANGED, Batch, Partition

answers = queue.Queue()
partition = Partition.open(Path(sys.argv[1]), deliver=answers.put, map_bytes=1 << 17)
first = int(sys.argv[2])

def submit(number, round):
    value = b"%08d" % round
    writes = {b"a": value, b"b": value * 50, b"%08d" % round: value}
    batch = Batch(number, None, False, writes, round)
    # One write of one line: whole or not at all.
    partition.submit(batch, lambda error: os.write(1, b"%d %d\\n" % (number, round)))

for round in itertools.count(first):
    for number in range(1, 9):
        submit(number, round)
    while not answers.empty() or round % 3 == 0 and not partition.idle:
        answers.get()()
"""

FULL_DISK_CHILD = """
import queue, resource, signal, sys
from pathlib import Path
from roomhost.storage import UNCHANGED, Batch, Partition

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
answers = queue.Queue()
partition = Partition.open(Path(sys.argv[1]), deliver=answers.put)
outcomes = []

def submit(number, size):
    batch = Batch(number, None, False, {b"key": b"x" * size}, UNCHANGED)
    partition.submit(batch, lambda error: outcomes.append((number, error and "free space" in str(error))))

def hear():
    while not partition.idle:
        answers.get(timeout=20)()

submit(1, 10)
hear()
limit = (Path(sys.argv[1]) / "data.mdb").stat().st_size + 65_536
unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, unlimited[1]))
submit(2, 1_000_000)
hear()
submit(3, 10)
hear()
resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
partition.forgive(2)
submit(2, 1_000_000)
hear()
partition.close()
print(outcomes)
"""


def open_partition(path: Path, wrap_commit: Callable[[Commit], Commit] | None = None) -> Partition:
    """A partition whose answers come in the writer's thread."""
    return Partition.open(
        path, deliver=lambda answer: answer(), map_bytes=1 << 20, wrap_commit=wrap_commit
    )


def batch(number: int, value: bytes = b"x") -> Batch:
    """One entry."""
    return Batch(number, None, False, {b"key": value}, UNCHANGED)


class Outcomes:
    """What became of batches, in order."""

    def __init__(self) -> None:
        self._told: queue.Queue[StorageError | None] = queue.Queue()

    def done(self, error: StorageError | None) -> None:
        self._told.put(error)

    def next(self) -> StorageError | None:
        """The next outcome."""
        return self._told.get(timeout=TIMEOUT_SECONDS)

    @property
    def empty(self) -> bool:
        """Whether nothing was told."""
        return self._told.empty()


class Hold:
    """Pass `wrap` as `wrap_commit`: every commit waits for a release."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.go = threading.Semaphore(0)

    def wrap(self, commit: Commit) -> Commit:
        """The commit function to use."""

        def held(batches: Sequence[Batch]) -> None:
            self.begun.release()
            assert self.go.acquire(timeout=TIMEOUT_SECONDS)
            commit(batches)

        return held


def test_a_name_that_is_known_is_not_forgotten(tmp_path: Path) -> None:
    """An object stored by name and then by id keeps its name."""
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


def test_the_objects_of_a_namespace_are_counted(tmp_path: Path) -> None:
    """What is in the log alone, and what is in LMDB too, once each; counting ends at a limit."""
    partition = Partition.open(
        tmp_path / "partition", deliver=lambda answer: answer(), apply_delay_seconds=None
    )
    rooms = partition.namespace("ROOM", "key")
    other = partition.namespace("OTHER", "another key")
    outcomes = Outcomes()
    for index in range(4):
        record = ObjectRecord(rooms.number, bytes([index]) * 32, None)
        given = Batch(partition.allocate(), record, False, {}, UNCHANGED)
        partition.submit(given, outcomes.done)
        assert outcomes.next() is None
        if index == 1:
            partition.apply_now()
        assert partition.count_objects(rooms.number, limit=9) == index + 1
    assert partition.count_objects(rooms.number, limit=3) == 3
    assert partition.count_objects(other.number, limit=3) == 0
    partition.close()


def test_a_held_commit_is_not_done(tmp_path: Path) -> None:
    """Nobody is told, nothing shows, until the disk has it."""
    hold, outcomes = Hold(), Outcomes()
    partition = open_partition(tmp_path / "partition", hold.wrap)
    partition.submit(batch(1), outcomes.done)
    assert hold.begun.acquire(timeout=TIMEOUT_SECONDS)
    assert outcomes.empty
    assert not partition.idle
    assert partition.store(1).get(b"key") is None
    hold.go.release()
    assert outcomes.next() is None
    assert partition.store(1).get(b"key") == b"x"
    partition.close()


def test_close_commits_all_and_abandon_nothing_that_has_not_begun(tmp_path: Path) -> None:
    """The difference between a stop and `kill -9`."""
    for ending, expected in ((Partition.close, b"x"), (Partition.abandon, None)):
        hold, outcomes = Hold(), Outcomes()
        path = tmp_path / ending.__name__
        partition = open_partition(path, hold.wrap)
        partition.submit(batch(1), outcomes.done)
        assert hold.begun.acquire(timeout=TIMEOUT_SECONDS)
        partition.submit(batch(2), outcomes.done)
        ender = threading.Thread(target=ending, args=(partition,))
        ender.start()
        while True:  # until it has begun to end
            try:
                partition.submit(batch(3), outcomes.done)
            except StorageError:
                break
        hold.go.release(2)
        ender.join(TIMEOUT_SECONDS)
        again = open_partition(path)
        assert again.store(1).get(b"key") == b"x"  # its commit had begun
        # The third, submitted while it ended, shares the fate of the second or was refused.
        assert again.store(2).get(b"key") == expected
        again.close()
        assert outcomes.empty == (expected is None)


def test_a_batch_that_is_too_large_fails_alone(tmp_path: Path) -> None:
    """Its neighbours in the group are stored, and later batches of its object fail with it."""
    hold, outcomes = Hold(), Outcomes()

    def refusing(commit: Commit) -> Commit:
        def small_only(batches: Sequence[Batch]) -> None:
            if any(one.size() > 10_000 for one in batches):
                raise StorageError("too large")
            commit(batches)

        return hold.wrap(small_only)

    partition = open_partition(tmp_path / "partition", refusing)
    hold.go.release(100)
    numbers = [1, 2, 3, 2, 4]
    sizes = [1, 50_000, 1, 1, 1]
    for number, size in zip(numbers, sizes, strict=True):
        partition.submit(batch(number, b"x" * size), outcomes.done)
    assert [str(outcomes.next()) for _ in numbers] == [
        "None",
        "too large",
        "None",
        "too large",
        "None",
    ]
    stored = [partition.store(number).get(b"key") for number in (1, 2, 3, 4)]
    assert stored == [b"x", None, b"x", b"x"]
    partition.forgive(2)
    partition.submit(batch(2), outcomes.done)
    assert outcomes.next() is None
    partition.close()


def test_a_number_is_never_given_twice(tmp_path: Path) -> None:
    """Entries or an alarm without a record take their number, too."""
    partition = open_partition(tmp_path / "partition")
    for number, alarm in ((3, UNCHANGED), (5, 99)):
        writes: dict[bytes, bytes | None] = {b"key": b"x"} if alarm is UNCHANGED else {}
        partition.submit(Batch(number, None, False, writes, alarm), lambda _: None)
    partition.close()
    again = open_partition(tmp_path / "partition")
    assert [again.allocate(), again.allocate()] == [6, 7]
    again.close()


def test_a_full_disk_fails_what_does_not_fit(tmp_path: Path) -> None:
    """What was acknowledged stays, what fits is stored, and all goes on when there is space."""
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK_CHILD, str(tmp_path / "partition")],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[(1, None), (2, True), (3, None), (2, None)]"
    again = open_partition(tmp_path / "partition")
    stored = [again.store(number).get(b"key") or b"" for number in (1, 2, 3)]
    assert [len(value) for value in stored] == [10, 1_000_000, 10]
    again.close()


def test_kill_9_loses_nothing_acknowledged_and_leaves_no_half_batch(tmp_path: Path) -> None:
    """Killed between any two commits, or in one: each batch is there whole or not at all."""
    acknowledged = dict.fromkeys(range(1, 9), 0)
    for kill in range(5):
        first = max(acknowledged.values()) + 100 * (kill + 1)
        child = subprocess.Popen(
            [sys.executable, "-c", CRASH_CHILD, str(tmp_path / "partition"), str(first)],
            stdout=subprocess.PIPE,
        )
        with child:
            assert child.stdout is not None
            lines = [child.stdout.readline() for _ in range(random.randrange(10, 400))]
            os.kill(child.pid, signal.SIGKILL)
            lines += child.stdout.readlines()
        for line in lines:
            number, round_number = map(int, line.split())
            acknowledged[number] = round_number

        partition = open_partition(tmp_path / "partition")
        for number, least in acknowledged.items():
            store = partition.store(number)
            newest = store.get(b"a")
            assert newest is not None
            assert int(newest) >= least
            assert store.get(b"b") == newest * 50
            assert store.alarm() == int(newest)
            rounds = [int(value) for _, value in store.scan(b"0", b"9")]
            assert rounds[-1] == int(newest)
            of_this_child = [number for number in rounds if number >= first]
            assert of_this_child == list(range(first, int(newest) + 1))
        partition.close()
