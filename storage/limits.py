"""Every bound of storage, with its unit in its name."""

from __future__ import annotations

from dataclasses import dataclass

# Users' entries (semantics.md, decisions)
MAX_KEY_BYTES = 2_048
MAX_ENTRY_BYTES = 2 * 1024 * 1024  # key plus encoded value
MAX_KEY_LIMIT_BYTES = (
    65_535  # what `max_key_bytes` can be set to: a long key's size is stored in 16 bits
)
MAX_ENTRY_LIMIT_BYTES = 1024 * 1024 * 1024  # likewise `max_entry_bytes`
MAX_VALUE_DEPTH = 128  # containers inside containers

# LMDB keys end at 511 bytes: number (8), prefix (480), digest (16)
PREFIX_BYTES = 480
DIGEST_BYTES = 16

# The map of one partition
INITIAL_MAP_BYTES = 256 * 1024 * 1024
MAX_MAP_BYTES = 1 << 46
# What only deletes may go so far beyond the limit: LMDB writes new pages for that too, before it has
# the old ones back. They are used again by what comes then.
DELETING_BYTES = 16 * 1024 * 1024
DELETING_DISK_BYTES = 4 * 1024 * 1024  # likewise of the disk: the last of it that is left
MIN_STORAGE_BYTES = 16 * 1024 * 1024  # that the limit of a map may be set to

SAY_SECONDS = 1.0  # from one word on whether commits fail to the next

# One group commit: with one entry more of the greatest size it fits a segment of the log
MAX_GROUP_BATCHES = 4_096
MAX_GROUP_BYTES = 1024 * 1024

# The commit log of one partition: segment files, each twice the size of the largest before it
INITIAL_SEGMENT_BYTES = 256 * 1024
MAX_SEGMENT_BYTES = 4 * 1024 * 1024
MAX_LOG_BYTES = 12 * 1024 * 1024

# What is in the log and not in LMDB
APPLY_DELAY_SECONDS = 0.1  # from the first write of a generation until it is applied
APPLY_AT_WRITES = 2_048  # or as soon as it has so many
RETRY_APPLY_SECONDS = 1.0  # after a failure
MAX_PENDING_WRITES = 16_384  # with more the writer waits for LMDB
# With less space than this, on the disk or up to the map's limit, groups go to LMDB directly, which
# alone can say whether one fits: 16,384 writes change at most four pages of 4 KiB each.
HEAD_ROOM_BYTES = MAX_PENDING_WRITES * 4 * 4_096

# Copies of a map: backups, restored ones, compacted ones
COPY_CHUNK_BYTES = 1024 * 1024
PROGRESS_SECONDS = 0.1  # from one word of a copy's progress to the next
MAX_MANIFEST_BYTES = 1024 * 1024
MAX_PROBLEMS = 20  # of one map that are told; the others are counted
SPARE_COPY_BYTES = 16 * 1024 * 1024  # beside the size of what is copied, that must be free

# What a doctor remarks on
MAX_FREE_SHARE = 0.5  # of the pages of a map, from MIN_COMPACT_BYTES on
MIN_COMPACT_BYTES = 64 * 1024 * 1024
MAX_OVERDUE_SECONDS = 60.0  # of an alarm, in a directory that a host serves

# Figures
SYNC_BOUNDS_SECONDS = (
    *(0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05),
    *(0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0),
)
GROUP_BOUNDS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 2_048, 4_096)  # batches


@dataclass(frozen=True, slots=True)
class EntryLimits:
    """What one entry may be, where a host has other settings than the defaults."""

    key_bytes: int = MAX_KEY_BYTES
    entry_bytes: int = MAX_ENTRY_BYTES


DEFAULT_ENTRY_LIMITS = EntryLimits()
