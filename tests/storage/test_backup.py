"""Backups: whole or not there."""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roomhost.storage import Batch, DataDirectory, DataDirectoryError, ObjectRecord, map_copy
from roomhost.storage import backup as backups
from roomhost.storage.backup import back_up
from roomhost.storage.backup_manifest import read_manifest
from roomhost.storage.copy_step import Step
from roomhost.storage.data_directory import MANIFEST, PARTITION
from roomhost.storage.map_reader import DATA_FILE
from roomhost.storage.restore import check_backup, restore

from .batches import NUMBERS, Model, batches
from .states import SECRETS, back_up_options, damage, make_state, open_partition, put, read_state
from .steps import KilledError, ending, failed, killed

OPTIONS = back_up_options()


def test_a_backup_is_the_map_and_the_secrets_and_what_it_says_of_them(tmp_path: Path) -> None:
    """Neither the log nor a lock is in it; everything is for this user alone; it restores."""
    source = make_state(tmp_path / "state")
    (tmp_path / "backup").mkdir()  # an empty one may be there
    told: list[tuple[Step, int, int]] = []
    manifest = back_up(
        source, tmp_path / "backup", report=lambda *step: told.append(step), **OPTIONS
    )

    assert (manifest.objects, manifest.entries, manifest.alarms) == (3, 9, 1)
    assert {path.name for path in (tmp_path / "backup").rglob("*")} == {
        MANIFEST,
        SECRETS,
        PARTITION,
        DATA_FILE,
    }
    assert read_manifest(tmp_path / "backup") == manifest
    for path in [tmp_path / "backup", *(tmp_path / "backup").rglob("*")]:
        assert not path.stat().st_mode & 0o077
    assert list(dict.fromkeys(step for step, _, _ in told)) == [
        Step.COPYING,
        Step.VERIFYING,
        Step.FINISHING,
    ]
    size = manifest.files[f"{PARTITION}/{DATA_FILE}"].bytes
    assert (Step.COPYING, size, size) in told
    restore(tmp_path / "backup", tmp_path / "new", when="now")
    assert read_state(tmp_path / "new") == read_state(source)
    assert (tmp_path / "new" / SECRETS).read_bytes() == (source / SECRETS).read_bytes()


def test_a_backup_that_is_killed_at_any_step_is_not_there_and_the_next_one_is(
    tmp_path: Path,
) -> None:
    """Whatever stands under its name is whole."""
    source = make_state(tmp_path / "state", [1])
    target = tmp_path / "backup"
    steps: list[str] = []
    for step in killed():
        with ending(step):
            try:
                back_up(source, target, **OPTIONS)
            except KilledError:
                steps.append(step.name)
        if not target.exists():
            back_up(source, target, **OPTIONS)
        check_backup(target)
        assert not list(tmp_path.glob("*.partial"))
        shutil.rmtree(target)
    assert {"open", "mkdir", "fsync", "rename"} <= set(steps)
    assert len(steps) > 15


def test_a_backup_that_fails_at_any_step_leaves_nothing(tmp_path: Path) -> None:
    """A full disk is one line that says what to do."""
    source = make_state(tmp_path / "state", [1])
    target = tmp_path / "backup"
    for step in failed(errno.ENOSPC):
        with ending(step):
            try:
                back_up(source, target, **OPTIONS)
            except DataDirectoryError as error:
                assert step.reached
                assert os.strerror(errno.ENOSPC) in str(error)
                assert ("is whole" in str(error)) is target.exists()
        assert not list(tmp_path.glob("*.partial/*"))
        assert step.reached or target.exists()
        if target.exists():
            check_backup(target)
            shutil.rmtree(target)


def test_a_disk_that_is_full_in_the_middle_of_the_map_leaves_nothing(tmp_path: Path) -> None:
    """The system refuses the rest of a write, as at the end of a disk."""
    source = make_state(tmp_path / "state")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.raises(DataDirectoryError, match=r"File too large.* nothing is left"):
            back_up(source, tmp_path / "backup", **OPTIONS)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(tmp_path.glob("backup*"))


@pytest.mark.parametrize("name", ["used", "file", "link", "parent/none", "state/inside"])
def test_a_name_that_cannot_be_used_is_refused_before_anything_is_made(
    tmp_path: Path, name: str
) -> None:
    """One that is taken, one without a parent, one inside of what is copied."""
    source = make_state(tmp_path / "state", [1])
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "file").touch()
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(DataDirectoryError, match=r"name a|make it"):
        back_up(source, tmp_path / name, **OPTIONS)
    assert sorted(tmp_path.rglob("*")) == before


