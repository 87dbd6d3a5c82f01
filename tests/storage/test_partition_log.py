"""A partition over its commit log: killed between any two steps, full, refused, and found again."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roomhost.storage import (
    UNCHANGED,
    Batch,
    DataDirectoryError,
    ObjectRecord,
    Partition,
    StorageError,
)
from roomhost.storage.environment import Environment
from roomhost.storage.log_record import HEADER, encode_batches

from .batches import NUMBERS, Model, batches

Commit = Callable[[Sequence[Batch]], None]
TIMEOUT_SECONDS = 20


class Told:
    """What became of one batch."""

    def __init__(self) -> None:
        self._heard = threading.Event()
        self._error: StorageError | None = None

    def done(self, error: StorageError | None) -> None:
        self._error = error
        self._heard.set()

    def wait(self) -> str | None:
        """The error's words, if it failed."""
        assert self._heard.wait(TIMEOUT_SECONDS)
        return None if self._error is None else str(self._error)


def open_partition(path: Path, **options: Any) -> Partition:
    """A partition that applies when it is asked to; its answers come in the writer's thread."""
    options = {"apply_delay_seconds": None, "sync": False, "map_bytes": 1 << 20, **options}
    return Partition.open(path, deliver=lambda answer: answer(), **options)


def put(partition: Partition, batch: Batch) -> str | None:
    """Have a batch committed; the error's words, if it failed."""
    told = Told()
    partition.submit(batch, told.done)
    return told.wait()


def entry(number: int, value: bytes = b"x") -> Batch:
    """A batch of one entry."""
    return Batch(number, None, False, {b"key": value}, UNCHANGED)


@pytest.fixture
def partition(tmp_path: Path) -> Iterator[Partition]:
    """One that applies when it is asked to."""
    opened = open_partition(tmp_path / "partition")
    yield opened
    opened.close()


def check(partition: Partition, model: Model) -> None:
    """Everything that is stored is there, and nothing else."""
    for number in NUMBERS:
        assert dict(partition.store(number).scan(None, None)) == model.entries[number]
        assert partition.store(number).alarm() == model.alarms.get(number)
    assert partition.alarms.due(99, limit=99) == model.due(99, None, 99)
    for namespace in (1, 2):
        expected = [one for one in model.records.values() if one.namespace == namespace]
        found = partition.list_objects(namespace, limit=99)
        assert found == sorted(expected, key=lambda one: one.id)
    for number, record in model.records.items():
        assert partition.find(record.namespace, record.id) == number
        assert partition.record(number) == record


def test_nothing_waits_for_lmdb(partition: Partition) -> None:
    """What was acknowledged shows in every read before it is applied."""
    namespace = partition.namespace("ROOM", "key").number
    record = ObjectRecord(namespace, b"i" * 32, "lobby")
    assert put(partition, Batch(7, record, False, {b"key": b"x"}, 5)) is None
    assert partition._environment.get("records", (7).to_bytes(8, "big")) is None
    for _ in range(2):
        assert partition.store(7).get(b"key") == b"x"
        assert partition.alarms.first() == (5, 7)
        assert partition.find(namespace, b"i" * 32) == 7
        assert partition.record(7) == record
        assert partition.list_objects(namespace, limit=9) == [record]
        partition.apply_now()
    assert partition._environment.get("records", (7).to_bytes(8, "big")) is not None


def test_objects_are_listed_in_order_wherever_they_are(partition: Partition) -> None:
    """Some in LMDB, some in the log, up to a limit, behind any of them."""
    for number in (2, 4, 1, 3):
        record = ObjectRecord(1, b"%032d" % number, None)
        assert put(partition, Batch(number, record, False, {}, UNCHANGED)) is None
        if number == 4:
            partition.apply_now()
    ids = [b"%032d" % number for number in (1, 2, 3, 4)]
    assert [one.id for one in partition.list_objects(1, limit=9)] == ids
    assert [one.id for one in partition.list_objects(1, limit=3)] == ids[:3]
    assert [one.id for one in partition.list_objects(1, after=ids[0], limit=2)] == ids[1:3]
    assert partition.list_objects(1, after=ids[3], limit=2) == []


def test_a_name_in_lmdb_is_known_to_a_record_in_the_log(partition: Partition) -> None:
    """An object stored by name and then by id keeps its name before that is applied."""
    for name in ("lobby", None):
        put(partition, Batch(1, ObjectRecord(1, b"i" * 32, name), False, {}, UNCHANGED))
        if name:
            partition.apply_now()
    assert partition.record(1) == ObjectRecord(1, b"i" * 32, "lobby")
    assert partition.list_objects(1, limit=9) == [ObjectRecord(1, b"i" * 32, "lobby")]


