"""The applier: LMDB is brought up to the log, and who waits for that is told how it went."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import pytest

from roomhost.storage import UNCHANGED, Batch, ObjectStore, StorageError
from roomhost.storage.applier import Applier
from roomhost.storage.commit_log import CommitLog
from roomhost.storage.environment import Environment
from roomhost.storage.log_record import encode_batches
from roomhost.storage.pending import Pending

TIMEOUT_SECONDS = 20


class Desk:
    """An applier of which every application can be held, or fail."""

    def __init__(self, directory: Path, delay_seconds: float | None = None) -> None:
        self.environment = Environment(directory / "partition", 1 << 20, False)
        self.log = CommitLog(directory / "partition", 0, sync=False)
        self.pending = Pending()
        self.failing = False
        self.begun = threading.Semaphore(0)
        self.succeeded = threading.Semaphore(0)
        self.go = threading.Event()
        self.go.set()
        self.applied: list[int | None] = []
        self._real = self.environment.apply
        self.environment.apply = self._apply  # type: ignore[method-assign]
        self.applier = Applier(self.environment, self.log, self.pending, delay_seconds)
        self.applier.start()

    def append(self, number: int, told: bool = True) -> None:
        """One group in the log, of which the owner has been told."""
        batch = Batch(number, None, False, {b"key": b"%d" % self.log.last}, UNCHANGED)
        payload = encode_batches([batch])
        assert self.log.reserve(len(payload))
        self.log.append(payload)
        if told:
            self.pending.add([batch], self.log.last)
            self.applier.gathered()

    def stored(self, number: int) -> bytes | None:
        """What LMDB has."""
        return ObjectStore(self.environment, number).get(b"key")

    def close(self) -> None:
        """End it."""
        self.failing = False
        self.go.set()
        self.applier.close()
        self.log.close()
        self.environment.close()

    def _apply(
        self,
        batches: Collection[Batch],
        sequence: int | None = None,
        *,
        acknowledged: bool = False,
    ) -> None:
        self.begun.release()
        assert self.go.wait(TIMEOUT_SECONDS)
        if self.failing:
            raise StorageError("the disk is full: free space")
        self._real(batches, sequence, acknowledged=acknowledged)
        self.applied.append(sequence)
        self.succeeded.release()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """One that applies when somebody waits for it."""
    made = Desk(tmp_path)
    yield made
    made.close()


def started(function: Callable[[], object]) -> tuple[threading.Thread, list[str]]:
    """A thread that calls it, and what became of that."""
    told: list[str] = []

    def run() -> None:
        try:
            function()
        except StorageError as error:
            told.append(str(error))
        else:
            told.append("done")

    thread = threading.Thread(target=run)
    thread.start()
    return thread, told


def test_many_groups_are_one_transaction(desk: Desk) -> None:
    """Of every key the last write; the log is trimmed behind them."""
    for _ in range(5):
        desk.append(1)
    assert desk.stored(1) is None
    desk.applier.drain()
    assert desk.applied == [5]
    assert (desk.stored(1), desk.log.applied, desk.pending.writes) == (b"4", 5, 0)
    desk.applier.drain()
    assert desk.applied == [5], "nothing is left"


def test_what_gathered_is_applied_after_a_while(tmp_path: Path) -> None:
    """Nobody has to wait for it."""
    desk = Desk(tmp_path, delay_seconds=0)
    desk.append(1)
    assert desk.begun.acquire(timeout=TIMEOUT_SECONDS)
    desk.close()
    assert desk.applied == [1]


def test_many_writes_are_applied_at_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long they might gather."""
    monkeypatch.setattr("roomhost.storage.applier.APPLY_AT_WRITES", 4)
    desk.append(1)
    assert not desk.begun.acquire(blocking=False)
    desk.append(1)
    assert desk.begun.acquire(timeout=TIMEOUT_SECONDS)


def test_what_nobody_was_told_of_is_read_from_the_log(desk: Desk) -> None:
    """Whoever drains need not wait for the owner, who may be gone. What the owner hears later makes
    no difference."""
    desk.append(1)
    desk.append(1, told=False)
    desk.append(2, told=False)
    desk.applier.drain()
    assert (desk.stored(1), desk.stored(2)) == (b"1", b"2")
    assert (desk.applied, desk.log.applied) == ([1, 3], 3)
    desk.pending.add([Batch(1, None, False, {b"key": b"1"}, UNCHANGED)], 2)
    desk.append(3)
    desk.applier.drain()
    assert (desk.stored(1), desk.stored(3)) == (b"1", b"3")


def test_an_old_generation_is_not_applied_over_what_is_newer(desk: Desk) -> None:
    """LMDB had it already."""
    desk.append(1)
    desk.pending.take()
    desk.append(1, told=False)
    desk.log.trim(1)
    desk.applier.drain()
    assert (desk.applied, desk.stored(1)) == ([2], b"1")


