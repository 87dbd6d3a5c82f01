"""A member's record: pure functions of the record and the time say what the member is."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

import msgspec

from . import limits
from .types import RealtimeMember, RealtimePrincipal

if TYPE_CHECKING:
    from .room_state import RoomState


class Reason(Enum):
    """Why a member has left."""

    LEFT = "left"  # It said so.
    DISCONNECTED = "disconnected"  # Its last socket was lost, and none came back in time.
    EXPIRED = "expired"  # Nobody has heard of it for the presence TTL.


class MemberRecord(msgspec.Struct):
    """A member as stored. Times are milliseconds. `gone_ms`: when its last socket was lost, if none
    came since. `left_ms`, `reason`: it has left, which was told once. `version`: of its changes."""

    member_id: str
    joined_ms: int
    seen_ms: int
    actor: RealtimePrincipal | None = None
    metadata: dict[str, Any] = {}
    presence: dict[str, Any] = {}
    version: int = 0
    gone_ms: int | None = None
    left_ms: int | None = None
    reason: Reason | None = None


encode_record = msgspec.json.Encoder().encode
decode_record = msgspec.json.Decoder(MemberRecord).decode


def ends_at(record: MemberRecord, ttl_ms: int) -> tuple[int, Reason]:
    """When a member without a socket leaves, and why, if nothing is heard of it."""
    expires_ms = record.seen_ms + ttl_ms
    if record.gone_ms is not None:
        lost_ms = record.gone_ms + limits.GRACE_SECONDS * 1000
        if lost_ms <= expires_ms:
            return lost_ms, Reason.DISCONNECTED

    return expires_ms, Reason.EXPIRED


def is_active(state: RoomState, record: MemberRecord, now_ms: int) -> bool:
    """Whether a member is here (5.1): it has a socket, whose pings prove it, or was seen lately."""
    if record.left_ms is not None:
        return False

    return state.live(record.member_id) or now_ms < ends_at(record, ttl_ms(state))[0]


def is_over(state: RoomState, record: MemberRecord, now_ms: int) -> bool:
    """Whether a member has gone without a word, and nobody has recorded it."""
    return record.left_ms is None and not is_active(state, record, now_ms)


def ttl_ms(state: RoomState) -> int:
    """How long a member without a socket is here after it was seen."""
    return state.options.presence_ttl_seconds * 1000


def shown(state: RoomState, record: MemberRecord, now_ms: int) -> RealtimeMember:
    """A member as clients see it."""
    left_ms = record.left_ms
    seen_ms = record.seen_ms
    if left_ms is None and state.live(record.member_id):
        seen_ms = max(seen_ms, now_ms)
    elif is_over(state, record, now_ms):
        left_ms = ends_at(record, ttl_ms(state))[0]  # which the alarm will record
    return RealtimeMember(
        member_id=record.member_id,
        room=state.name,
        kind=state.kind,
        joined_at=state.at(record.joined_ms),
        last_seen_at=state.at(seen_ms),
        left_at=None if left_ms is None else state.at(left_ms),
        actor=record.actor,
        metadata=record.metadata,
        presence=record.presence,
    )
