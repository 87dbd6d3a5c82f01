"""Group commit: one thread, one transaction for all that waits, answers in order."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterator, Sequence

import pytest

from roomhost.storage import UNCHANGED, Batch, StorageError, Writer
from roomhost.storage import writer as writer_module
from roomhost.storage.batch import BATCH_OVERHEAD_BYTES

Answer = Callable[[], None]
TIMEOUT_SECONDS = 20


class Disk:
    """A commit function that a test holds, and whose batches it can let fail."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.failing: set[int] = set()
        self.failures_left: dict[int, int] = {}  # how often batches of these fail alone
        self.begun = threading.Semaphore(0)
        self.go = threading.Semaphore(0)
        self.held = False

    def commit(self, batches: Sequence[Batch]) -> None:
        if self.held:
            self.begun.release()
            assert self.go.acquire(timeout=TIMEOUT_SECONDS)
        numbers = [batch.number for batch in batches]
        if self.failing & set(numbers):
            raise StorageError("the disk is full")
        for number in self.failures_left.keys() & set(numbers):
            # The group, and then the batch alone.
            self.failures_left[number] -= len(batches) == 1
            if self.failures_left[number] == 0:
                del self.failures_left[number]
            raise StorageError("the disk is full")
        self.groups.append(numbers)


class Owner:
    """The thread that submits, and is told."""

    def __init__(self, disk: Disk, soon: Callable[[Answer], object] | None = None) -> None:
        self.answers: queue.Queue[Answer] = queue.Queue()
        self.outcomes: list[tuple[int, str | None]] = []
        self.writer = Writer(disk.commit, self.answers.put, soon)
        self.writer.start()

    def submit(self, number: int) -> None:
        """A batch of an object."""

        def done(error: StorageError | None) -> None:
            self.outcomes.append((number, None if error is None else str(error)))

        self.writer.submit(Batch(number, None, False, {}, UNCHANGED), done)

    def hear(self, count: int) -> list[tuple[int, str | None]]:
        """The next `count` outcomes."""
        while len(self.outcomes) < count:
            self.answers.get(timeout=TIMEOUT_SECONDS)()
        heard, self.outcomes = self.outcomes[:count], self.outcomes[count:]
        return heard


@pytest.fixture
def disk() -> Disk:
    """A disk that works."""
    return Disk()


@pytest.fixture
def owner(disk: Disk) -> Iterator[Owner]:
    """An owner whose writer is closed afterwards, if the test did not."""
    made = Owner(disk)
    yield made
    disk.held = False
    disk.go.release(100)
    try:
        made.writer.close()
    except StorageError:
        pass


def test_what_waits_while_the_disk_works_is_one_group(disk: Disk, owner: Owner) -> None:
    """The first batch goes alone, everything behind it together, in order."""
    disk.held = True
    owner.submit(1)
    assert disk.begun.acquire(timeout=TIMEOUT_SECONDS)
    for number in (2, 3, 2, 4):
        owner.submit(number)
    assert not owner.writer.idle
    disk.held = False
    disk.go.release()
    assert owner.hear(5) == [(1, None), (2, None), (3, None), (2, None), (4, None)]
    assert disk.groups == [[1], [2, 3, 2, 4]]
    assert owner.writer.idle
    statistics = owner.writer.statistics()
    assert (statistics.commits, statistics.batches, statistics.largest_group) == (2, 5, 4)


def test_nobody_is_told_before_the_commit_is_over(disk: Disk, owner: Owner) -> None:
    """While the disk works there is no answer."""
    disk.held = True
    owner.submit(1)
    assert disk.begun.acquire(timeout=TIMEOUT_SECONDS)
    assert owner.answers.empty()
    disk.go.release()
    assert owner.hear(1) == [(1, None)]


def test_a_batch_that_cannot_be_stored_fails_alone(disk: Disk, owner: Owner) -> None:
    """Its neighbours in the group are stored one by one."""
    disk.held = True
    owner.submit(1)
    assert disk.begun.acquire(timeout=TIMEOUT_SECONDS)
    disk.failing = {3}
    for number in (2, 3, 4):
        owner.submit(number)
    disk.held = False
    disk.go.release()
    assert owner.hear(4) == [(1, None), (2, None), (3, "the disk is full"), (4, None)]
    assert disk.groups == [[1], [2], [4]]