def test_what_stands_under_the_name_of_a_partial_is_not_deleted_when_it_is_no_backup(
    tmp_path: Path,
) -> None:
    """Only what a backup writes is cleared by the next."""
    source = make_state(tmp_path / "state", [1])
    (tmp_path / "backup.partial").mkdir()
    (tmp_path / "backup.partial" / "thesis").touch()
    with pytest.raises(DataDirectoryError, match="no unfinished backup"):
        back_up(source, tmp_path / "backup", **OPTIONS)
    assert (tmp_path / "backup.partial" / "thesis").exists()


def test_one_backup_of_a_directory_at_a_time(tmp_path: Path) -> None:
    """Each keeps the pages that it reads from being used again."""
    source = make_state(tmp_path / "state", [1])
    held = os.open(source / PARTITION, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    with pytest.raises(DataDirectoryError, match=r"another backup of .* is under way"):
        back_up(source, tmp_path / "backup", **OPTIONS)
    os.close(held)
    back_up(source, tmp_path / "backup", **OPTIONS)


def test_what_another_backup_is_writing_is_left_alone(tmp_path: Path) -> None:
    """One of another directory, to the same name."""
    source = make_state(tmp_path / "state", [1])
    (tmp_path / "backup.partial" / PARTITION).mkdir(parents=True)
    held = os.open(tmp_path / "backup.partial", os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    with pytest.raises(DataDirectoryError, match=r"another backup to .*/backup is under way"):
        back_up(source, tmp_path / "backup", **OPTIONS)
    assert (tmp_path / "backup.partial" / PARTITION).exists()
    os.close(held)


def test_a_disk_without_room_is_refused_before_it_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With how much there is, and how much is needed."""
    source = make_state(tmp_path / "state", [1])
    monkeypatch.setattr(map_copy, "free_bytes", lambda _: 1_234)
    with pytest.raises(DataDirectoryError, match=r"has 1,234 bytes free, .* are needed"):
        back_up(source, tmp_path / "backup", **OPTIONS)
    assert not list(tmp_path.glob("backup*"))


def test_a_backup_gives_way_to_its_host_when_the_disk_fills_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it reads, the map grows with every write."""
    source = make_state(tmp_path / "state", [1])
    monkeypatch.setattr(backups, "free_bytes", lambda _: 9_999)
    with pytest.raises(DataDirectoryError, match="its host needs what is left"):
        back_up(source, tmp_path / "backup", **OPTIONS)
    assert not list(tmp_path.glob("backup*"))


def test_a_disk_that_gives_back_something_else_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copy is read again before it gets its name."""
    source = make_state(tmp_path / "state", [1])

    def corrupt(file: Path) -> None:
        with file.open("r+b") as opened:
            opened.seek(-100, os.SEEK_END)
            opened.write(b"flip")

    monkeypatch.setattr(map_copy, "forget", corrupt)
    with pytest.raises(DataDirectoryError, match="does not give back what was written"):
        back_up(source, tmp_path / "backup", **OPTIONS)
    assert not list(tmp_path.glob("backup*"))


def test_a_damaged_map_is_not_backed_up(tmp_path: Path) -> None:
    """Better no backup than one that restores the damage."""
    source = make_state(tmp_path / "state")
    damage(source, lambda put_row, _: put_row("alarms", bytes(16), b""))
    with pytest.raises(DataDirectoryError, match=r"damaged .* run `roomhost doctor`"):
        back_up(source, tmp_path / "backup", **OPTIONS)
    assert not list(tmp_path.glob("backup*"))


def as_users_write(batch: Batch) -> Batch:
    """With keys that are text, as a host makes them."""
    writes = {key.decode("latin-1").encode(): value for key, value in batch.writes.items()}
    return Batch(batch.number, batch.record, batch.clear, writes, batch.alarm)


written = batches().map(as_users_write)


@settings(max_examples=8)
@given(before=st.lists(written, max_size=8), after=st.lists(written, min_size=1, max_size=4))
def test_a_backup_restores_to_what_was_applied_before_it(
    tmp_path_factory: pytest.TempPathFactory, before: list[Batch], after: list[Batch]
) -> None:
    """Whatever is written after it is not in it."""
    path = tmp_path_factory.mktemp("given")
    source = make_state(path / "state", [])
    first = [
        Batch(number, ObjectRecord(1 + number % 2, b"%032d" % number, None), False, {}, None)
        for number in NUMBERS
    ]
    model = Model()
    model.apply(before)
    write(source, [*first, *before])
    back_up(source, path / "backup", **OPTIONS)
    write(source, after)
    restore(path / "backup", source, when="now", force=True)
    found = read_state(source, NUMBERS)
    assert {number: entries for number, (entries, _) in found.items()} == model.entries
    assert {number: due for number, (_, due) in found.items() if due is not None} == model.alarms


def write(path: Path, written: list[Batch]) -> None:
    """Store batches in a directory that no host serves."""
    directory = DataDirectory.open(path)
    partition = open_partition(directory)
    partition.namespace("OTHER", "key")
    for batch in written:
        put(partition, batch)
    partition.close()
    directory.close()
