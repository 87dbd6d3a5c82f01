"""What a room says about itself: one object, replaced whole (realtime.md 5.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from . import keys, limits
from .json_values import encode, encode_within
from .types import RealtimeMetadataResult

if TYPE_CHECKING:
    from .room_state import RoomState


def metadata(state: RoomState, given: dict[str, Any] | None, now_ms: int) -> bytes:
    """Replace a room's metadata, or read it where none is given; the result as JSON."""
    if given is not None:
        state.check_alive()
        now_ms = state.begin_write(now_ms)
        replace(state, given, now_ms)
    changed_ms = state.head.metadata_ms or state.head.created_ms or now_ms
    return encode(
        RealtimeMetadataResult(
            room=state.name,
            kind=state.kind,
            metadata=current(state),
            updated_at=state.at(changed_ms),
        )
    )


def current(state: RoomState) -> dict[str, Any]:
    """The room's metadata; of a destroyed room none."""
    stored = None if state.is_destroyed else state.store.get(keys.METADATA)
    return {} if stored is None else msgspec.json.decode(stored, type=dict[str, Any])


def replace(state: RoomState, given: dict[str, Any], now_ms: int) -> None:
    """Store metadata that was checked, and tell everyone."""
    state.store.put(keys.METADATA, encode_within(given, "metadata", limits.MAX_ROOM_METADATA_BYTES))
    state.head.metadata_ms = now_ms
    state.save()
    state.push("room.metadata", metadata=given, updatedAt=state.at(now_ms))
