"""JSON updates of a document: recorded as they are, in one order with the Yjs ones, and never
understood (realtime.md 5.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import ids
from .crdt_types import RealtimeCrdtUpdateResult
from .document_push import push_json_update
from .json_values import encode
from .update_log import JsonRecord, digest_of

if TYPE_CHECKING:
    from .crdt_types import RealtimeCrdtUpdateOptions
    from .room_state import RoomState
    from .types import RealtimePrincipal


def apply_update(
    state: RoomState,
    options: RealtimeCrdtUpdateOptions,
    client_id: str | None,
    actor: RealtimePrincipal | None,
    now_ms: int,
) -> bytes:
    """Record an update, and tell every connection of it, the sender's too: each one sees all of
    them in one order. The result as JSON.

    The same update again, of a client with a clock: the first result, and nothing else happens.
    RoomDestroyed.
    """
    state.check_alive()
    digest = digest_of(client_id, options.clock, options.update)
    if digest is not None and not state.is_destroyed:
        known = state.document.log.find_json(digest)
        if known is not None:
            return _result(state, known)

    now_ms = state.begin_write(now_ms)
    log = state.document.log
    record = JsonRecord(
        update_id=ids.message_id(now_ms, log.seq + 1, state.entropy(8)),
        update=encode(options.update),
        applied_ms=now_ms,
        client_id=client_id,
        clock=options.clock,
        actor=actor,
    )
    log.append_json(record)
    push_json_update(state, record)
    return _result(state, record)


def _result(state: RoomState, record: JsonRecord) -> bytes:
    return encode(
        RealtimeCrdtUpdateResult(
            room=state.name,
            kind=state.kind,
            update_id=record.update_id,
            applied_at=state.at(record.applied_ms),
            actor=record.actor,
        )
    )
