"""Who is in a room: join, leave, presence, and those who went without a word (realtime.md 5.3).

A member leaves once: its record changes from here to left in one batch, and what is pushed leaves
with that batch. It does not matter who finds that its time is over, a reader, a writer or the alarm.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import keys, limits
from .deadlines import Deadline
from .errors import NotAMember, PayloadTooLarge
from .json_values import encode, encode_within
from .member_record import (
    MemberRecord,
    Reason,
    decode_record,
    encode_record,
    ends_at,
    is_active,
    is_over,
    shown,
    ttl_ms,
)
from .types import RealtimeLeaveResult, RealtimePresenceResult

if TYPE_CHECKING:
    from typing import Any

    from .room_state import RoomState
    from .types import RealtimeMembersOptions, RealtimePrincipal


def check_member_fields(
    metadata: dict[str, Any] | None, presence: dict[str, Any] | None, root: str
) -> None:
    """Refuse a member's metadata or presence that may not be stored."""
    if metadata is not None:
        encode_within(metadata, f"{root}metadata", limits.MAX_MEMBER_METADATA_BYTES)
    if presence is not None:
        encode_within(presence, f"{root}presence", limits.MAX_PRESENCE_BYTES)


def join(
    state: RoomState,
    member_id: str,
    actor: RealtimePrincipal | None,
    metadata: dict[str, Any] | None,
    presence: dict[str, Any] | None,
    now_ms: int,
) -> bytes:
    """Make a member, or refresh one: what is given is replaced, what is not is kept."""
    state.check_alive()
    record = find(state, member_id)
    if record is None or record.left_ms is not None:
        _check_room_for_one(state)
    now_ms = state.begin_write(now_ms)
    if record is not None and is_over(state, record, now_ms):
        leave_at_its_end(state, record)
    joins = record is None or record.left_ms is not None
    if joins:
        version = 0 if record is None else record.version
        record = MemberRecord(member_id, now_ms, now_ms, version=version)
        state.head.members += 1
        state.save()
    assert record is not None
    record.actor = record.actor if actor is None else actor
    record.metadata = record.metadata if metadata is None else metadata
    record.presence = record.presence if presence is None else presence
    record.gone_ms = None
    _seen(state, record, now_ms)
    member = shown(state, record, now_ms)
    kind = "member.joined" if joins else "member.updated"
    state.push(kind, member=member, version=record.version)
    return encode(member)


def leave(state: RoomState, member_id: str, now_ms: int) -> bytes:
    """A member leaves; one that has left already, or was never here, is told when: nothing else
    happens (5.3). Works in a destroyed room."""
    record = None if state.is_destroyed else find(state, member_id)
    if record is None or record.left_ms is not None:
        left_ms = state.tick(now_ms) if record is None else record.left_ms
    elif not is_active(state, record, now_ms):
        left_ms = leave_at_its_end(state, record)
    else:
        now_ms = left_ms = state.begin_write(now_ms)
        _leave(state, record, now_ms, Reason.LEFT)
    assert left_ms is not None
    return encode(
        RealtimeLeaveResult(
            room=state.name, kind=state.kind, member_id=member_id, left_at=state.at(left_ms)
        )
    )


def presence(
    state: RoomState, member_id: str, presence: dict[str, Any] | None, now_ms: int
) -> bytes:
    """Replace a member's presence, or only say that it is here. One whose time was over joins anew.

    NotAMember: it never joined, or left by its own word.
    """
    state.check_alive()
    record = find(state, member_id)
    if record is None or record.reason is Reason.LEFT:
        raise NotAMember(f"{member_id!r} is no member of this room: call join first")

    if record.left_ms is not None or not is_active(state, record, now_ms):
        join(
            state,
            member_id,
            record.actor,
            record.metadata,
            record.presence if presence is None else presence,
            now_ms,
        )
        record = find(state, member_id)
        assert record is not None
        now_ms = state.last_ms
    else:
        now_ms = state.begin_write(now_ms)
        if presence is not None:
            record.presence = presence
        _seen(state, record, now_ms)
        if presence is not None:
            state.push(
                "presence.updated",
                memberId=member_id,
                presence=presence,
                updatedAt=state.at(now_ms),
                version=record.version,
            )
    return encode(
        RealtimePresenceResult(
            room=state.name,
            kind=state.kind,
            member_id=member_id,
            updated_at=state.at(now_ms),
            presence=record.presence,
        )
    )


def members(state: RoomState, options: RealtimeMembersOptions, now_ms: int) -> bytes:
    """Who is here, by the time of joining, as JSON; those who left too, if asked."""
    records = [] if state.is_destroyed else all_records(state)
    if not options.include_left:
        records = [record for record in records if is_active(state, record, now_ms)]
    records.sort(key=lambda record: (record.joined_ms, record.member_id))
    limit = min(options.limit or limits.DEFAULT_MEMBERS, limits.MAX_PAGE)
    return encode([shown(state, record, now_ms) for record in records[:limit]])


