"""Compaction: one whole map at any moment."""

from __future__ import annotations

from pathlib import Path

import pytest

from roomhost.storage import Batch, DataDirectory, DataDirectoryError, Partition, map_copy
from roomhost.storage.compaction import DRAFT, compact
from roomhost.storage.data_directory import PARTITION

from .states import make_state, open_partition, put, read_state
from .steps import KilledError, ending, killed


def test_what_was_deleted_gives_its_space_back(tmp_path: Path) -> None:
    """What is stored, and what is only in the log, is there after it; what comes later too."""
    state = make_state(tmp_path / "state", range(1, 40))
    directory = DataDirectory.open(state)
    partition = open_partition(directory)
    for number in range(4, 40):
        put(partition, Batch(number, None, True, {}, None))
    partition.apply_now()
    directory.close()
    partition.close()
    logged = write_to_the_log_alone(state)
    size = (state / PARTITION / "data.mdb").stat().st_size

    done = compact(state)
    assert done.before >= size
    assert done.after == (state / PARTITION / "data.mdb").stat().st_size < size / 3
    assert {path.name for path in (state / PARTITION).iterdir()} >= {"data.mdb", "log-0"}
    assert not (state / PARTITION / DRAFT).exists()

    found = read_state(state)
    assert found[1][0][b"logged"] == logged
    assert found[2] == ({b"mark": b"one", b"p" * 600: b"long", b"v": bytes(5_000)}, 1_002)
    directory = DataDirectory.open(state)
    partition = open_partition(directory)
    put(partition, Batch(2, None, False, {b"later": b"1"}, None))
    partition.close()
    directory.close()
    assert read_state(state)[2][0][b"later"] == b"1"


def write_to_the_log_alone(state: Path) -> bytes:
    """As a host leaves it that is killed before LMDB has what was acknowledged last."""
    directory = DataDirectory.open(state)
    partition = open_partition(directory, apply_delay_seconds=None)
    put(partition, Batch(1, None, False, {b"logged": b"yes"}, None))
    partition.abandon()
    directory.close()
    return b"yes"


def test_a_compaction_that_is_killed_at_any_step_leaves_one_whole_map(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the next one clears what it left."""
    state = make_state(tmp_path / "state", [1])
    expected = read_state(state, [1])
    # What it opens first, and closes, has its own tests.
    monkeypatch.setattr(Partition, "open", lambda *_, **__: Closed())
    steps: list[str] = []
    for step in killed():
        with ending(step):
            try:
                compact(state)
            except KilledError:
                steps.append(step.name)
    monkeypatch.undo()
    assert read_state(state, [1]) == expected
    compact(state)
    assert not (state / PARTITION / DRAFT).exists()
    assert {"mkdir", "open", "fsync", "rename", "unlink"} <= set(steps)


class Closed:
    """A partition that is closed at once."""

    def close(self) -> None:
        """Nothing to do."""


def test_a_directory_that_is_held_or_not_there_is_refused(tmp_path: Path) -> None:
    """With who holds it; none is made."""
    with pytest.raises(DataDirectoryError, match="does not exist"):
        compact(tmp_path / "state")
    assert not (tmp_path / "state").exists()
    held = DataDirectory.open(make_state(tmp_path / "state", [1]))
    with pytest.raises(DataDirectoryError, match="is held by process"):
        compact(tmp_path / "state")
    held.close()


def test_without_room_for_both_maps_the_old_one_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says how much is needed."""
    state = make_state(tmp_path / "state", [1])
    monkeypatch.setattr(map_copy, "free_bytes", lambda _: 7)
    with pytest.raises(DataDirectoryError, match="has 7 bytes free"):
        compact(state)
    assert not (state / PARTITION / DRAFT).exists()
    assert read_state(state, [1])[1][0][b"mark"] == b"one"