def test_that_commits_fail_is_logged_once(
    disk: Disk, owner: Owner, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many do; and that they succeed again. Not more often than once a second."""
    seconds = [0.0]
    monkeypatch.setattr(writer_module, "monotonic", lambda: seconds[0])
    disk.failing = {1, 2, 3}
    for number in (1, 2, 3):
        owner.submit(number)
        owner.hear(1)
    assert caplog.messages == ["commits fail: the disk is full"]
    owner.submit(4)
    owner.hear(1)
    assert len(caplog.messages) == 1
    seconds[0] = 1.0
    owner.submit(4)
    owner.hear(1)
    assert caplog.messages[1:] == ["commits succeed again"]


def test_what_was_made_on_a_failed_batch_fails_too_until_it_is_forgiven(
    disk: Disk, owner: Owner
) -> None:
    """A later batch of the object is never applied over a lost one; other objects go on."""
    disk.failing = {1}
    owner.submit(1)
    assert owner.hear(1) == [(1, "the disk is full")]
    disk.failing = set()
    owner.submit(1)
    owner.submit(2)
    assert owner.hear(2) == [(1, "the disk is full"), (2, None)]
    owner.writer.forgive(1)
    owner.submit(1)
    assert owner.hear(1) == [(1, None)]
    assert disk.groups == [[2], [1]]


def test_what_was_submitted_before_it_was_forgiven_fails_however_late(
    disk: Disk, owner: Owner
) -> None:
    """The writer may come to the batch only after `forgive`: it was made on a lost one all the same."""
    disk.held, disk.failing = True, {1}
    owner.submit(1)
    assert disk.begun.acquire(timeout=TIMEOUT_SECONDS)
    owner.submit(9)
    disk.go.release()
    assert disk.begun.acquire(timeout=TIMEOUT_SECONDS)  # the first has failed, 9 is with the disk
    disk.failing = set()
    owner.submit(1)  # made before its owner heard of the failure
    assert owner.hear(1) == [(1, "the disk is full")]
    owner.writer.forgive(1)
    owner.submit(1)
    disk.held = False
    disk.go.release()
    assert owner.hear(3) == [(9, None), (1, "the disk is full"), (1, None)]
    assert disk.groups == [[9], [1]]


def test_a_later_batch_of_the_group_fails_with_the_earlier_one(disk: Disk, owner: Owner) -> None:
    """In the very group that failed, too: it is not tried over a lost one."""
    disk.held = True
    owner.submit(5)
    assert disk.begun.acquire(timeout=TIMEOUT_SECONDS)
    disk.failures_left = {1: 1}
    for number in (1, 2, 1):
        owner.submit(number)
    disk.held = False
    disk.go.release()
    failed = (1, "the disk is full")
    assert owner.hear(4) == [(5, None), failed, (2, None), failed]
    assert disk.groups == [[5], [2]]
    assert owner.writer.statistics().failed_batches == 2


def test_an_object_that_failed_does_not_slow_the_others(disk: Disk, owner: Owner) -> None:
    """Until it is forgiven, the rest of each group is still one transaction."""
    disk.failing = {1}
    owner.submit(1)
    assert owner.hear(1) == [(1, "the disk is full")]
    disk.held = True
    owner.submit(2)
    assert disk.begun.acquire(timeout=TIMEOUT_SECONDS)
    for number in (3, 1, 4, 5):
        owner.submit(number)
    disk.held = False
    disk.go.release()
    assert owner.hear(5)[1:] == [(3, None), (1, "the disk is full"), (4, None), (5, None)]
    assert disk.groups == [[2], [3, 4, 5]]


def test_an_object_that_fails_when_it_is_told_stops_nobody(
    disk: Disk, owner: Owner, caplog: pytest.LogCaptureFixture
) -> None:
    """The others of its group are told, and everything counts as answered."""

    def failing(_error: StorageError | None) -> None:
        raise LookupError("a bug")

    disk.held = True
    owner.submit(1)
    assert disk.begun.acquire(timeout=TIMEOUT_SECONDS)
    owner.writer.submit(Batch(2, None, False, {}, UNCHANGED), failing)
    owner.submit(3)
    disk.held = False
    disk.go.release()
    assert owner.hear(2) == [(1, None), (3, None)]
    assert owner.writer.idle
    assert "a bug" in caplog.text


def test_a_group_has_a_limit(disk: Disk, owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of batches and of bytes; what is left over is the next group, in order."""
    monkeypatch.setattr("roomhost.storage.writer.MAX_GROUP_BATCHES", 3)
    monkeypatch.setattr("roomhost.storage.writer.MAX_GROUP_BYTES", 2 * BATCH_OVERHEAD_BYTES)
    disk.held = True
    owner.submit(0)
    assert disk.begun.acquire(timeout=TIMEOUT_SECONDS)
    for number in range(1, 6):
        owner.submit(number)
    disk.held = False
    disk.go.release()
    assert [number for number, _ in owner.hear(6)] == list(range(6))
    assert disk.groups == [[0], [1, 2], [3, 4], [5]]


def test_an_unexpected_error_fails_its_group_and_the_thread_lives(owner: Owner, disk: Disk) -> None:
    """A bug in the commit is told like a broken disk."""
    commit, disk.groups = disk.commit, None  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]
    owner.submit(1)
    assert "failed unexpectedly" in (owner.hear(1)[0][1] or "")
    disk.groups = []
    assert commit is not None
    owner.submit(2)
    assert owner.hear(1) == [(2, None)]


def test_close_commits_and_answers_everything(disk: Disk, owner: Owner) -> None:
    """Nothing that was submitted is dropped; nothing more is taken."""
    for number in range(100):
        owner.submit(number)
    owner.writer.close()
    assert [number for number, _ in owner.hear(100)] == list(range(100))
    assert [number for group in disk.groups for number in group] == list(range(100))
    with pytest.raises(StorageError, match="closed"):
        owner.submit(1)


