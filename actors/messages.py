"""Publish and read messages: one order for each room, given by its actor (realtime.md 5.2, 5.4)."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

import msgspec

from . import ids, keys, limits
from .deadlines import Deadline
from .errors import IdempotencyConflict, InvalidArgument
from .json_values import check_text, encode, encode_within
from .records import json_list, message_frame
from .room_state import Push
from .tallies import PUBLISHES
from .types import RealtimeHistoryMessage, RealtimePublishResult

if TYPE_CHECKING:
    from .cursors import Cursors
    from .room_state import RoomState
    from .types import RealtimeHistoryOptions, RealtimeMessageInput, RealtimePrincipal

RESERVED_PREFIXES = ("room.", "system.")


def check_message(message: RealtimeMessageInput, root: str) -> None:
    """Refuse a message that may not be stored. InvalidArgument, PayloadTooLarge name the field."""
    check_text(message.type, f"{root}type", limits.MAX_TYPE_BYTES)
    if message.type.startswith(RESERVED_PREFIXES):
        raise InvalidArgument(
            f"{root}type begins with {' or '.join(RESERVED_PREFIXES)}, which are the room's own events",
            field=f"{root}type",
        )

    if message.data is not msgspec.UNSET:
        encode_within(message.data, f"{root}data", limits.MAX_DATA_BYTES)
    if message.metadata is not None:
        encode_within(message.metadata, f"{root}metadata", limits.MAX_MESSAGE_METADATA_BYTES)
    if message.idempotency_key is not None:
        check_text(
            message.idempotency_key, f"{root}idempotencyKey", limits.MAX_IDEMPOTENCY_KEY_BYTES
        )


def publish(
    state: RoomState,
    message: RealtimeMessageInput,
    actor: RealtimePrincipal | None,
    now_ms: int,
    but: str | None = None,
) -> bytes:
    """Record a message and tell every connection but `but`; the result as JSON.

    The same idempotency key again: the first result, byte for byte, and nothing else happens.
    IdempotencyConflict: the key was another message's. RoomDestroyed.
    """
    state.check_alive()
    digest = payload = None
    if message.idempotency_key is not None and not state.is_destroyed:
        digest, payload = _digests(state, message)
        first = _first_result(state, digest, payload, now_ms)
        if first is not None:
            return first

    now_ms = state.begin_write(now_ms)
    if message.idempotency_key is not None and digest is None:
        digest, payload = _digests(state, message)  # of the new life
    result = record(state, message, actor, now_ms, but)
    if digest is not None and payload is not None:
        _keep_result(state, digest, payload, result, now_ms)
    return result


def record(
    state: RoomState,
    message: RealtimeMessageInput,
    actor: RealtimePrincipal | None,
    now_ms: int,
    but: str | None = None,
) -> bytes:
    """Put a message at the end of the order, the room's own ones too; the result as JSON."""
    state.seq += 1
    published = RealtimeHistoryMessage(
        message_id=ids.message_id(now_ms, state.seq, state.entropy(8)),
        room=state.name,
        kind=state.kind,
        type=message.type,
        data=message.data,
        metadata=message.metadata or {},
        actor=actor,
        published_at=state.at(now_ms),
    )
    PUBLISHES.count()
    stored = encode(published)
    state.store.put(keys.message(state.seq), stored)
    state.pushes.append(Push(message_frame(state.seq, stored), but))
    _retain(state, now_ms)
    return encode(
        RealtimePublishResult(
            room=state.name,
            kind=state.kind,
            message_id=published.message_id,
            published_at=published.published_at,
            actor=actor,
        )
    )


def history(state: RoomState, options: RealtimeHistoryOptions, cursors: Cursors) -> bytes:
    """A page of messages as JSON, newest first, older with each cursor.

    InvalidArgument `invalid_cursor`: damaged, of another room, or of an earlier life of this one.
    """
    limit = min(
        options.limit or state.options.history_limit or limits.HISTORY_LIMIT, limits.MAX_PAGE
    )
    head = state.head
    before = state.seq + 1
    if options.cursor is not None:
        before = min(
            before, cursors.decode(options.cursor, state.kind, state.name, head.generation)
        )
    found = state.store.list(
        start=keys.message(head.first_seq),
        end=keys.message(max(before, head.first_seq)),
        reverse=True,
        limit=limit,
    )
    page: dict[str, object] = {
        **state.identity(),
        "items": msgspec.Raw(json_list(list(found.values()))),
    }
    oldest = min(map(keys.seq_of, found), default=head.first_seq)
    if oldest > head.first_seq:
        page["cursor"] = cursors.encode(state.kind, state.name, head.generation, oldest)
    return encode(page)


