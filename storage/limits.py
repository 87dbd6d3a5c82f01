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

# One group commit
MAX_GROUP_BATCHES = 4_096
MAX_GROUP_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class EntryLimits:
    """What one entry may be, where a host has other settings than the defaults."""

    key_bytes: int = MAX_KEY_BYTES
    entry_bytes: int = MAX_ENTRY_BYTES


DEFAULT_ENTRY_LIMITS = EntryLimits()
