"""The commit log: what was appended is replayed, until it is trimmed."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roomhost.storage import UNCHANGED, Batch, DataDirectoryError, StorageError
from roomhost.storage.commit_log import CommitLog
from roomhost.storage.log_record import encode_batches

SEGMENT_BYTES = 1_000


def open_log(directory: Path, applied: int = 0) -> CommitLog:
    """A log of segments of 1,000 and 2,000 bytes, three at most."""
    directory.mkdir(exist_ok=True)
    return CommitLog(
        directory,
        applied,
        sync=False,
        initial_segment_bytes=SEGMENT_BYTES,
        max_segment_bytes=2 * SEGMENT_BYTES,
        max_bytes=5 * SEGMENT_BYTES,
    )


def payload(number: int, size: int = 1) -> bytes:
    """A group of one batch."""
    return encode_batches([Batch(number, None, False, {b"key": b"x" * size}, UNCHANGED)])


def append(log: CommitLog, number: int, size: int = 1) -> bool:
    """Append a group; whether there was room."""
    data = payload(number, size)
    if not log.reserve(len(data)):
        assert not log.has_room(len(data))
        return False

    log.append(data)
    return True


def replayed(log: CommitLog) -> dict[int, int]:
    """Sequence to the number that is in its group."""
    return {sequence: batches[0].number for sequence, batches in log.replay()}


def test_a_log_that_was_never_written_makes_no_file(tmp_path: Path) -> None:
    """A directory of an older format is one, too."""
    log = open_log(tmp_path / "log", 7)
    assert (log.last, replayed(log)) == (7, {})
    assert list((tmp_path / "log").iterdir()) == []
    log.close()


def test_what_was_appended_is_replayed_until_it_is_trimmed(tmp_path: Path) -> None:
    """In order, by the same log and by the next; twice is the same."""
    log = open_log(tmp_path)
    assert all(append(log, number) for number in (11, 12, 13))
    assert replayed(log) == replayed(log) == {1: 11, 2: 12, 3: 13}
    log.trim(1)
    assert replayed(log) == {2: 12, 3: 13}
    log.close()
    for _ in range(2):
        again = open_log(tmp_path, 1)
        assert (again.last, replayed(again)) == (3, {2: 12, 3: 13})
        again.close()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 1_200), st.integers(0, 3)), max_size=40))
def test_segments_are_used_in_turn(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, int]]
) -> None:
    """Whatever is appended, trimmed, and opened again: what is not trimmed is there, in order, and
    the files stay within their limit."""
    directory = tmp_path_factory.mktemp("log")
    log = open_log(directory)
    there: dict[int, int] = {}
    for number, (size, action) in enumerate(steps, 1):
        if append(log, number, size):
            there[log.last] = number
        else:
            assert there, "an empty log has room"
            action = 1
        if action == 1:
            log.trim(log.last)
        elif action == 2:
            log.trim(max(log.applied, log.last - 2))
        elif action == 3:
            log.close()
            log = open_log(directory, log.applied)
        there = {sequence: found for sequence, found in there.items() if sequence > log.applied}
        assert replayed(log) == there
        assert log.last == max(there, default=log.applied)
    assert sum(path.stat().st_size for path in directory.iterdir()) <= 5 * SEGMENT_BYTES
    log.close()
    shutil.rmtree(directory)


def test_a_full_log_has_no_room_until_it_is_trimmed(tmp_path: Path) -> None:
    """Nothing that LMDB does not have is written over."""
    log = open_log(tmp_path)
    count = 0
    while append(log, count, 400):
        count += 1
    assert list(replayed(log)) == list(range(1, count + 1))
    log.trim(1)
    assert not append(log, 99, 400)  # the segment of the first has others
    log.trim(2)
    assert append(log, 99, 400)
    assert list(replayed(log)) == list(range(3, count + 2))
    log.close()


def test_a_group_larger_than_a_segment_has_no_room(tmp_path: Path) -> None:
    """In an empty log, too."""
    log = open_log(tmp_path)
    assert not append(log, 1, 2 * SEGMENT_BYTES)
    assert append(log, 1, SEGMENT_BYTES), "a larger segment is made than the first would be"
    log.close()


def test_a_torn_last_record_is_left_out_at_every_byte(tmp_path: Path) -> None:
    """What was acknowledged before it is there, and the log goes on."""
    log = open_log(tmp_path / "log")
    append(log, 1)
    append(log, 2)
    before = log._segments[0].end
    append(log, 3)
    end = log._segments[0].end
    log.close()
    data = (tmp_path / "log" / "log-0").read_bytes()
    for cut in range(before, end):
        (tmp_path / "log" / "log-0").write_bytes(data[:cut] + b"\xee" * (len(data) - cut))
        again = open_log(tmp_path / "log")
        assert replayed(again) == {1: 1, 2: 2}
        assert append(again, 4)
        assert replayed(again) == {1: 1, 2: 2, 3: 4}
        again.close()
        shutil.rmtree(tmp_path / "log")
        (tmp_path / "log").mkdir()


def test_a_group_that_is_missing_is_said(tmp_path: Path) -> None:
    """What was acknowledged is not passed over in silence."""
    log = open_log(tmp_path)
    for number in range(1, 5):
        append(log, number, 600)
    log.close()
    (tmp_path / "log-0").write_bytes(bytes(SEGMENT_BYTES))
    with pytest.raises(DataDirectoryError, match="groups from 1 to 2 are not all there") as refused:
        open_log(tmp_path)
    assert "\n" not in str(refused.value)
    log = open_log(tmp_path, 1)
    assert list(replayed(log)) == [2, 3, 4]
    log.close()


def test_a_group_that_went_past_the_log_leaves_no_gap(tmp_path: Path) -> None:
    """Its sequence is used, and what follows is found behind it."""
    log = open_log(tmp_path)
    append(log, 1)
    log.trim(1)
    log.skip()
    assert (log.last, log.applied) == (2, 2)
    append(log, 3)
    assert replayed(log) == {3: 3}
    log.close()
    again = open_log(tmp_path, 2)
    assert (again.last, replayed(again)) == (3, {3: 3})
    again.close()


def failing(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    """Let writes of records fail."""

    def fail(file: int, parts: Any, offset: int) -> int:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("roomhost.storage.log_segment.os.pwritev", fail)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_fails_that_group_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """The next one takes its place and its sequence."""
    log = open_log(tmp_path)
    append(log, 1)
    with monkeypatch.context() as patch:
        failing(patch, code)
        with pytest.raises(StorageError, match="free space"):
            append(log, 2)
    assert append(log, 3)
    assert replayed(log) == {1: 1, 2: 3}
    log.close()


def test_a_disk_that_fails_breaks_the_log_for_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody knows what is there: every group fails with the first cause, until a restart looks."""
    log = open_log(tmp_path)
    append(log, 1)
    with monkeypatch.context() as patch:
        failing(patch, errno.EIO)
        with pytest.raises(StorageError, match=r"unusable .*Input/output error.*restart the host"):
            append(log, 2)
    raised: list[StorageError] = []
    for number in (3, 4):
        with pytest.raises(StorageError, match="Input/output error") as caught:
            append(log, number)
        raised.append(caught.value)
    assert raised[0] is not raised[1]  # one that is raised for ever keeps what it came through
    assert log.broken == str(raised[0])
    assert replayed(log) == {1: 1}
    log.close()
    again = open_log(tmp_path)
    assert append(again, 4)
    assert replayed(again) == {1: 1, 2: 4}
    again.close()


