"""A backup of a data directory, made while a host serves it.

It promises that a directory of the name that was asked for appears in one step, verified and on the
disk, or not at all: until then everything is in NAME.partial, which the next backup to NAME clears.
What it holds is what the map has at one moment; the host has the map brought up to its log before.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from typing import TYPE_CHECKING

from .backup_manifest import BACKUP_FORMAT, FileRecord, Manifest, write_manifest
from .copy_step import Step, tell_nobody
from .data_directory import FORMAT_VERSION, MANIFEST, PARTITION
from .errors import DataDirectoryError
from .files import copy_file, free_bytes, sync_directory
from .limits import SPARE_COPY_BYTES
from .map_copy import check_room, copy_map, verify_copy
from .map_reader import DATA_FILE, MapReader

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    from .copy_step import Report

PARTIAL = ".partial"  # what the name ends with until it is whole


def back_up(
    source: Path,
    target: Path,
    *,
    version: str,
    made_at: str,
    files: Sequence[str] = (),
    report: Report = tell_nobody,
) -> Manifest:
    """Copy what the map in the data directory `source` has now, and those of `files` that stand
    beside it, to `target`, which must not exist or be empty. Not in the process that writes the map.

    `version`: of roomhost; `made_at`: now, ISO 8601. DataDirectoryError: there is no backup; the
    message says why and what to do.
    """
    source, target = source.absolute(), target.absolute()
    partial = target.with_name(target.name + PARTIAL)
    _check_target(source, target)
    try:
        with (
            _alone(source / PARTITION, f"another backup of {source}"),
            _begin(partial, files),
        ):
            manifest = _fill(source, partial, version, made_at, files, report)
            report(Step.FINISHING, 0, 1)
            partial.rename(target)
    except OSError as error:
        raise DataDirectoryError(
            f"the backup cannot be written to {target} ({error.strerror or error}): make room, or name a "
            "directory on another disk; nothing is left of it"
        ) from error

    try:
        sync_directory(target.parent)
    except OSError as error:
        raise DataDirectoryError(
            f"{target} is whole, but the disk does not promise to keep its name "
            f"({error.strerror or error}): check the disk, make another backup"
        ) from error

    report(Step.FINISHING, 1, 1)
    return manifest


def _check_target(source: Path, target: Path) -> None:
    """Say what is wrong with the name before anything is made."""
    if not target.parent.is_dir():
        raise DataDirectoryError(f"{target.parent} does not exist: make it, or name another place")

    if os.path.ismount(target):
        raise DataDirectoryError(f"{target} is a mount point: name a directory in it")

    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        if next(target.iterdir(), None) is None and not target.is_symlink():
            return
    if target.exists() or target.is_symlink():
        raise DataDirectoryError(f"{target} is there already: name a new directory")

    parent = target.parent.resolve()
    if source.resolve() in (parent, *parent.parents):
        raise DataDirectoryError(f"{target} is inside the data directory: name another place")


@contextlib.contextmanager
def _alone(directory: Path, other: str) -> Generator[None]:
    """Hold a directory against others that do the same; the system gives it up if we are killed."""
    try:
        held = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise DataDirectoryError(
            f"{directory} cannot be read ({error.strerror}): name a data directory of roomhost"
        ) from error

    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DataDirectoryError(f"{other} is under way: wait for it") from None

        yield
    finally:
        os.close(held)


@contextlib.contextmanager
def _begin(partial: Path, files: Sequence[str]) -> Generator[None]:
    """An empty directory, and nobody else's: what an earlier backup left there is cleared, and what
    this one has made if it fails."""
    partial.mkdir(mode=0o700, exist_ok=True)
    with _alone(partial, f"another backup to {partial.with_suffix('')}"):
        if not _is_ours(partial, files):
            raise DataDirectoryError(
                f"{partial} is there and is no unfinished backup: move it away, or name another "
                "directory"
            )

        try:
            for entry in partial.iterdir():
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
            (partial / PARTITION).mkdir(mode=0o700)
            yield
        except (OSError, DataDirectoryError, KeyboardInterrupt):
            shutil.rmtree(partial, ignore_errors=True)
            raise


def _is_ours(partial: Path, files: Sequence[str]) -> bool:
    """Whether there is nothing in it but what a backup writes."""
    if not partial.is_dir():
        return False

    inside = partial / PARTITION
    names = {entry.name for entry in partial.iterdir()}
    copied = {entry.name for entry in inside.iterdir()} if inside.is_dir() else set[str]()
    return names <= {PARTITION, MANIFEST, *files} and copied <= {DATA_FILE}


def _fill(
    source: Path,
    partial: Path,
    version: str,
    made_at: str,
    files: Sequence[str],
    report: Report,
) -> Manifest:
    directory = partial / PARTITION
    with MapReader(source / PARTITION, shared=True) as reader:
        check_room(partial, reader.figures().live)
        copied = copy_map(reader, directory / DATA_FILE, _giving_way(source, report))
    records = {f"{PARTITION}/{DATA_FILE}": copied}
    for name in files:
        with contextlib.suppress(FileNotFoundError):
            digest = copy_file(source / name, partial / name, lambda _: None)
            records[name] = FileRecord((partial / name).stat().st_size, digest)
    contents = verify_copy(directory, copied.sha256, report)
    manifest = Manifest(
        format=BACKUP_FORMAT,
        data_format=FORMAT_VERSION,
        roomhost=version,
        made_at=made_at,
        objects=contents.objects,
        entries=contents.entries,
        alarms=contents.alarms,
        files=records,
    )
    sync_directory(directory)
    write_manifest(partial, manifest)
    sync_directory(partial)
    return manifest


def _giving_way(source: Path, report: Report) -> Report:
    """A report that ends the copy where the disk of what is copied fills up: pages that are read are
    not used again meanwhile, so the map of a host that writes grows."""

    def look(step: Step, done: int, total: int) -> None:
        if free_bytes(source) < SPARE_COPY_BYTES:
            raise DataDirectoryError(
                f"the disk of {source} is nearly full, and its host needs what is left: make room; "
                "nothing is left of the backup"
            )

        report(step, done, total)

    return look
