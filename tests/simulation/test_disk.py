"""The simulated disk: what is there after a crash, and how it fails."""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

import lmdb
import pytest

from .disk import SECTOR_BYTES, SimulatedDisk, SimulatedOS
from .faults import Fault
from .test_threads import ManualTime
from .threads import Scheduler, Thread

SIZE = 8 * SECTOR_BYTES
OLD, NEW = b"\x00" * SIZE, b"\xff" * SIZE
DURABLE = os.O_RDWR | os.O_CREAT | os.O_DSYNC


class Bench:
    """A disk, and what happened to it."""

    def __init__(self, root: Path, seed: int) -> None:
        self.happened: Counter[Fault] = Counter()
        self.threads = Scheduler(Random(seed), ManualTime(), 0.0)
        self.disk = SimulatedDisk(root, Random(seed), self.threads, self._note)
        self.system = SimulatedOS(self.disk)
        self.disk.directory.mkdir(parents=True)
        self.path = self.disk.directory / "file"

    def _note(self, fault: Fault) -> None:
        self.happened[fault] += 1

    def stored(self, data: bytes = OLD) -> int:
        """A file with this in it, on the disk; its descriptor."""
        file = self.system.open(self.path, DURABLE)
        self.system.pwrite(file, data, 0)
        self.sync_directory()
        return file

    def sync_directory(self) -> None:
        """Have the entries on the disk."""
        directory = self.system.open(self.disk.directory, os.O_RDONLY)
        self.system.fsync(directory)
        self.system.close(directory)

    def after_crash(self) -> bytes | None:
        """What the next process finds in the file."""
        self.disk.crash()
        found = self.disk.directory / "file"
        return found.read_bytes() if found.exists() else None


@pytest.fixture
def benches(tmp_path: Path) -> Iterator[list[Bench]]:
    """Forty of them."""
    made = [Bench(tmp_path / str(seed), seed) for seed in range(40)]
    yield made
    for bench in made:
        bench.threads.kill_all()
        bench.disk.close_files()


def sectors(data: bytes) -> tuple[int, ...]:
    """The first byte of each sector, if all of it is the same."""
    parts = [data[at : at + SECTOR_BYTES] for at in range(0, len(data), SECTOR_BYTES)]
    assert all(len(set(part)) == 1 for part in parts)
    return tuple(part[0] for part in parts)


def test_what_returned_is_there(benches: list[Bench]) -> None:
    """A synced write that has returned is whole after a crash."""
    for bench in benches:
        bench.stored(NEW)
        assert bench.after_crash() == NEW


def test_a_write_in_flight_is_torn(benches: list[Bench]) -> None:
    """Any of its sectors are there, each whole: none, all, a prefix, or with holes."""
    left: list[tuple[int, ...]] = []
    for bench in benches:
        file = bench.stored()
        thread = Thread(bench.threads, bench.system.pwritev, args=(file, [NEW], 0))
        thread.start()
        bench.threads.run_one()  # up to where the disk works
        found = bench.after_crash()
        assert found is not None
        left.append(sectors(found))
    assert (0,) * 8 in left
    assert (255,) * 8 in left
    assert any(list(each) != sorted(each, reverse=True) for each in left)  # holes
    assert sum(bench.happened[Fault.TORN_WRITE] for bench in benches) == 40


def test_a_write_on_its_way_back_is_there(benches: list[Bench]) -> None:
    """It is on the disk, and nobody was told."""
    for bench in benches:
        file = bench.stored()
        thread = Thread(bench.threads, bench.system.pwrite, args=(file, NEW, 0))
        thread.start()
        while bench.path.read_bytes() == OLD:
            if not bench.threads.runnable:
                bench.threads._time.move(bench.threads.next_timer or 0.0)
                bench.threads.wake_due()
            bench.threads.run_one()
        assert not thread.ended
        assert bench.after_crash() == NEW


def test_what_was_not_synced_may_be_cut_off(benches: list[Bench]) -> None:
    """A file that grew and was not synced has any size from the old to the new one."""
    sizes: set[int] = set()
    for bench in benches:
        file = bench.system.open(bench.path, os.O_RDWR | os.O_CREAT)
        bench.sync_directory()
        bench.system.pwrite(file, NEW, 0)
        found = bench.after_crash()
        assert found is not None
        sizes.add(len(found))
    assert len(sizes) > 10


def test_an_entry_that_was_not_synced_may_be_gone(benches: list[Bench]) -> None:
    """A new file whose directory was not synced is there or not."""
    there: set[bool] = set()
    for bench in benches:
        file = bench.system.open(bench.path, DURABLE)
        bench.system.pwrite(file, NEW, 0)
        there.add(bench.after_crash() is not None)
    assert there == {False, True}


def test_a_full_disk_refuses_and_has_space_again(benches: list[Bench]) -> None:
    """ENOSPC for a new file, and for most writes; nothing of them is there."""
    refused = 0
    for bench in benches:
        file = bench.stored()
        bench.disk.full = True
        assert bench.disk.free_bytes == 0
        with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
            bench.system.open(bench.disk.directory / "other", DURABLE)
        try:
            bench.system.pwrite(file, NEW, 0)
        except OSError as error:
            assert error.errno == errno.ENOSPC
            assert bench.path.read_bytes() == OLD
            refused += 1
        bench.disk.mend()
        assert bench.system.pwrite(file, NEW, 0) == SIZE
    assert 10 < refused < 40


def test_a_write_that_fails_may_be_there_in_part(benches: list[Bench]) -> None:
    """EIO, once; any sectors of it."""
    left: set[tuple[int, ...]] = set()
    for bench in benches:
        file = bench.stored()
        bench.disk.break_next = True
        with pytest.raises(OSError, match=os.strerror(errno.EIO)):
            bench.system.pwrite(file, NEW, 0)
        left.add(sectors(bench.path.read_bytes()))
        assert bench.happened[Fault.BROKEN_DISK] == 1
    assert len(left) > 5


def test_a_write_can_be_cut_short(benches: list[Bench]) -> None:
    """It says how much was written."""
    for bench in benches:
        file = bench.stored()
        bench.disk.shorten_next = True
        written = bench.system.pwrite(file, NEW, 0)
        assert 0 < written < SIZE
        assert bench.path.read_bytes() == NEW[:written] + OLD[written:]


def test_a_disk_that_is_stuck_takes_longer_than_a_host_waits(benches: list[Bench]) -> None:
    """More than 30 s, in virtual time."""
    for bench in benches:
        file = bench.stored()
        begun = bench.threads._time.time()
        bench.disk.stick_next = True
        bench.system.pwrite(file, NEW, 0)
        assert bench.threads._time.time() - begun > 30


def test_lmdb_is_refused_what_was_said(benches: list[Bench]) -> None:
    """The errors that were put there, each once."""
    disk = benches[0].disk
    disk.refuse_next.append(lmdb.MapFullError("full"))
    with pytest.raises(lmdb.MapFullError):
        disk.commit()
    disk.commit()
    assert disk.disturbances == 1
