"""The types of a CRDT room's calls: JSON updates, Yjs updates, awareness. Rules as in types.py.

`update` may be null, and may not be absent. Yjs updates and state vectors are base64 with padding.
"""

from __future__ import annotations

from typing import Any

from .types import Input, Int32, Kind, Output, PositiveInt32, RealtimePrincipal, Record


class RealtimeCrdtUpdateOptions(Input, frozen=True, kw_only=True):
    """A JSON update of a document, recorded as it is.

    `client_id`: which client or device made it. `clock`: that client's own count, for ordered
    reads. `actor`: without it the caller's identity.
    """

    update: Any
    client_id: str | None = None
    clock: Int32 | None = None
    actor: RealtimePrincipal | None = None


class RealtimeCrdtUpdateInput(RealtimeCrdtUpdateOptions, frozen=True, kw_only=True):
    """An update with its room, inside the module; never taken from a client.

    Extension: `room` and `kind`, the room identity (realtime.md 5.2).
    """

    room: str | None = None
    kind: Kind | None = None


class RealtimeCrdtUpdateResult(Output, frozen=True, kw_only=True):
    """A JSON update is recorded."""

    room: str
    kind: Kind
    update_id: str
    applied_at: str
    actor: RealtimePrincipal | None = None


class RealtimeCrdtAwarenessOptions(Input, frozen=True, kw_only=True):
    """The awareness of a client, replaced whole; without `state` it is removed.

    `client_id`: without it that of the connection's token, else the member id.
    """

    client_id: str | None = None
    state: Record | None = None
    actor: RealtimePrincipal | None = None


class RealtimeCrdtAwarenessResult(Output, frozen=True, kw_only=True):
    """The awareness of a client as it is now: `state` is empty when it was removed."""

    room: str
    kind: Kind
    client_id: str
    updated_at: str
    state: Record
    actor: RealtimePrincipal | None = None


class RealtimeCrdtDocumentOptions(Input, frozen=True, kw_only=True):
    """Which updates. `since_clock`: those with a greater clock, and those without one.

    `limit`: at most so many. Clocks of different clients are not comparable; to read on, use the
    extension `cursor`, of the result before, for newer updates.
    """

    since_clock: Int32 | None = None
    limit: PositiveInt32 | None = None
    cursor: str | None = None


class RealtimeCrdtDocumentUpdate(Output, frozen=True, kw_only=True):
    """A recorded update; one of Yjs as `{"type": "yjs", "updateBase64": ...}`."""

    update_id: str
    update: Any
    client_id: str | None = None
    clock: Int32 | None = None
    actor: RealtimePrincipal | None = None
    applied_at: str


class RealtimeCrdtDocumentResult(Output, frozen=True, kw_only=True):
    """Updates in the order they were recorded, and who is aware now.

    `cursor`: for newer updates; absent when there are none.
    """

    room: str
    kind: Kind
    updates: list[RealtimeCrdtDocumentUpdate]
    awareness: list[RealtimeCrdtAwarenessResult]
    cursor: str | None = None


class RealtimeYjsUpdateOptions(Input, frozen=True, kw_only=True):
    """A Yjs update to apply. The other fields as in RealtimeCrdtUpdateOptions."""

    update_base64: str
    client_id: str | None = None
    clock: Int32 | None = None
    actor: RealtimePrincipal | None = None


class RealtimeYjsUpdateResult(Output, frozen=True, kw_only=True):
    """A Yjs update is applied. `state_vector_base64`: of the document with it."""

    room: str
    kind: Kind
    update_id: str
    applied_at: str
    update_base64: str
    state_vector_base64: str | None = None
    actor: RealtimePrincipal | None = None


class RealtimeYjsSyncOptions(Input, frozen=True, kw_only=True):
    """What a client has. `state_vector_base64`: without it the whole document is sent.

    `limit`: recorded updates beside the merged one, 0 for none.
    """

    state_vector_base64: str | None = None
    limit: Int32 | None = None


class RealtimeYjsUpdateRecord(Output, frozen=True, kw_only=True):
    """A recorded Yjs update."""

    update_id: str
    update_base64: str
    client_id: str | None = None
    clock: Int32 | None = None
    actor: RealtimePrincipal | None = None
    applied_at: str


class RealtimeYjsSyncResult(Output, frozen=True, kw_only=True):
    """What a client misses, merged into `update_base64`, and the newest `updates` for inspection,
    the newest last.

    Extension: `document_epoch`, which document it is; absent when the room has none.
    """

    room: str
    kind: Kind
    update_base64: str | None = None
    state_vector_base64: str | None = None
    updates: list[RealtimeYjsUpdateRecord]
    awareness: list[RealtimeCrdtAwarenessResult]
    document_epoch: str | None = None


class RealtimeCrdtCompactResult(Output, frozen=True, kw_only=True):
    """The Yjs updates of a room are one checkpoint. `updates_compacted`: those new in it."""

    room: str
    kind: Kind
    compacted_at: str
    updates_compacted: Int32
    checkpoint_update_base64: str | None = None
    state_vector_base64: str | None = None