@settings(max_examples=12, deadline=None)
@given(st.lists(st.tuples(batches(), st.sampled_from(["", "", "apply", "copy"])), max_size=12))
def test_killed_between_any_two_steps_nothing_acknowledged_is_lost(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[Batch, str]]
) -> None:
    """What is on the disk after an append, before and after LMDB has it, and after the log was
    trimmed: each opens with all that was acknowledged then, and opens again."""
    directory = tmp_path_factory.mktemp("kill")
    model = Model()
    copies = 0

    def check_copy(_: object = None) -> None:
        nonlocal copies
        copies += 1
        copy = directory / f"copy-{copies}"
        shutil.copytree(directory / "partition", copy)
        for _ in range(2):
            found = open_partition(copy)
            check(found, model)
            found.abandon()
        shutil.rmtree(copy)

    def looked_at(commit: Commit) -> Commit:
        def commit_and_look(group: Sequence[Batch]) -> None:
            commit(group)
            model.apply(group)
            if kind == "copy":
                check_copy()  # nobody has been told

        return commit_and_look

    kind = ""
    partition = open_partition(directory / "partition", wrap_commit=looked_at)
    apply = partition._environment.apply

    def apply_and_look(
        batches: Collection[Batch], sequence: int | None = None, *, acknowledged: bool = False
    ) -> None:
        check_copy()
        apply(batches, sequence, acknowledged=acknowledged)
        check_copy()

    partition._environment.apply = apply_and_look  # type: ignore[method-assign]
    for batch, kind in steps:
        assert put(partition, batch) is None
        if kind == "apply":
            partition.apply_now()
        check(partition, model)
    partition.abandon()
    check_copy()
    shutil.rmtree(directory)


def test_a_torn_last_group_is_not_there_at_any_byte(tmp_path: Path) -> None:
    """The one before it is, and what comes then is stored."""
    partition = open_partition(tmp_path / "partition")
    assert put(partition, entry(1)) is None
    put(partition, entry(2, b"y" * 9))
    partition.abandon()
    log = tmp_path / "partition" / "log-0"
    whole = log.read_bytes()
    begin = HEADER.size + len(encode_batches([entry(1)]))
    end = begin + HEADER.size + len(encode_batches([entry(2, b"y" * 9)]))
    for cut in range(begin, end, 3):
        copy = tmp_path / f"copy-{cut}"
        shutil.copytree(tmp_path / "partition", copy)
        (copy / "log-0").write_bytes(whole[:cut] + b"\xee" * (len(whole) - cut))
        again = open_partition(copy)
        assert (again.store(1).get(b"key"), again.store(2).get(b"key")) == (b"x", None)
        assert put(again, entry(3)) is None
        again.abandon()
        shutil.rmtree(copy)


def test_a_damaged_log_is_not_passed_over(tmp_path: Path) -> None:
    """What was acknowledged would be lost in silence."""
    partition = open_partition(tmp_path / "partition")
    for number in (1, 2):
        assert put(partition, entry(number, b"x" * 200_000)) is None
    partition.abandon()
    first = tmp_path / "partition" / "log-0"
    data = bytearray(first.read_bytes())
    data[5_000] ^= 1
    first.write_bytes(data)
    with pytest.raises(DataDirectoryError, match="restore a backup"):
        open_partition(tmp_path / "partition")


def test_a_group_larger_than_the_log_goes_to_lmdb(partition: Partition) -> None:
    """Behind what is in the log, and before what comes then."""
    assert put(partition, entry(1, b"before")) is None
    writes: dict[bytes, bytes | None] = {b"%d" % n: b"x" * 1_000_000 for n in range(6)}
    assert put(partition, Batch(1, None, False, {**writes, b"key": b"large"}, UNCHANGED)) is None
    assert partition.store(1).get(b"key") == b"large"
    assert Environment.get(partition._environment, "entries", (1).to_bytes(8, "big") + b"key") == (
        b"large"
    )
    assert put(partition, entry(1, b"after")) is None
    assert partition.store(1).get(b"key") == b"after"
    partition.apply_now()
    assert partition.store(1).get(b"key") == b"after"
    assert len(partition.store(1).scan(None, None)) == 7
    assert partition.statistics().commits == 3


