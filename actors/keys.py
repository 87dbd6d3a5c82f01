"""The keys of a room's storage, each in the order it is read in."""

from __future__ import annotations

HEAD = "room"
METADATA = "metadata"
DEADLINES = "deadlines"
MESSAGES = "m:"
MEMBERS = "mb:"
IDEMPOTENCY = "i:"
IDEMPOTENCY_EXPIRY = "ix:"
SNAPSHOTS = "s:"
SNAPSHOT_PARTS = "sp:"
DOCUMENT = "yd"
FENCE = "yf"
CHECKPOINT = "yc:"
YJS_UPDATES = "uy:"
JSON_UPDATES = "uj:"
JSON_INDEX = "ux:"


def message(seq: int) -> str:
    """A message, by its place in the room's order."""
    return f"{MESSAGES}{seq:016d}"


def seq_of(key: str) -> int:
    """The place of the message under a key."""
    return int(key[len(MESSAGES) :])


def member(member_id: str) -> str:
    """A member's record."""
    return MEMBERS + member_id


def idempotency(digest: str) -> str:
    """The first result under an idempotency key."""
    return IDEMPOTENCY + digest


def idempotency_expiry(expires_ms: int, digest: str) -> str:
    """Where that is found when its time is over."""
    return f"{IDEMPOTENCY_EXPIRY}{expires_ms:014d}:{digest}"


def snapshot(snapshot_id: str) -> str:
    """What a snapshot is made of."""
    return SNAPSHOTS + snapshot_id


def snapshot_part(snapshot_id: str, number: int) -> str:
    """A part of a snapshot's state."""
    return f"{SNAPSHOT_PARTS}{snapshot_id}:{number:04d}"


def yjs_update(seq: int) -> str:
    """A Yjs update of the document, by its place in the order of its updates."""
    return f"{YJS_UPDATES}{seq:016d}"


def json_update(seq: int) -> str:
    """A JSON update, in the same order."""
    return f"{JSON_UPDATES}{seq:016d}"


def update_seq_of(key: str) -> int:
    """The place of the update of either kind under a key."""
    return int(key[len(YJS_UPDATES) :])


def checkpoint_part(number: int) -> str:
    """A part of the document's checkpoint."""
    return f"{CHECKPOINT}{number:04d}"


def json_index(digest: str) -> str:
    """Where a JSON update is, by what it is known by."""
    return JSON_INDEX + digest
