"""Updates of a document as clients read them: in results and in pushes (realtime.md 5.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from .base64_text import encode_base64
from .crdt_types import RealtimeCrdtDocumentUpdate, RealtimeYjsUpdateRecord
from .json_values import timestamp
from .update_log import JsonRecord

if TYPE_CHECKING:
    from .update_log import YjsRecord


def document_update(record: YjsRecord | JsonRecord) -> RealtimeCrdtDocumentUpdate:
    """An update of either kind, in the stream of both."""
    update: object
    if isinstance(record, JsonRecord):
        update = msgspec.Raw(record.update)
    else:
        update = {"type": "yjs", "updateBase64": encode_base64(record.update)}
    return RealtimeCrdtDocumentUpdate(
        update_id=record.update_id,
        update=update,
        client_id=record.client_id,
        clock=record.clock,
        actor=record.actor,
        applied_at=timestamp(record.applied_ms),
    )


def yjs_update(record: YjsRecord) -> RealtimeYjsUpdateRecord:
    """A Yjs update by itself."""
    return RealtimeYjsUpdateRecord(
        update_id=record.update_id,
        update_base64=encode_base64(record.update),
        client_id=record.client_id,
        clock=record.clock,
        actor=record.actor,
        applied_at=timestamp(record.applied_ms),
    )
