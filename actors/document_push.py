"""What clients are told of a document: as frames of y-protocols, and as JSON to the others."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from . import yjs_protocol
from .base64_text import encode_base64
from .document_records import document_update, yjs_update
from .json_values import encode, timestamp
from .room_state import DocumentPush
from .yjs_protocol import awareness_payload

if TYPE_CHECKING:
    from .awareness import Changes, Shown
    from .document import Applied
    from .room_state import RoomState
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


def push_restored(state: RoomState, integrated: bytes) -> None:
    """Tell of an update of the room's own, of which there is no record."""
    frame = partial(_restored_frame, integrated)
    state.pushes.append(DocumentPush(yjs_protocol.update(integrated), frame))


def _yjs_frame(record: YjsRecord, integrated: bytes) -> bytes:
    return _frame("yjs.update", yjs_update(msgspec.structs.replace(record, update=integrated)))


def _json_frame(record: JsonRecord) -> bytes:
    return _frame("crdt.update", document_update(record))


def _restored_frame(integrated: bytes) -> bytes:
    return encode({"type": "yjs.update", "updateBase64": encode_base64(integrated)})


def _frame(kind: str, fields: msgspec.Struct) -> bytes:
    """An object with a type of its own before the fields that results have, too."""
    return b'{"type":"%b",%b' % (kind.encode(), encode(fields)[1:])


def _awareness_frame(shown: Shown) -> bytes:
    fields: dict[str, Any] = {
        "type": "awareness",
        "clientId": shown.client_id,
        "state": None if shown.state is None else msgspec.Raw(shown.state),
        "updatedAt": timestamp(shown.updated_ms),
    }
    if shown.actor is not None:
        fields["actor"] = shown.actor
    return encode(fields)