def test_abandon_writes_nothing_more_and_tells_nobody(disk: Disk, owner: Owner) -> None:
    """A commit that has begun may end; what waits behind it is lost."""
    disk.held = True
    owner.submit(1)
    assert disk.begun.acquire(timeout=TIMEOUT_SECONDS)
    owner.submit(2)
    releasing = threading.Timer(0, disk.go.release)
    abandoning = threading.Thread(target=owner.writer.abandon)
    abandoning.start()
    releasing.start()
    abandoning.join(TIMEOUT_SECONDS)
    releasing.join()
    assert disk.groups == [[1]]
    assert owner.answers.empty()
    with pytest.raises(StorageError, match="abandoned"):
        owner.submit(3)


def test_abandon_ends_a_group_that_is_retried_one_by_one(disk: Disk, owner: Owner) -> None:
    """What no commit has begun with is not written, though its group was looked at."""
    disk.held = True
    owner.submit(1)
    assert disk.begun.acquire(timeout=TIMEOUT_SECONDS)
    disk.failing = {3}
    for number in (2, 3, 4):
        owner.submit(number)
    disk.go.release()
    assert disk.begun.acquire(timeout=TIMEOUT_SECONDS)  # the group of three
    disk.go.release()
    assert disk.begun.acquire(timeout=TIMEOUT_SECONDS)  # the first of them alone
    abandoning = threading.Thread(target=owner.writer.abandon)
    abandoning.start()
    while True:
        try:
            owner.submit(7)
        except StorageError:
            break  # it is abandoned now
    disk.go.release()
    abandoning.join(TIMEOUT_SECONDS)
    assert disk.groups == [[1], [2]]


@pytest.mark.parametrize("kind", [RuntimeError, LookupError])
def test_an_owner_that_cannot_be_told_does_not_end_the_thread(
    disk: Disk, kind: type[Exception]
) -> None:
    """Whatever `deliver` raises, what comes next is committed."""
    told = threading.Semaphore(0)

    def deliver(_answer: Answer) -> None:
        told.release()
        raise kind("nobody there")

    writer = Writer(disk.commit, deliver)
    writer.start()
    for number in range(3):
        writer.submit(Batch(number, None, False, {}, UNCHANGED), lambda _: None)
        assert told.acquire(timeout=TIMEOUT_SECONDS)
    writer.close()
    assert disk.groups == [[0], [1], [2]]


def test_an_owner_that_is_gone_stops_nothing(disk: Disk) -> None:
    """Its loop has ended: what it submitted is stored all the same."""

    def gone(_answer: Answer) -> None:
        raise RuntimeError("Event loop is closed")

    writer = Writer(disk.commit, gone)
    writer.start()
    for number in range(3):
        writer.submit(Batch(number, None, False, {}, UNCHANGED), lambda _: None)
    writer.close()
    assert [number for group in disk.groups for number in group] == [0, 1, 2]


def test_a_life_has_one_order() -> None:
    """A writer starts once, before it is used."""
    writer = Writer(Disk().commit, lambda answer: None)
    with pytest.raises(StorageError, match="new"):
        writer.submit(Batch(1, None, False, {}, UNCHANGED), lambda _: None)
    with pytest.raises(StorageError, match="cannot become closing"):
        writer.close()


def test_what_the_owner_writes_until_its_turn_ends_is_one_group(disk: Disk) -> None:
    """The thread, once it sleeps, is not woken before."""
    turn: list[Answer] = []
    owner = Owner(disk, turn.append)
    try:
        while not owner.writer._asleep:
            os.sched_yield()
        for number in (1, 2, 3):
            owner.submit(number)
        assert (disk.groups, len(turn)) == ([], 1)
        turn.pop()()
        assert owner.hear(3) == [(1, None), (2, None), (3, None)]
        assert disk.groups == [[1, 2, 3]]
    finally:
        owner.writer.close()


def test_closing_does_not_wait_for_the_end_of_the_turn(disk: Disk) -> None:
    """Of an owner that has no further turn."""
    owner = Owner(disk, lambda function: None)
    while not owner.writer._asleep:
        os.sched_yield()
    owner.submit(1)
    owner.writer.close()
    assert owner.hear(1) == [(1, None)]


def test_a_turn_that_ends_when_all_is_taken_already_ends_nothing_else(disk: Disk) -> None:
    """A pardon wakes the thread at once; what was to wake it for the batch before comes too late."""
    turn: list[Answer] = []
    owner = Owner(disk, turn.append)
    try:
        for number in (1, 2):
            while not owner.writer._asleep:
                os.sched_yield()
            owner.submit(number)
            owner.writer.forgive(number)
            assert owner.hear(1) == [(number, None)]
            while not owner.writer._asleep:
                os.sched_yield()
            turn.pop()()
        owner.submit(3)
        for ends in turn:
            ends()
        assert owner.hear(1) == [(3, None)]
    finally:
        owner.writer.close()
