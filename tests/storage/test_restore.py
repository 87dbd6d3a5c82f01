"""Restoring: the old directory, or the new one, and never half of each."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from roomhost.storage import DataDirectory, DataDirectoryError
from roomhost.storage import restore as restoring
from roomhost.storage.backup import back_up
from roomhost.storage.data_directory import PARTITION, RESTORE_DRAFT
from roomhost.storage.map_reader import DATA_FILE
from roomhost.storage.restore import restore

from .states import SECRETS, back_up_options, make_state, read_state
from .steps import KilledError, ending, killed


@pytest.fixture(scope="module")
def backup(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of a directory whose objects are marked `one`."""
    path = tmp_path_factory.mktemp("made")
    back_up(make_state(path / "state"), path / "backup", **back_up_options())
    return path / "backup"


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another directory, to be copied before use: its objects are marked `two`."""
    return make_state(tmp_path_factory.mktemp("other") / "state", mark=b"two")


def mark_of(path: Path) -> bytes:
    """Which of the two a directory has, when a host opens it."""
    entries, _ = read_state(path)[1]
    return entries[b"mark"]


def test_a_restore_that_is_killed_at_any_step_leaves_the_old_or_the_new(
    backup: Path, other: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a directory that no host opens, and that the same command makes whole. What was there before
    is there, in one place or the other."""
    monkeypatch.setattr(os, "fsync", lambda _: None)
    found: set[str] = set()
    for number, step in enumerate(killed()):
        state = tmp_path / f"state-{number}"
        shutil.copytree(other, state)
        with ending(step):
            try:
                restore(backup, state, when="then", force=True)
            except KilledError:
                pass
        try:
            mark = mark_of(state)
            found.add(mark.decode())
        except DataDirectoryError as error:
            assert "run `roomhost restore` again" in str(error)
            found.add("refused")
            mark = b""
        if mark != b"one":
            restore(backup, state, when="then", force=mark == b"two")
        assert mark_of(state) == b"one"
        assert not (state / RESTORE_DRAFT).exists() or not any((state / RESTORE_DRAFT).iterdir())
        kept = {path.read_bytes() for path in state.glob(f"replaced-*/{PARTITION}/{DATA_FILE}")}
        assert (other / PARTITION / DATA_FILE).read_bytes() in kept
        shutil.rmtree(state)
    assert found == {"one", "two", "refused"}


def test_a_directory_that_is_not_empty_is_replaced_by_force_alone(
    backup: Path, other: Path, tmp_path: Path
) -> None:
    """What was in it is kept in it; a second time too."""
    state = tmp_path / "state"
    shutil.copytree(other, state)
    with pytest.raises(DataDirectoryError, match=r"is not empty: .* --force"):
        restore(backup, state, when="then")
    assert mark_of(state) == b"two"

    first = restore(backup, state, when="then", force=True)
    second = restore(backup, state, when="then", force=True)
    assert first.replaced == state / "replaced-then"
    assert second.replaced == state / "replaced-then-2"
    assert mark_of(state) == b"one"
    assert mark_of(state / "replaced-then") == b"two"
    assert (state / SECRETS).stat().st_mode & 0o777 == 0o600


def test_a_directory_that_a_host_holds_is_left_alone(
    backup: Path, other: Path, tmp_path: Path
) -> None:
    """By force too; who holds it is named."""
    shutil.copytree(other, tmp_path / "state")
    held = DataDirectory.open(tmp_path / "state")
    with pytest.raises(DataDirectoryError, match="is held by process"):
        restore(backup, tmp_path / "state", when="then", force=True)
    held.close()
    assert mark_of(tmp_path / "state") == b"two"


def test_a_directory_of_something_else_is_left_alone(backup: Path, tmp_path: Path) -> None:
    """By force too; not even a lock is left there."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis").touch()
    with pytest.raises(DataDirectoryError, match="is no roomhost data directory"):
        restore(backup, tmp_path / "home", when="then", force=True)
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["thesis"]


def flip(backup: Path) -> None:
    """One bit of the map."""
    data = bytearray((backup / PARTITION / DATA_FILE).read_bytes())
    data[20_000] ^= 1
    (backup / PARTITION / DATA_FILE).write_bytes(data)


def cut(backup: Path) -> None:
    """The end of the map is missing."""
    file = backup / PARTITION / DATA_FILE
    file.write_bytes(file.read_bytes()[:-1])


def edit(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    """A manifest that says something else."""

    def edited(backup: Path) -> None:
        manifest = json.loads((backup / "backup.json").read_text())
        change(manifest)
        (backup / "backup.json").write_text(json.dumps(manifest))

    return edited


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        pytest.param(flip, "data.mdb is not as it was written", id="a bit"),
        pytest.param(cut, "data.mdb is not as it was written", id="cut"),
        pytest.param(lambda b: (b / SECRETS).unlink(), "No such file", id="a file is missing"),
        pytest.param(lambda b: (b / "backup.json").unlink(), "is no backup", id="no manifest"),
        pytest.param(
            lambda b: (b / "backup.json").write_bytes(b"{"), "is damaged", id="half a manifest"
        ),
        pytest.param(edit(lambda m: m.pop("files")), "is damaged", id="a field is missing"),
        pytest.param(edit(lambda m: m["files"].clear()), "not one that roomhost", id="no files"),
        pytest.param(
            edit(lambda m: m["files"].update({"../x": m["files"][SECRETS]})),
            "names a file outside",
            id="a file outside",
        ),
        pytest.param(
            edit(lambda m: m.update(format=2)), "use the version that made it", id="a newer format"
        ),
        pytest.param(
            edit(lambda m: m.update(data_format=9, files=3)),
            "use the version that made it",
            id="newer data",
        ),
    ],
)
def test_a_backup_that_cannot_be_used_is_refused_before_anything_is_touched(
    backup: Path, tmp_path: Path, damage: Callable[[Path], object], says: str
) -> None:
    """Not even an empty directory is made."""
    shutil.copytree(backup, tmp_path / "backup")
    damage(tmp_path / "backup")
    with pytest.raises(DataDirectoryError, match=says):
        restore(tmp_path / "backup", tmp_path / "state", when="then")
    assert not (tmp_path / "state").exists()


def test_a_copy_that_is_not_what_the_backup_held_replaces_nothing(
    backup: Path, other: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is asked for what was written before the old directory has to go."""
    state = tmp_path / "state"
    shutil.copytree(other, state)
    monkeypatch.setattr(restoring, "forget", lambda file: file.write_bytes(b"something else"))
    with pytest.raises(DataDirectoryError, match="is not what the backup held"):
        restore(backup, state, when="then", force=True)
    assert mark_of(state) == b"two"


def test_a_disk_without_room_is_refused(
    backup: Path, other: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is copied."""
    state = tmp_path / "state"
    shutil.copytree(other, state)
    monkeypatch.setattr("roomhost.storage.map_copy.free_bytes", lambda _: 5)
    with pytest.raises(DataDirectoryError, match="has 5 bytes free"):
        restore(backup, state, when="then", force=True)
    assert mark_of(state) == b"two"
    assert not (state / RESTORE_DRAFT).exists()
