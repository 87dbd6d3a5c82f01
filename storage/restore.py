"""A data directory from a backup.

It promises that a host never opens half of one: the directory is held all the time, what is restored
is whole in `restore.partial` in it before anything else is touched, and its FORMAT comes last, without
which no host opens it. What was there before is moved into `replaced-WHEN` beside it, never deleted.
All of that happens inside the directory, which may be the root of a disk of its own.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .backup_manifest import Manifest, read_manifest
from .copy_step import Step, tell_nobody
from .data_directory import (
    FORMAT_DRAFT,
    FORMAT_FILE,
    LOCK_FILE,
    RESTORE_DRAFT,
    DataDirectory,
    format_text,
)
from .errors import DataDirectoryError
from .files import checksum, copy_file, forget, sync_directory, write_file
from .map_copy import check_room

if TYPE_CHECKING:
    from pathlib import Path

    from .copy_step import Report

REPLACED = "replaced-"  # what the directory of what was there before begins with
LEFT = {LOCK_FILE, RESTORE_DRAFT, FORMAT_DRAFT}  # that a restore does not move


@dataclass(frozen=True, slots=True)
class Restored:
    """`replaced`: where what was in the directory before is now, if anything was."""

    manifest: Manifest
    replaced: Path | None


def check_backup(backup: Path, report: Report = tell_nobody) -> Manifest:
    """The manifest of a backup whose files are all as they were written.

    DataDirectoryError: there is no backup, it is newer than what this
    version reads, or it is damaged.
    """
    manifest = read_manifest(backup)
    done = 0

    def read(size: int) -> None:
        nonlocal done
        done += size
        report(Step.CHECKING, done, manifest.bytes)

    for name, record in manifest.files.items():
        try:
            size = (backup / name).stat().st_size
            digest = checksum(backup / name, read) if size == record.bytes else ""
        except OSError as error:
            raise DataDirectoryError(
                f"the backup {backup} is damaged ({name}: {error.strerror}): use another one"
            ) from error

        if digest != record.sha256:
            raise DataDirectoryError(
                f"the backup {backup} is damaged ({name} is not as it was written): use another one"
            )

    return manifest


def restore(
    backup: Path,
    data_dir: Path,
    *,
    when: str,
    force: bool = False,
    report: Report = tell_nobody,
) -> Restored:
    """Make `data_dir` what `backup` holds. `when`: now, for the name of what is replaced.

    DataDirectoryError: the backup cannot be used (`check_backup`); a host holds the directory; it has
    data and `force` is not given; it is of something else; it cannot be written. In all of these it is
    as before, or, when the disk failed on the way, to be restored again before a host opens it.
    """
    backup, data_dir = backup.absolute(), data_dir.absolute()
    manifest = check_backup(backup, report)
    if data_dir.is_dir() and not (data_dir / LOCK_FILE).exists():
        _to_replace(data_dir, force)  # so that no lock is left in a directory of something else
    held = DataDirectory.take(data_dir)
    try:
        old = _to_replace(data_dir, force)
        draft = data_dir / RESTORE_DRAFT
        shutil.rmtree(draft, ignore_errors=True)
        check_room(data_dir, manifest.bytes)
        _fill(backup, draft, manifest, report)
        report(Step.FINISHING, 0, 1)
        replaced = _set_aside(data_dir, old, when) if old else None
        _move_in(draft, data_dir, manifest)
        report(Step.FINISHING, 1, 1)
    except OSError as error:
        raise DataDirectoryError(
            f"{backup} cannot be restored to {data_dir} ({error.strerror or error}): make room, see that "
            "this user may write there, then run it again"
        ) from error
    finally:
        held.close()

    return Restored(manifest, replaced)


def _to_replace(data_dir: Path, force: bool) -> list[Path]:
    """What is in the directory and has to go, FORMAT first: without it no host opens the rest."""
    entries = [
        entry
        for entry in data_dir.iterdir()
        if entry.name not in LEFT and not entry.name.startswith(REPLACED)
    ]
    entries.sort(key=lambda entry: (entry.name != FORMAT_FILE, entry.name))
    if not entries or ((data_dir / RESTORE_DRAFT).exists() and entries[0].name != FORMAT_FILE):
        return entries  # what an unfinished restore had not moved yet, or moved in already

    if entries[0].name != FORMAT_FILE:
        raise DataDirectoryError(
            f"{data_dir} is no roomhost data directory: it holds {entries[0].name!r}; name an empty "
            "directory"
        )

    if not force:
        raise DataDirectoryError(
            f"the data directory {data_dir} is not empty: name another one, or give --force, which "
            f"moves what is there into {REPLACED}... in it"
        )

    return entries


def _fill(backup: Path, draft: Path, manifest: Manifest, report: Report) -> None:
    """Copy the files of a backup, and look at the copies: they may not be what was checked before."""
    done = 0

    def copied(size: int) -> None:
        nonlocal done
        done += size
        report(Step.COPYING, done, manifest.bytes)

    draft.mkdir(mode=0o700)
    sync_directory(draft.parent)
    for name, record in manifest.files.items():
        target = draft / name
        target.parent.mkdir(mode=0o700, exist_ok=True)
        copy_file(backup / name, target, copied)
        report(Step.VERIFYING, 0, 1)
        forget(target)
        if checksum(target, lambda _: None) != record.sha256:
            raise DataDirectoryError(
                f"{target} is not what the backup held: the disk fails, or the backup was changed; "
                "nothing was replaced"
            )

        sync_directory(target.parent)
    write_file(draft / FORMAT_FILE, format_text(manifest.data_format).encode())
    sync_directory(draft)


def _set_aside(data_dir: Path, old: list[Path], when: str) -> Path:
    replaced = data_dir / f"{REPLACED}{when}"
    number = 1
    while replaced.exists():
        number += 1
        replaced = data_dir / f"{REPLACED}{when}-{number}"
    replaced.mkdir(mode=0o700)
    for entry in old:
        entry.rename(replaced / entry.name)
        sync_directory(data_dir)
    sync_directory(replaced)
    return replaced


def _move_in(draft: Path, data_dir: Path, manifest: Manifest) -> None:
    names = sorted({name.partition("/")[0] for name in manifest.files})
    for name in (*names, FORMAT_FILE):
        sync_directory(data_dir)
        (draft / name).rename(data_dir / name)
    sync_directory(data_dir)
    draft.rmdir()