def test_a_segment_that_cannot_be_made_is_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk is told by LMDB, to which the group goes then."""
    log = open_log(tmp_path)
    append(log, 1, 600)

    def full(file: int, data: bytes, offset: int) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("roomhost.storage.log_segment.os.pwrite", full)
        assert not append(log, 2, 600)
    assert append(log, 2, 600)
    assert replayed(log) == {1: 1, 2: 2}
    log.close()


def test_a_segment_that_was_taken_away_is_not_missed(tmp_path: Path) -> None:
    """When LMDB has what was in it; another file beside the segments is none."""
    log = open_log(tmp_path)
    for number in range(1, 4):
        append(log, number, 600)
    log.close()
    (tmp_path / "log-0").unlink()
    (tmp_path / "log-1.copy").write_bytes((tmp_path / "log-1").read_bytes())
    again = open_log(tmp_path, 3)
    for number in range(4, 6):
        append(again, number, 1_500)
    assert replayed(again) == {4: 4, 5: 5}
    again.close()
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"log-1", "log-2", "log-1.copy"}


def test_a_log_that_cannot_be_opened_is_one_line(tmp_path: Path) -> None:
    """It names the place and says what to do."""
    (tmp_path / "log-0").mkdir()
    with pytest.raises(DataDirectoryError, match="check that this user may write it") as refused:
        open_log(tmp_path)
    assert "\n" not in str(refused.value)
