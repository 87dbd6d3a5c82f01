"""The map of a data directory that no host serves, written anew without its free pages.

Whatever stops it, there is one whole map: the new one is verified and on the disk before it takes the
old one's place, in one step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .copy_step import Step, tell_nobody
from .data_directory import DataDirectory
from .errors import DataDirectoryError
from .files import sync_directory
from .map_copy import check_room, copy_map, verify_copy
from .map_reader import DATA_FILE, MapReader
from .partition import Partition

if TYPE_CHECKING:
    from pathlib import Path

    from .copy_step import Report

DRAFT = "compact.partial"  # a directory beside the map


@dataclass(frozen=True, slots=True)
class Compacted:
    """Bytes of the map's file."""

    before: int
    after: int


def compact(data_dir: Path, report: Report = tell_nobody) -> Compacted:
    """Compact the map in `data_dir`, once it is brought up to its log.

    DataDirectoryError: a host holds the directory; it is not there, or of
    something else; it is damaged; the disk has no room for both maps. It is as before then.
    """
    if not data_dir.is_dir():
        raise DataDirectoryError(f"{data_dir} does not exist: name a data directory")

    directory = DataDirectory.open(data_dir)
    try:
        Partition.open(directory.partition, deliver=lambda answer: answer()).close()
        return _replace(directory.partition, report)
    finally:
        directory.close()


def _replace(partition: Path, report: Report) -> Compacted:
    draft, current = partition / DRAFT, partition / DATA_FILE
    before = current.stat().st_size
    try:
        clear_draft(partition)
        draft.mkdir(mode=0o700)
        with MapReader(partition, shared=True) as reader:
            check_room(draft, reader.figures().live)
            copied = copy_map(reader, draft / DATA_FILE, report)
        verify_copy(draft, copied.sha256, report)
        report(Step.FINISHING, 0, 1)
        (draft / DATA_FILE).rename(current)
        sync_directory(partition)
    except (OSError, DataDirectoryError, KeyboardInterrupt) as error:
        clear_draft(partition)
        if isinstance(error, OSError):
            raise DataDirectoryError(
                f"the map in {partition} cannot be written anew ({error.strerror or error}): make room, "
                "then run it again; the old one is in place"
            ) from error
        raise

    clear_draft(partition)
    report(Step.FINISHING, 1, 1)
    return Compacted(before, current.stat().st_size)


def clear_draft(partition: Path) -> None:
    """Remove what a compaction that was cut short left. OSError: the system refuses."""
    draft = partition / DRAFT
    (draft / DATA_FILE).unlink(missing_ok=True)
    if draft.is_dir():
        draft.rmdir()
