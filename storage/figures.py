"""What a partition says of itself to whoever watches over it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .histogram import Histogram
    from .writer import WriterStatistics


@dataclass(frozen=True, slots=True)
class PartitionFigures:
    """Of one partition, now or since it was opened.

    `writer`: what was committed; `group_sizes`: batches of each commit; `sync_seconds`: of each write to
    the log, until the disk has it. `map_bytes`: what LMDB may use before it grows; `used_bytes`: what it
    has; `log_bytes`: of the log's files; `unapplied_bytes`: of those that LMDB needs yet, at most;
    `pending_writes`: that are in the log and not in LMDB. `alarms`: that are stored in LMDB.
    """

    writer: WriterStatistics
    group_sizes: Histogram
    sync_seconds: Histogram
    map_bytes: int
    used_bytes: int
    log_bytes: int
    unapplied_bytes: int
    pending_writes: int
    alarms: int
