"""What clients are told of a document: as frames of y-protocols, and as JSON to the others."""

from __future__ import annotations

import base64
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from . import yjs_protocol
from .json_values import encode, timestamp
from .room_state import DocumentPush
from .yjs_protocol import awareness_payload

if TYPE_CHECKING:
    from .awareness import Changes, Shown
    from .document import Applied
    from .room_state import RoomState
    from .types import RealtimePrincipal
    from .update_log import JsonRecord, YjsRecord


def push_update(state: RoomState, applied: Applied, but: str | None = None) -> None:
    """Tell of a Yjs update, with what it made possible of earlier ones: that, its sender has to hear
    as well. `but`: the connection of the sender."""
    told = but if applied.integrated == [applied.record.update] else None
    for integrated in applied.integrated:
        frame = partial(_yjs_frame, applied.record, integrated)
        state.pushes.append(DocumentPush(yjs_protocol.update(integrated), frame, told))


def push_json_update(state: RoomState, record: JsonRecord, but: str | None = None) -> None:
    """Tell of a JSON update, which is nothing to those who speak y-protocols."""
    state.pushes.append(DocumentPush(None, partial(_json_frame, record), but))


def push_awareness(state: RoomState, changes: Changes) -> None:
    """Tell who is aware, and who is not any more."""
    state.pushes += awareness_pushes(changes)


def awareness_pushes(changes: Changes) -> list[DocumentPush]:
    """Tell who is aware, and who is not any more: the sender too, whose provider takes a silent
    server for a dead one."""
    pushes = [DocumentPush(None, partial(_awareness_frame, shown)) for shown in changes.json]
    if changes.yjs:
        frame = yjs_protocol.awareness(awareness_payload(changes.yjs))
        pushes.append(DocumentPush(frame, None))
    return pushes


def _yjs_frame(record: YjsRecord, integrated: bytes) -> bytes:
    fields = _fields("yjs.update", record)
    return encode(fields | {"updateBase64": base64.b64encode(integrated).decode()})


def _json_frame(record: JsonRecord) -> bytes:
    return encode(_fields("crdt.update", record) | {"update": msgspec.Raw(record.update)})


def _fields(kind: str, record: YjsRecord | JsonRecord) -> dict[str, Any]:
    fields: dict[str, Any] = {"type": kind, "updateId": record.update_id}
    if record.client_id is not None:
        fields["clientId"] = record.client_id
    if record.clock is not None:
        fields["clock"] = record.clock
    return _with_actor(fields, record.actor) | {"appliedAt": timestamp(record.applied_ms)}


def _awareness_frame(shown: Shown) -> bytes:
    fields: dict[str, Any] = {
        "type": "awareness",
        "clientId": shown.client_id,
        "state": None if shown.state is None else msgspec.Raw(shown.state),
        "updatedAt": timestamp(shown.updated_ms),
    }
    return encode(_with_actor(fields, shown.actor))


def _with_actor(fields: dict[str, Any], actor: RealtimePrincipal | None) -> dict[str, Any]:
    return fields if actor is None else fields | {"actor": actor}
