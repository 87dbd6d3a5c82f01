"""A document as it was in a snapshot, as one more step forward: whoever is connected stays so, and
converges (realtime.md 5.5)."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import msgspec

from .base64_text import encode_base64
from .document_push import push_restored
from .large_stack import run_on_large_stack
from .live_document import DocumentFailed, LiveDocument, trusting
from .yjs_content import content
from .yjs_rename import forward
from .yjs_structs import EMPTY

if TYPE_CHECKING:
    from .room_state import RoomState


def document_content(state: RoomState, now_ms: int) -> dict[str, object]:
    """What a snapshot keeps of the document. Unavailable: it cannot be loaded."""
    return {
        "updateBase64": encode_base64(state.document.diff()),
        "stateVectorBase64": encode_base64(state.document.vector()),
        "awareness": [
            {
                "clientId": shown.client_id,
                "state": None if shown.state is None else msgspec.Raw(shown.state),
                "updatedAt": state.at(shown.updated_ms),
            }
            for shown in state.awareness.shown(now_ms)
        ],
    }


def restore_document(state: RoomState, kept: str | None) -> None:
    """Have the content of a snapshot again; `kept`: its update in base64, None where it had none.

    Where that cannot be reached by an update on top of what is, the document is replaced by that of
    the snapshot, of a new epoch, and the clients that hold a copy of the old one are closed.
    """
    document = state.document
    if document.epoch is None and kept is None:
        return

    wanted = EMPTY if kept is None else base64.b64decode(kept)
    update = _way(document.diff(), wanted)
    if update is None:
        document.replace(state, wanted)
        state.closes_documents = True
        return

    for integrated in document.restore(state, update):
        push_restored(state, integrated)


def _way(live: bytes, wanted: bytes) -> bytes | None:
    """The update that leads from a document to the content of another; None: there is none, as a copy
    has shown."""
    try:
        update = forward(live, wanted)
    except ValueError:
        return None

    copy = LiveDocument()
    try:
        copy.apply_all([live])
        copy.apply_nesting(update)
        # What strangers have written is read here, so it may be deep, and may fail in any way.
        shown = trusting(lambda: run_on_large_stack(lambda: content(copy.diff())))
        return update if shown == trusting(lambda: content(wanted)) else None
    except DocumentFailed:
        return None
    finally:
        copy.close()