def test_who_waits_is_told_that_it_failed(desk: Desk) -> None:
    """Nothing is lost, groups are kept out of the log, and when there is space all goes on."""
    desk.append(1)
    desk.failing = True
    with pytest.raises(StorageError, match="free space"):
        desk.applier.drain()
    assert not desk.applier.keeps_up
    with pytest.raises(StorageError, match="free space"):
        desk.applier.make_room(lambda: desk.applier.keeps_up)
    with pytest.raises(StorageError, match="free space"):
        desk.applier.apply_directly([Batch(2, None, False, {b"key": b"x"}, UNCHANGED)])
    assert (desk.pending.get(1, b"key"), desk.log.applied, desk.stored(1)) == (b"0", 0, None)
    desk.failing = False
    desk.applier.make_room(lambda: desk.applier.keeps_up)
    assert desk.applier.keeps_up
    assert (desk.stored(1), desk.stored(2), desk.log.applied) == (b"0", None, 1)


def test_a_failure_is_tried_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """By itself, after a while."""
    monkeypatch.setattr("roomhost.storage.applier.RETRY_APPLY_SECONDS", 0)
    desk.append(1)
    desk.failing = True
    with pytest.raises(StorageError):
        desk.applier.drain()
    for _ in range(3):
        assert desk.begun.acquire(timeout=TIMEOUT_SECONDS)
    desk.failing = False
    assert desk.succeeded.acquire(timeout=TIMEOUT_SECONDS)
    desk.applier.drain()
    assert desk.applier.keeps_up
    assert (desk.applied, desk.log.applied) == ([1], 1)


def test_a_bug_is_told_like_a_broken_disk(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The thread lives."""
    desk.append(1)
    with monkeypatch.context() as patch:
        patch.setattr(desk.environment, "apply", None)
        with pytest.raises(StorageError, match="failed unexpectedly"):
            desk.applier.drain()
    assert "could not be applied" in caplog.text
    desk.applier.drain()
    assert desk.stored(1) == b"0"


def test_a_group_past_the_log_comes_behind_what_is_in_it(desk: Desk) -> None:
    """With its own sequence."""
    desk.append(1)
    desk.append(2, told=False)
    desk.applier.apply_directly([Batch(1, None, False, {b"key": b"direct"}, UNCHANGED)])
    assert (desk.stored(1), desk.stored(2)) == (b"direct", b"1")
    assert (desk.log.last, desk.log.applied, desk.environment.applied()) == (3, 3, 3)
    desk.append(1)
    desk.applier.drain()
    assert (desk.stored(1), desk.environment.applied()) == (b"3", 4)


def test_a_group_past_the_log_that_does_not_fit_fails_alone(desk: Desk) -> None:
    """What comes after it goes to the log again."""
    desk.failing = True
    with pytest.raises(StorageError, match="free space"):
        desk.applier.apply_directly([Batch(1, None, False, {b"key": b"x"}, UNCHANGED)])
    desk.failing = False
    assert desk.applier.keeps_up
    desk.append(2)
    desk.applier.drain()
    assert (desk.stored(1), desk.stored(2), desk.log.applied) == (None, b"0", 1)


def test_who_comes_while_something_is_applied_is_served(desk: Desk) -> None:
    """Several wait for several things."""
    desk.go.clear()
    desk.append(1)
    first = started(desk.applier.drain)
    assert desk.begun.acquire(timeout=TIMEOUT_SECONDS)
    desk.append(2)
    others = [started(desk.applier.drain), started(lambda: desk.applier.make_room(lambda: False))]
    desk.go.set()
    for thread, told in (first, *others):
        thread.join(TIMEOUT_SECONDS)
        assert told == ["done"]
    assert (desk.stored(1), desk.stored(2)) == (b"0", b"1")


def test_who_waits_for_what_is_so_no_more_is_not_forgotten(desk: Desk) -> None:
    """There was room when the applier looked, and none when the waiting thread did: it is served
    again, not left to wait for ever."""
    looked: list[None] = []

    def enough() -> bool:
        if threading.current_thread().name == "roomhost-applier":
            looked.append(None)
        return len(looked) == 1 and threading.current_thread().name == "roomhost-applier"

    desk.append(1)
    desk.append(2, told=False)
    thread, told = started(lambda: desk.applier.make_room(enough))
    thread.join(TIMEOUT_SECONDS)
    assert told == ["done"]
    assert desk.log.applied == 2


def test_close_applies_everything_and_abandon_nothing_more(tmp_path: Path) -> None:
    """The difference between a stop and `kill -9`; what is left is in the log."""
    for name, expected in (("close", b"1"), ("abandon", None)):
        (tmp_path / name).mkdir()
        desk = Desk(tmp_path / name)
        desk.append(1)
        desk.append(2, told=False)
        getattr(desk.applier, name)()
        assert desk.stored(2) == expected
        assert desk.log.applied == (0 if expected is None else 2)
        assert len(list(desk.log.replay())) == (2 if expected is None else 0)
        if expected is None:
            with pytest.raises(StorageError, match="abandoned"):
                desk.applier.drain()
        desk.log.close()
        desk.environment.close()


def test_a_disk_that_is_full_at_the_end_leaves_it_in_the_log(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    """The next start brings it in."""
    desk.append(1)
    desk.failing = True
    desk.applier.close()
    assert "not in LMDB yet" in caplog.text
    assert [sequence for sequence, _ in desk.log.replay()] == [1]
