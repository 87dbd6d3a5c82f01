"""A copy of a map: is there room for it, how it is made, and whether it is what it should be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .backup_manifest import FileRecord
from .copy_step import Step
from .errors import DataDirectoryError
from .files import checksum, forget, free_bytes
from .limits import SPARE_COPY_BYTES
from .map_check import MapContents, check_contents, verify_pages
from .map_reader import DATA_FILE, MapReader

if TYPE_CHECKING:
    from pathlib import Path

    from .copy_step import Report


def check_room(directory: Path, size: int) -> None:
    """DataDirectoryError: the disk of `directory` has no room for `size` bytes more."""
    free = free_bytes(directory)
    if free < size + SPARE_COPY_BYTES:
        raise DataDirectoryError(
            f"the disk of {directory.parent} has {free:,} bytes free, {size + SPARE_COPY_BYTES:,} are "
            "needed: make room, or name a directory on another disk"
        )


def copy_map(reader: MapReader, target: Path, report: Report) -> FileRecord:
    """Copy a map without its free pages to a new file. Errors as `MapReader.copy`."""
    live, done = reader.figures().live, 0

    def copied(size: int) -> None:
        nonlocal done
        done += size
        report(Step.COPYING, done, max(live, done))

    digest = reader.copy(target, copied)
    return FileRecord(done, digest)


def verify_copy(directory: Path, sha256: str, report: Report) -> MapContents:
    """Read a copy of a map back from the disk, and look at its pages and all that is in it.

    DataDirectoryError: it is not what was written, or what was copied is damaged.
    """
    file = directory / DATA_FILE
    report(Step.VERIFYING, 0, 1)
    forget(file)
    if checksum(file, lambda _: None) != sha256:
        raise DataDirectoryError(
            f"the disk of {directory} does not give back what was written: use another disk"
        )

    problems = verify_pages(directory)
    contents = MapContents()
    if not problems:
        with MapReader(directory, shared=False) as reader:
            contents = check_contents(reader)
            problems = contents.problems
    if problems:
        raise DataDirectoryError(
            f"what is stored is damaged ({problems[0]}): run `roomhost doctor`, restore an earlier "
            "backup; no copy was made"
        )

    report(Step.VERIFYING, 1, 1)
    return contents
