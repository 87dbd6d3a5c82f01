"""A room as it stood at one point of its order, kept; and back to it, as one more step forward
(realtime.md 5.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from . import ids, keys, limits
from .document_restore import document_content, restore_document
from .errors import NotFound, PayloadTooLarge
from .json_values import encode
from .member_record import is_active, shown
from .members import all_records, find, reset
from .messages import record
from .metadata import current, replace
from .records import json_list
from .types import RealtimeMessageInput, RealtimeRestoreResult

if TYPE_CHECKING:
    from .room_state import RoomState
    from .types import RealtimePrincipal

FORMAT = 1  # of the state


class _Member(msgspec.Struct, rename="camel"):
    member_id: str
    metadata: dict[str, Any]
    presence: dict[str, Any]


class _Document(msgspec.Struct, rename="camel"):
    update_base64: str


class _State(msgspec.Struct):
    """What restoring needs of a snapshot's state."""

    metadata: dict[str, Any]
    members: list[_Member]
    crdt: _Document | None = None


class _Result(msgspec.Struct):
    state: _State


def snapshot(state: RoomState, now_ms: int) -> bytes:
    """Keep the room's metadata, active members, newest messages and document; the result as JSON.

    NotFound: nothing was ever written here. PayloadTooLarge: it would be over 16 MiB, or the room
    keeps 1,000 of them.
    """
    state.check_alive()
    if not state.head.written or state.is_destroyed:
        raise NotFound(f"there is no room {state.name!r} to make a snapshot of")

    if len(state.store.list(prefix=keys.SNAPSHOTS)) >= limits.MAX_SNAPSHOTS:
        raise PayloadTooLarge(f"a room keeps at most {limits.MAX_SNAPSHOTS} snapshots")

    now_ms = state.begin_write(now_ms)
    snapshot_id = ids.message_id(now_ms, state.seq, state.entropy(8))
    result = encode(
        {
            **state.identity(),
            "snapshotId": snapshot_id,
            "createdAt": state.at(now_ms),
            "state": _content(state, now_ms),
        }
    )
    if len(result) > limits.MAX_SNAPSHOT_BYTES:
        raise PayloadTooLarge(
            f"a snapshot is at most {limits.MAX_SNAPSHOT_BYTES} bytes, not {len(result)}: "
            "lower historyLimit, or send less in a message"
        )

    _keep(state, snapshot_id, result)
    return result


def restore(
    state: RoomState, snapshot_id: str, actor: RealtimePrincipal | None, now_ms: int
) -> bytes:
    """Have the metadata and the document of a snapshot again, and for members who are still here their
    presence and metadata. Messages stay as they are, and one more, `room.restored`, marks the point.

    NotFound: this room has no such snapshot.
    """
    state.check_alive()
    kept = read(state, snapshot_id)
    if kept is None:
        raise NotFound(f"this room has no snapshot {snapshot_id!r}", field="snapshotId")

    content = msgspec.json.decode(kept, type=_Result).state
    now_ms = state.begin_write(now_ms)
    message = RealtimeMessageInput(type="room.restored", data={"snapshotId": snapshot_id})
    record(state, message, actor, now_ms)
    state.push("room.restored", snapshotId=snapshot_id, restoredAt=state.at(now_ms))
    replace(state, content.metadata, now_ms)
    for member in content.members:
        _restore_member(state, member, now_ms)
    restore_document(state, None if content.crdt is None else content.crdt.update_base64)
    return encode(
        RealtimeRestoreResult(
            room=state.name,
            kind=state.kind,
            snapshot_id=snapshot_id,
            restored_at=state.at(now_ms),
        )
    )


def read(state: RoomState, snapshot_id: str) -> bytes | None:
    """The result that a snapshot was returned as."""
    parts: int | None = state.store.get(keys.snapshot(snapshot_id))
    if parts is None:
        return None

    return b"".join(
        state.store.get(keys.snapshot_part(snapshot_id, number)) for number in range(parts)
    )


def forget_all(state: RoomState) -> None:
    """List none any more; what they hold is deleted later."""
    for key in state.store.list(prefix=keys.SNAPSHOTS):
        state.store.delete(key)


def _content(state: RoomState, now_ms: int) -> dict[str, object]:
    records = [record for record in all_records(state) if is_active(state, record, now_ms)]
    records.sort(key=lambda record: (record.joined_ms, record.member_id))
    messages = state.store.list(
        start=keys.message(state.head.first_seq),
        end=keys.message(state.seq + 1),
        reverse=True,
        limit=state.options.history_limit,
    )
    content: dict[str, object] = {
        "version": FORMAT,
        "seq": state.seq,
        "epoch": state.head.epoch,
        "metadata": current(state),
        "members": [shown(state, record, now_ms) for record in records],
        "messages": msgspec.Raw(json_list(list(messages.values()))),
    }
    if state.kind == "room" and state.document.epoch is not None:
        content["crdt"] = document_content(state, now_ms)
    return content


def _keep(state: RoomState, snapshot_id: str, result: bytes) -> None:
    size = limits.SNAPSHOT_PART_BYTES
    parts = [result[start : start + size] for start in range(0, len(result), size)]
    for number, part in enumerate(parts):
        state.store.put(keys.snapshot_part(snapshot_id, number), part)
    state.store.put(keys.snapshot(snapshot_id), len(parts))
    state.save()  # its activity too


def _restore_member(state: RoomState, member: _Member, now_ms: int) -> None:
    record = find(state, member.member_id)
    if record is not None and is_active(state, record, now_ms):
        if (record.metadata, record.presence) != (member.metadata, member.presence):
            record.metadata, record.presence = member.metadata, member.presence
            reset(state, record, now_ms)
