"""Rows that nobody can read any more: trimmed messages, what a destroyed room leaves behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import keys, limits
from .deadlines import Deadline
from .errors import Unavailable
from .records import published_at

if TYPE_CHECKING:
    from .room_state import RoomState


def trim(state: RoomState, now_ms: int) -> None:
    """Take away the oldest messages, as far as the module's retention says; the order goes on."""
    retention = state.options.retention
    state.deadlines.set(Deadline.RETENTION, None)
    if retention is None or state.messages <= 0:
        return

    first = state.head.first_seq
    if retention.max_messages is not None:
        first = max(first, state.seq - retention.max_messages + 1)
    if retention.max_age_seconds is not None:
        first = _first_young(state, first, now_ms - retention.max_age_seconds * 1000)
    if first > state.head.first_seq:
        state.head.first_seq = first
        state.save()
        purge(state, now_ms)
    if retention.max_age_seconds is not None and state.messages > 0:
        oldest = state.store.get(keys.message(state.head.first_seq))
        expires_ms = published_at(oldest) + retention.max_age_seconds * 1000
        state.deadlines.at_latest(Deadline.RETENTION, max(expires_ms, now_ms + 1))


def purge(state: RoomState, now_ms: int) -> None:
    """Delete rows that reads do not see any more; a part of them, when they are many."""
    rows = list(
        state.store.list(
            prefix=keys.MESSAGES,
            end=keys.message(state.head.first_seq),
            limit=limits.SWEPT_AT_ONCE,
        )
    )
    more = len(rows) == limits.SWEPT_AT_ONCE
    if not more:
        lost = _lost_parts(state) + _lost_updates(state)
        more = bool(lost)
        rows += lost
    for key in rows:
        state.store.delete(key)
    state.deadlines.set(Deadline.PURGE, now_ms + 1 if more else None)


def _first_young(state: RoomState, first: int, oldest_ms: int) -> int:
    """The first message that is not too old; as far as one sweep goes."""
    rows = state.store.list(
        start=keys.message(first), prefix=keys.MESSAGES, limit=limits.SWEPT_AT_ONCE
    )
    for key, record in rows.items():
        if published_at(record) > oldest_ms:
            return keys.seq_of(key)
        first = keys.seq_of(key) + 1
    return first


def _lost_updates(state: RoomState) -> list[str]:
    """Rows of documents that are no more; of one that cannot be read, nothing is deleted."""
    try:
        return state.document.kept.leftovers(limits.SWEPT_AT_ONCE)
    except Unavailable:
        return []


def _lost_parts(state: RoomState) -> list[str]:
    """Parts of snapshots that are listed no more: those come first, as they are the oldest."""
    listed = set(state.store.list(prefix=keys.SNAPSHOTS))
    parts = state.store.list(prefix=keys.SNAPSHOT_PARTS, limit=limits.SWEPT_PARTS_AT_ONCE)
    return [key for key in parts if keys.SNAPSHOTS + key.split(":")[1] not in listed]
