"""A room's life: active, idle, destroyed, and perhaps begun anew (realtime.md 5.8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from . import keys, limits
from .deadlines import Deadline
from .head import Destroyed
from .json_values import encode
from .retention import purge
from .snapshots import forget_all
from .types import RealtimeDestroyResult, RealtimeLifecycleResult

if TYPE_CHECKING:
    from .room_state import RoomState
    from .types import RealtimeDestroyOptions


def lifecycle(state: RoomState, now_ms: int) -> bytes:
    """What a room is at this moment, whenever the alarm ran, as JSON. Reading creates nothing."""
    head = state.head
    active_ms = state.activity_ms
    connections = state.connections()
    result = RealtimeLifecycleResult(
        room=state.name,
        kind=state.kind,
        status="idle",
        active_connections=connections,
        last_activity_at=state.at(active_ms) if active_ms else None,
    )
    if head.destroyed is not None:
        destroyed_at = state.at(head.destroyed.at_ms)
        return encode(_with(result, status="destroyed", destroyed_at=destroyed_at))

    idle_ms = idle_since(state)
    if connections or (idle_ms is not None and now_ms < idle_ms):
        return encode(_with(result, status="active"))

    return encode(_with(result, idle_since=None if idle_ms is None else state.at(idle_ms)))


def idle_since(state: RoomState) -> int | None:
    """When a room without connections becomes idle, or did; None: nothing ever happened here."""
    last_ms = max(state.activity_ms, state.head.disconnected_ms)
    return last_ms + idle_ttl_ms(state) if last_ms else None


def idle_ttl_ms(state: RoomState) -> int:
    """How long after the last activity a room is idle."""
    return state.lifecycle.idle_ttl_seconds * 1000


def is_idle_now(state: RoomState, now_ms: int) -> bool:
    """The deadline has come: whether the room is idle; if not, it is looked at again in time."""
    idle_ms = idle_since(state)
    if state.connections():
        idle_ms = now_ms + idle_ttl_ms(state)
    if state.is_destroyed or idle_ms is None or idle_ms <= now_ms:
        state.deadlines.set(Deadline.IDLE, None)
        state.save()
        return not state.is_destroyed

    state.deadlines.set(Deadline.IDLE, idle_ms)
    return False


def destroy(state: RoomState, options: RealtimeDestroyOptions, now_ms: int) -> bytes:
    """End a room: the mark and the deletions that are asked for are one commit; then everyone is
    told, and their connections close. Again: the same moment, and perhaps more deletions."""
    head = state.head
    before = head.destroyed
    if before is None:
        now_ms = state.tick(now_ms)
        state.begin_life(now_ms)
        before = Destroyed(now_ms)
        _end(state, now_ms)
    after = Destroyed(
        before.at_ms,
        before.history or bool(options.delete_history),
        before.snapshots or bool(options.delete_snapshots),
        before.crdt_updates or bool(options.delete_crdt_updates),
    )
    if after.history and not before.history:
        head.first_seq = state.seq + 1
        state.deadlines.at_latest(Deadline.PURGE, now_ms + 1)
    if after.snapshots and not before.snapshots:
        forget_all(state)
        state.deadlines.at_latest(Deadline.PURGE, now_ms + 1)
    if after.crdt_updates and not before.crdt_updates:
        state.document.end()
        state.deadlines.at_latest(Deadline.PURGE, now_ms + 1)
    head.destroyed = after
    state.save()
    return encode(
        RealtimeDestroyResult(
            room=state.name,
            kind=state.kind,
            destroyed_at=state.at(after.at_ms),
            deleted_history=after.history,
            deleted_snapshots=after.snapshots,
            deleted_crdt_updates=after.crdt_updates,
        )
    )


def clear(state: RoomState, now_ms: int) -> None:
    """A while after the end: nothing but the mark and what is readable stays; a part of it at once,
    when it is much."""
    if not state.is_destroyed:
        state.deadlines.set(Deadline.DESTROYED, None)
        return

    rows: list[str] = []
    for prefix in (keys.IDEMPOTENCY_EXPIRY, keys.IDEMPOTENCY):
        if len(rows) < limits.SWEPT_AT_ONCE:
            left = limits.SWEPT_AT_ONCE - len(rows)
            rows += state.store.list(prefix=prefix, limit=left)
    for key in rows:
        state.store.delete(key)
    more = len(rows) == limits.SWEPT_AT_ONCE
    state.deadlines.set(Deadline.DESTROYED, now_ms + 1 if more else None)
    if not more:
        state.deadlines.set(Deadline.IDEMPOTENCY, None)
        purge(state, now_ms)


def _end(state: RoomState, now_ms: int) -> None:
    """What a room that ends loses at once: its members, its metadata, its connections."""
    head = state.head
    head.written = True
    for key in state.store.list(prefix=keys.MEMBERS):
        state.store.delete(key)
    state.store.delete(keys.METADATA)
    head.members = 0
    head.metadata_ms = 0
    state.deadlines.set(Deadline.IDLE, None)
    state.deadlines.set(Deadline.PRESENCE, None)
    state.deadlines.set(Deadline.AWARENESS, None)
    ttl_ms = state.lifecycle.destroy_ttl_seconds * 1000
    state.deadlines.at_latest(Deadline.DESTROYED, now_ms + ttl_ms)
    state.push("room.destroyed", destroyedAt=state.at(now_ms))
    state.closes_all = True


def _with(result: RealtimeLifecycleResult, **fields: object) -> RealtimeLifecycleResult:
    return msgspec.structs.replace(result, **fields)