def active_members(state: RoomState, now_ms: int) -> int:
    """How many are here."""
    if state.is_destroyed or not state.head.members:
        return 0

    return sum(is_active(state, record, now_ms) for record in all_records(state))


def settle(state: RoomState, member_id: str, now_ms: int) -> None:
    """Record that a member has gone, if its time is over: before a socket of it comes, which would
    say that it was here all the time."""
    record = None if state.is_destroyed else find(state, member_id)
    if record is not None and is_over(state, record, now_ms):
        leave_at_its_end(state, record)


def is_here(state: RoomState, member_id: str) -> bool:
    """Whether a member whose time was looked at just now (see `settle`) has not left."""
    record = None if state.is_destroyed else find(state, member_id)
    return record is not None and record.left_ms is None


def disconnected(state: RoomState, member_id: str, now_ms: int) -> None:
    """The last socket of a member was lost: it has a while to come back."""
    record = None if state.is_destroyed else find(state, member_id)
    if record is not None and record.left_ms is None:
        now_ms = state.tick(now_ms)
        record.seen_ms = max(record.seen_ms, now_ms)
        record.gone_ms = now_ms
        _store(state, record)
        _watch(state, record, now_ms)


def sweep(state: RoomState, now_ms: int) -> None:
    """Record who has gone without a word, forget who left long ago, and look again in time."""
    next_ms: int | None = None
    for record in all_records(state):
        if is_over(state, record, now_ms):
            leave_at_its_end(state, record)
        elif record.left_ms is None and state.live(record.member_id):
            # Should the host crash, its members are not as old as their last word.
            record.seen_ms = max(record.seen_ms, now_ms)
            _store(state, record)
        end_ms = _looked_at_again(state, record, now_ms)
        if end_ms <= now_ms:
            state.store.delete(keys.member(record.member_id))
        else:
            next_ms = end_ms if next_ms is None else min(next_ms, end_ms)
    state.deadlines.set(Deadline.PRESENCE, next_ms)


def somebody_is_gone(state: RoomState, now_ms: int) -> bool:
    """Whether a sweep would find that a member has left."""
    return any(is_over(state, record, now_ms) for record in all_records(state))


def leave_at_its_end(state: RoomState, record: MemberRecord) -> int:
    """Record that a member has gone without a word, as of when its time was over."""
    end_ms, reason = ends_at(record, ttl_ms(state))
    _leave(state, record, end_ms, reason)
    return end_ms


def find(state: RoomState, member_id: str) -> MemberRecord | None:
    """A member's record."""
    stored = state.store.get(keys.member(member_id))
    return None if stored is None else decode_record(stored)


def all_records(state: RoomState) -> list[MemberRecord]:
    """Every record, of those who left too."""
    return [decode_record(stored) for stored in state.store.list(prefix=keys.MEMBERS).values()]


def reset(state: RoomState, record: MemberRecord, now_ms: int) -> None:
    """Store a member that the room has changed, and tell everyone."""
    record.version += 1
    _store(state, record)
    member = shown(state, record, now_ms)
    state.push("member.updated", member=member, version=record.version)


def _leave(state: RoomState, record: MemberRecord, left_ms: int, reason: Reason) -> None:
    record.left_ms = left_ms
    record.reason = reason
    record.gone_ms = None
    record.version += 1
    _store(state, record)
    state.head.members -= 1
    state.save()
    state.push(
        "member.left",
        memberId=record.member_id,
        leftAt=state.at(left_ms),
        reason=reason.value,
        version=record.version,
    )
    _watch(state, record, left_ms)


def _seen(state: RoomState, record: MemberRecord, now_ms: int) -> None:
    record.seen_ms = now_ms
    record.version += 1
    _store(state, record)
    state.save()  # its activity too: nothing else says when that was
    _watch(state, record, now_ms)


def _store(state: RoomState, record: MemberRecord) -> None:
    state.store.put(keys.member(record.member_id), encode_record(record))


def _watch(state: RoomState, record: MemberRecord, now_ms: int) -> None:
    state.deadlines.at_latest(Deadline.PRESENCE, _looked_at_again(state, record, now_ms))


def _looked_at_again(state: RoomState, record: MemberRecord, now_ms: int) -> int:
    """When something may have to be done about a member that nothing is heard of."""
    if record.left_ms is not None:
        return record.left_ms + limits.KEPT_LEFT_MEMBERS_SECONDS * 1000

    if state.live(record.member_id):
        # Its sockets may be gone without a close, when the host has crashed or was replaced. A sweep
        # notes that it is here, early enough that it has its grace to come back even then.
        ttl = ttl_ms(state)
        return now_ms + max(ttl - limits.GRACE_SECONDS * 1000, ttl // 2)

    return ends_at(record, ttl_ms(state))[0]


def _check_room_for_one(state: RoomState) -> None:
    if state.head.members >= limits.MAX_MEMBERS:
        raise PayloadTooLarge(f"a room has at most {limits.MAX_MEMBERS} members")