def test_a_log_that_is_full_waits_for_lmdb(
    partition: Partition, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """All is stored, and the files stay within their limit."""
    monkeypatch.setattr("roomhost.storage.applier.MAX_PENDING_WRITES", 20)
    for number in range(40):
        assert put(partition, entry(number + 1, b"%d" % number * 100_000)) is None
        assert partition._pending.writes <= 22
    for number in range(40):
        assert partition.store(number + 1).get(b"key") == b"%d" % number * 100_000
    sizes = [path.stat().st_size for path in (tmp_path / "partition").glob("log-*")]
    assert sum(sizes) <= 12 * 1024 * 1024
    assert partition.statistics().failed_batches == 0


def test_what_lmdb_cannot_take_is_kept_and_refuses_what_comes(partition: Partition) -> None:
    """In the words of the disk, until it can again; nothing acknowledged is lost meanwhile."""
    assert put(partition, entry(1)) is None
    real = partition._environment.apply

    def full(batches: object, sequence: int | None = None, *, acknowledged: bool = False) -> None:
        raise StorageError("the disk is full: free space, then call again")

    partition._environment.apply = full  # type: ignore[method-assign]
    with pytest.raises(StorageError, match="free space"):
        partition.apply_now()
    for number in (1, 2):
        assert "free space" in (put(partition, entry(number, b"refused")) or "")
    assert (partition.store(1).get(b"key"), partition.store(2).get(b"key")) == (b"x", None)
    partition._environment.apply = real  # type: ignore[method-assign]
    partition.forgive(1)
    partition.forgive(2)
    assert put(partition, entry(2)) is None
    assert (partition.store(1).get(b"key"), partition.store(2).get(b"key")) == (b"x", b"x")


def test_a_disk_that_fails_is_told_until_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An append that may or may not be there is the last; what was acknowledged before it is read,
    and found again."""
    partition = open_partition(tmp_path / "partition")
    assert put(partition, entry(1)) is None

    def fail(file: int, parts: Any, offset: int) -> int:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("roomhost.storage.log_segment.os.pwritev", fail)
        assert "restart the host" in (put(partition, entry(2)) or "")
    assert "restart the host" in (put(partition, entry(3)) or "")
    assert partition.store(1).get(b"key") == b"x"
    partition.close()
    again = open_partition(tmp_path / "partition")
    assert [again.store(number).get(b"key") for number in (1, 2, 3)] == [b"x", None, None]
    assert put(again, entry(3)) is None
    again.close()


def test_near_the_limit_of_the_map_each_group_is_tried_alone(tmp_path: Path) -> None:
    """Nothing is acknowledged that would not fit; what does fit is stored, and deleting helps."""
    partition = open_partition(tmp_path / "partition", max_map_bytes=1 << 20)
    assert put(partition, entry(1, b"x" * 300_000)) is None
    assert "limit of 1048576 bytes" in (put(partition, entry(2, b"x" * 1_000_000)) or "")
    assert put(partition, entry(3)) is None
    assert put(partition, Batch(1, None, True, {}, UNCHANGED)) is None
    assert put(partition, entry(4, b"x" * 300_000)) is None
    stored = [partition.store(number).get(b"key") or b"" for number in (1, 2, 3, 4)]
    assert [len(value) for value in stored] == [0, 0, 1, 300_000]
    assert list((tmp_path / "partition").glob("log-*")) == []
    partition.close()


def test_a_log_that_does_not_fit_is_said_when_it_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one line; it stays, for the next try."""
    partition = open_partition(tmp_path / "partition")
    assert put(partition, entry(1)) is None
    partition.abandon()

    def full(self: Environment, batches: object, sequence: int, *, acknowledged: bool) -> None:
        raise StorageError("the disk is full: free space, then call again")

    with monkeypatch.context() as patch:
        patch.setattr(Environment, "apply", full)
        with pytest.raises(DataDirectoryError, match="free space") as refused:
            open_partition(tmp_path / "partition")
    assert "\n" not in str(refused.value)
    again = open_partition(tmp_path / "partition")
    assert again.store(1).get(b"key") == b"x"
    again.close()


def test_a_partition_without_a_log_is_opened(tmp_path: Path) -> None:
    """As an earlier version left it."""
    environment = Environment(tmp_path / "partition", 1 << 20, False)
    environment.apply([entry(1)])
    environment.close()
    partition = open_partition(tmp_path / "partition")
    assert partition.store(1).get(b"key") == b"x"
    assert partition.allocate() == 2
    partition.close()


def test_a_number_in_the_log_is_not_given_again(tmp_path: Path) -> None:
    """Though LMDB did not have it when the process was killed."""
    partition = open_partition(tmp_path / "partition")
    assert put(partition, entry(9)) is None
    partition.abandon()
    again = open_partition(tmp_path / "partition")
    assert again.allocate() == 10
    again.close()
