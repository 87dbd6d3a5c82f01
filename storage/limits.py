"""Every bound of storage, with its unit in its name."""

from __future__ import annotations

# Users' entries (semantics.md, decisions)
MAX_KEY_BYTES = 2_048
MAX_ENTRY_BYTES = 2 * 1024 * 1024  # key plus encoded value
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
