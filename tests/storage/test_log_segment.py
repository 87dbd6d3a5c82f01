"""One file of the commit log."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path
from typing import Any

import pytest

from roomhost.storage.log_record import HEADER
from roomhost.storage.log_segment import Segment


def test_a_segment_has_its_size_from_the_start(tmp_path: Path) -> None:
    """An append changes no metadata of the file."""
    segment = Segment.create(tmp_path / "log-0", 5_000_000, sync=True)
    segment.restart()
    assert (tmp_path / "log-0").stat().st_size == segment.size == 5_000_000
    segment.append(3, b"payload")
    assert (tmp_path / "log-0").stat().st_size == 5_000_000
    assert (segment.first, segment.last, segment.end) == (3, 3, HEADER.size + 7)
    segment.close()


@pytest.mark.parametrize("sync", [True, False])
def test_a_write_returns_when_the_disk_has_it(tmp_path: Path, sync: bool) -> None:
    """Whether the file is new or not; only a log that promises nothing does without."""
    made = Segment.create(tmp_path / "log-0", 4_096, sync)
    opened = Segment(tmp_path / "log-0", sync)
    for segment in (made, opened):
        flags = fcntl.fcntl(segment._file, fcntl.F_GETFL)
        assert bool(flags & os.O_DSYNC) == sync
        segment.close()


def test_what_was_appended_is_found_when_it_is_opened(tmp_path: Path) -> None:
    """And what it held before it was begun again is not."""
    segment = Segment.create(tmp_path / "log-0", 4_096, sync=True)
    segment.restart()
    for sequence in range(1, 6):
        segment.append(sequence, b"first use %d" % sequence)
    segment.restart()
    segment.append(6, b"second use 6")
    segment.append(7, b"second use 7")
    segment.close()

    again = Segment(tmp_path / "log-0", sync=True)
    assert (again.first, again.last, again.size) == (6, 7, 4_096)
    assert list(again.records()) == [(6, b"second use 6"), (7, b"second use 7")]
    again.close()


def test_a_write_that_is_cut_short_is_continued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the system may do; the record is whole."""
    segment = Segment.create(tmp_path / "log-0", 4_096, sync=False)
    segment.restart()
    real = os.pwrite

    def short(file: int, parts: Any, offset: int) -> int:
        return real(file, b"".join(parts)[:30], offset)

    monkeypatch.setattr("roomhost.storage.log_segment.os.pwritev", short)
    monkeypatch.setattr(
        "roomhost.storage.log_segment.os.pwrite",
        lambda file, data, offset: real(file, data[:7], offset),
    )
    segment.append(1, b"payload" * 10)
    assert list(segment.records()) == [(1, b"payload" * 10)]
    segment.close()


def test_a_segment_without_space_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was written of it would only take more of what is lacking."""

    def full(file: int, data: bytes, offset: int) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("roomhost.storage.log_segment.os.pwrite", full)
    with pytest.raises(OSError, match="No space"):
        Segment.create(tmp_path / "log-0", 4_096, sync=True)
    assert list(tmp_path.iterdir()) == []