def after(state: RoomState, epoch: str, seq: int) -> list[bytes] | str:
    """The frames of every message after `seq`, in order; or why there can be none without a gap:
    `epoch_changed`, `insufficient_state` (trimmed, or too many)."""
    head = state.head
    if epoch != head.epoch or state.is_destroyed:
        return "epoch_changed"

    if seq < head.first_seq - 1 or not state.seq - limits.MAX_RESUMED_MESSAGES <= seq <= state.seq:
        return "insufficient_state"

    found = state.store.list(start=keys.message(seq + 1), end=keys.message(state.seq + 1))
    if sum(map(len, found.values())) > limits.MAX_RESUMED_BYTES:
        return "insufficient_state"

    return [message_frame(keys.seq_of(key), stored) for key, stored in found.items()]


def sweep_idempotency(state: RoomState, now_ms: int) -> None:
    """Forget results whose time is over; a part of them, when they are many."""
    rows = state.store.list(prefix=keys.IDEMPOTENCY_EXPIRY, limit=limits.SWEPT_AT_ONCE + 1)
    for number, key in enumerate(rows):
        expires, digest = key.removeprefix(keys.IDEMPOTENCY_EXPIRY).split(":")
        if int(expires) > now_ms or number == limits.SWEPT_AT_ONCE:
            state.deadlines.set(Deadline.IDEMPOTENCY, max(int(expires), now_ms + 1))
            return

        state.store.delete(key)
        _forget_result(state, digest, now_ms)
    state.deadlines.set(Deadline.IDEMPOTENCY, None)


def _digests(state: RoomState, message: RealtimeMessageInput) -> tuple[str, bytes]:
    """What the key is found by, in this life of the room alone, and what tells its message from
    another one. The actor is not part of it (5.2)."""
    life = f"{state.head.generation}:{message.idempotency_key}".encode()
    data = "" if message.data is msgspec.UNSET else message.data
    absent = message.data is msgspec.UNSET
    payload = msgspec.json.encode(
        [message.type, absent, data, message.metadata or {}], order="sorted"
    )
    return sha256(life).hexdigest(), sha256(payload).digest()


def _first_result(state: RoomState, digest: str, payload: bytes, now_ms: int) -> bytes | None:
    known: tuple[bytes, bytes, int] | None = state.store.get(keys.idempotency(digest))
    if known is None or known[2] <= now_ms:
        return None

    if known[0] != payload:
        raise IdempotencyConflict(
            "the idempotency key was used for another message: use a new key for a new message",
            field="idempotencyKey",
        )

    return known[1]


def _forget_result(state: RoomState, digest: str, now_ms: int) -> None:
    # A key that was used again before its old result was swept has a new one, with a row of its own.
    known: tuple[bytes, bytes, int] | None = state.store.get(keys.idempotency(digest))
    if known is not None and known[2] <= now_ms:
        state.store.delete(keys.idempotency(digest))


def _keep_result(state: RoomState, digest: str, payload: bytes, result: bytes, now_ms: int) -> None:
    expires_ms = now_ms + limits.IDEMPOTENCY_SECONDS * 1000
    state.store.put(keys.idempotency(digest), (payload, result, expires_ms))
    state.store.put(keys.idempotency_expiry(expires_ms, digest), None)
    state.deadlines.at_latest(Deadline.IDEMPOTENCY, expires_ms)


def _retain(state: RoomState, now_ms: int) -> None:
    """Have old messages trimmed soon, where the module bounds what it retains."""
    retention = state.options.retention
    if retention is None:
        return

    if retention.max_messages is not None and state.messages > retention.max_messages:
        state.deadlines.at_latest(Deadline.RETENTION, now_ms + 1)
    if retention.max_age_seconds is not None:
        state.deadlines.at_latest(Deadline.RETENTION, now_ms + retention.max_age_seconds * 1000)
