"""What the operations of a room's document do: read it, apply to it, fold it (realtime.md 5.7)."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from . import json_awareness, limits
from .base64_text import decode_base64, encode_base64
from .crdt_types import (
    RealtimeCrdtCompactResult,
    RealtimeCrdtDocumentResult,
    RealtimeYjsSyncResult,
    RealtimeYjsUpdateResult,
)
from .document_push import push_update
from .document_records import document_update, yjs_update
from .errors import RealtimeError
from .json_values import encode

if TYPE_CHECKING:
    from collections.abc import Generator

    from .crdt_types import (
        RealtimeCrdtDocumentOptions,
        RealtimeYjsSyncOptions,
        RealtimeYjsUpdateOptions,
    )
    from .cursors import Cursors
    from .document import Origin
    from .room_state import RoomState
    from .update_log import JsonRecord, UpdateLog, YjsRecord

CURSORS = "document"  # their purpose
VECTOR = "stateVectorBase64"
UPDATE = "updateBase64"


def document(
    state: RoomState, options: RealtimeCrdtDocumentOptions, cursors: Cursors, now_ms: int
) -> bytes:
    """A page of updates of both kinds as JSON, in the order they were recorded, newer with each
    cursor; and who is aware. Yjs updates are in it until a checkpoint contains them.

    A page ends before `limit` where it would be over 4 MiB, or where 10,000 updates or 16 MiB of them
    were looked at, most of which a clock left out; such a page may be empty, and has a cursor.
    InvalidArgument `invalid_cursor`: damaged, of another room, or of an earlier life of this one.
    """
    cursors = cursors.of(CURSORS)
    generation = state.head.generation
    after = 0
    if options.cursor is not None:
        after = cursors.decode(options.cursor, state.kind, state.name, generation)
    limit = _limit(state, options.limit)
    records, last = _page(state.document.log, after, limit, options.since_clock)
    return encode(
        RealtimeCrdtDocumentResult(
            room=state.name,
            kind=state.kind,
            updates=[document_update(record) for record in records],
            awareness=json_awareness.shown(state, now_ms),
            cursor=None
            if last is None
            else cursors.encode(state.kind, state.name, generation, last),
        )
    )


def apply_yjs_update(
    state: RoomState,
    options: RealtimeYjsUpdateOptions,
    origin: Origin,
    connection_id: str | None,
    now_ms: int,
) -> bytes:
    """Apply a Yjs update, keep it, and tell every connection but `connection_id` what became part
    of the document; the result as JSON, with the state vector after it.

    One that the document has already leaves no record; its result names the one that was stored of
    the same bytes, if there is one. InvalidArgument `invalid_update`: it is none, and leaves no
    trace. RoomDestroyed, DocumentEpochChanged, PayloadTooLarge.
    """
    update = decode_base64(options.update_base64, UPDATE, limits.MAX_UPDATE_BYTES)
    with _naming(UPDATE):
        applied = state.document.apply(state, update, now_ms, origin)
    push_update(state, applied, connection_id)
    record = applied.record
    return encode(
        RealtimeYjsUpdateResult(
            room=state.name,
            kind=state.kind,
            update_id=record.update_id,
            applied_at=state.at(record.applied_ms),
            update_base64=options.update_base64,
            state_vector_base64=encode_base64(state.document.vector()),
            actor=record.actor,
        )
    )


def sync_yjs(state: RoomState, options: RealtimeYjsSyncOptions, now_ms: int) -> bytes:
    """What one with a state vector misses as one update, all deletions included, as JSON; without a
    vector the whole document. When nothing is missing it is the empty update, `AAA=`.

    InvalidArgument `invalid_update`: it is no state vector.
    """
    vector: bytes | None = None
    if options.state_vector_base64 is not None:
        vector = decode_base64(options.state_vector_base64, VECTOR, limits.MAX_STATE_VECTOR_BYTES)
    found = state.document
    with _naming(VECTOR):
        missing = found.diff(vector)
    newest = found.log.newest_yjs(_limit(state, options.limit))
    return encode(
        RealtimeYjsSyncResult(
            room=state.name,
            kind=state.kind,
            update_base64=encode_base64(missing),
            state_vector_base64=encode_base64(found.vector()),
            updates=[yjs_update(record) for record in newest],
            awareness=json_awareness.shown(state, now_ms),
            document_epoch=found.epoch,
        )
    )


def compact(state: RoomState, now_ms: int) -> bytes:
    """Fold the Yjs updates into a checkpoint, in one commit with their deletion; the result as JSON,
    with how many were new in it. JSON updates stay, and so do updates that wait for others.

    In a room without a document nothing happens, and there is no checkpoint. RoomDestroyed.
    """
    state.check_alive()
    found = state.document
    compacted, checkpoint, vector = 0, None, None
    if state.is_destroyed or found.epoch is None:
        now_ms = max(now_ms, state.last_ms)
    else:
        now_ms = state.begin_write(now_ms)
        compacted = found.compact()
        state.save()  # its activity
        checkpoint, vector = encode_base64(found.diff()), encode_base64(found.vector())
    return encode(
        RealtimeCrdtCompactResult(
            room=state.name,
            kind=state.kind,
            compacted_at=state.at(now_ms),
            updates_compacted=compacted,
            checkpoint_update_base64=checkpoint,
            state_vector_base64=vector,
        )
    )


def _page(
    log: UpdateLog, after: int, limit: int, since_clock: int | None
) -> tuple[list[YjsRecord | JsonRecord], int | None]:
    """Updates behind a place, and the place to go on from; None: there are no more."""
    found: list[YjsRecord | JsonRecord] = []
    size = read = read_bytes = 0
    at_once = min(limit + 1, limits.UPDATES_AT_ONCE)
    while read < limits.MAX_UPDATES_READ and read_bytes < limits.MAX_UPDATES_READ_BYTES:
        rows = log.after(after, at_once)
        for seq, record in rows:
            if since_clock is None or record.clock is None or record.clock > since_clock:
                size += len(record.update)
                if found and (len(found) == limit or size > limits.MAX_UPDATES_BYTES):
                    return found, after

                found.append(record)
            after = seq
        if len(rows) < at_once:
            return found, None

        read += len(rows)
        read_bytes += sum(len(record.update) for _, record in rows)
    return found, after


def _limit(state: RoomState, asked: int | None) -> int:
    return state.options.history_limit if asked is None else min(asked, limits.MAX_PAGE)


@contextmanager
def _naming(field: str) -> Generator[None]:
    """Have a refusal of the bytes of a field name it."""
    try:
        yield
    except RealtimeError as error:
        error.field = error.field or field
        raise
