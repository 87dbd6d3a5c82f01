"""The Yjs document of a room: in memory while it is used, as a checkpoint and a log on disk.

An update is applied, then stored, in one turn; whoever hears of it does so when it is on disk. What
is stored is what was received; what others are told is what became part of the document, which
differs when updates come out of order (realtime.md 0.3, 5.7).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from . import ids, limits
from .document_store import DocumentStore
from .errors import DocumentEpochChanged, InvalidArgument, PayloadTooLarge, Unavailable
from .live_document import DocumentFailed, LiveDocument
from .loaded_document import LoadedDocument
from .tallies import REFUSALS
from .update_log import UpdateLog, YjsRecord
from .yjs_guard import check_state_vector, check_update

if TYPE_CHECKING:
    from collections.abc import Callable

    from .quarantine import Loading
    from .room_state import RoomState
    from .store import Store
    from .types import RealtimePrincipal
    from .yjs_guard import Shape


class Origin(msgspec.Struct, frozen=True):
    """Where an update comes from, as its record says."""

    client_id: str | None = None
    clock: int | None = None
    actor: RealtimePrincipal | None = None


NOBODY = Origin()


class Applied(msgspec.Struct, frozen=True):
    """What became of an update. `integrated`: what others have to hear, in this order. `stored`: it has
    a record of its own; else it was known already, and `record` is the one that was stored of the
    same bytes, if there is one."""

    record: YjsRecord
    integrated: list[bytes]
    stored: bool


class Document:
    """Of one instance of a room, loaded when it is first used. `loading`: what keeps a document that
    cannot be loaded from being tried all the time; nothing is written to it."""

    __slots__ = ("_changed", "_kept", "_loaded", "_loading", "_retry", "_store", "_used")

    def __init__(self, store: Store, loading: Loading) -> None:
        self._store = store
        self._loading = loading
        self._loaded: LoadedDocument | None = None
        self._kept: DocumentStore | None = None
        self._changed = False
        self._used = False
        self._retry = (0, 0)  # how long a log, in updates and in bytes, is folded: after a failure

    @property
    def kept(self) -> DocumentStore:
        """What is on disk of it. Unavailable: it cannot be read."""
        if self._kept is None:
            self._kept = DocumentStore(self._store)
        return self._kept

    @property
    def log(self) -> UpdateLog:
        """Its updates, of both kinds."""
        return self.kept.log

    @property
    def epoch(self) -> str | None:
        """Which document it is, for clients; None: there is none yet."""
        return self.kept.head.epoch or None

    @property
    def is_loaded(self) -> bool:
        """Whether it is in memory."""
        return self._loaded is not None

    @property
    def wants_checkpoint(self) -> bool:
        """Whether its log has grown so long that it is time for one (5.7)."""
        loaded = self._loaded
        if loaded is None:
            return False

        settled, size = loaded.settled, loaded.size
        long = settled >= limits.MAX_LOG_UPDATES or size >= limits.MAX_LOG_BYTES
        return settled > 0 and long and self._may_fold(loaded)

    def apply(
        self,
        state: RoomState,
        update: bytes,
        now_ms: int,
        origin: Origin = NOBODY,
        *,
        trusted: bool = False,
    ) -> Applied:
        """Make an update part of the document, and keep it. `trusted`: the sender is, so it may be as
        large as MAX_TRUSTED_UPDATE_BYTES, and have any number of structs.

        InvalidArgument `invalid_update`: it is none, or the document cannot take it; and nothing of
        it stays. DocumentEpochChanged: it is of an earlier document. PayloadTooLarge: the document
        would be, or too much waits for updates that never came.
        """
        shape = _check(update, trusted=trusted)
        if state.is_destroyed:
            now_ms = state.begin_write(now_ms)
        loaded = self._load()
        self._check(loaded, shape, len(update))
        integrated = [] if shape.empty else self._integrate(loaded, update, shape)
        if not integrated:
            known = loaded.place(update)
            if known is not None:
                return Applied(self.log.yjs(known), [], stored=False)

            if shape.empty or loaded.covers(shape):
                return Applied(self._record(state, update, now_ms, origin), [], stored=False)

        now_ms = state.begin_write(now_ms)
        self.kept.begin(state.entropy(8).hex())
        record = self._record(state, update, now_ms, origin)
        if len(update) > limits.MAX_UPDATE_BYTES:
            self._keep_large(loaded, shape)
        else:
            loaded.note(self.log.append_yjs(record), update, shape, integrated)
            _check_waiting(loaded)
            if loaded.has_dropped:
                self._fold(loaded)
        return Applied(record, integrated, stored=True)

    def vector(self) -> bytes:
        """Its state vector."""
        return self._read(LiveDocument.vector)

    def diff(self, vector: bytes | None = None) -> bytes:
        """What one with that state vector misses, as one update, deletions always included; None:
        everything. InvalidArgument `invalid_update`: it is no state vector, or none of this
        document."""
        if vector is None:
            return self._read(LiveDocument.diff)

        clocks = check_state_vector(vector)
        loaded = self._load()
        cause: DocumentFailed | None = None
        if not loaded.is_cut_by(clocks):
            try:
                return loaded.live.diff(vector)
            except DocumentFailed as error:  # pairs are not known before an update comes
                cause = error
                self.unload()
        raise InvalidArgument(
            "the state vector ends within a character: send one that a Yjs library wrote",
            code="invalid_update",
        ) from cause

    def contains(self, update: bytes) -> bool:
        """Whether the document has all of an update. InvalidArgument: it is none."""
        shape = check_update(update)
        if shape.empty:
            return True

        loaded = self._load()
        return loaded.covers(shape) and loaded.live.has_deleted(update, shape.deletes_at)

    def compact(self) -> int:
        """Write the document as a checkpoint, in one commit with the deletion of every update in it;
        how many these are. What waits for other updates stays in the log: no checkpoint has it.

        Unavailable: what would be written is not read back as this document; the log stays, and
        nothing happens until it is twice as long.
        """
        loaded = self._load()
        settled = loaded.settled
        if not settled or not self._may_fold(loaded):
            return 0

        self._fold(loaded)
        return settled

    def restore(self, state: RoomState, forward: bytes) -> list[bytes]:
        """Apply an update of our own, of any size, as a checkpoint: what others have to hear."""
        loaded = self._load()
        self._changed = True
        try:
            integrated = loaded.integrate(forward, check_update(forward, len(forward)))
        except DocumentFailed as error:
            raise Unavailable(f"the document cannot be restored: {error}") from error

        self.kept.begin(state.entropy(8).hex())
        self._fold(loaded)
        return integrated

    def replace(self, state: RoomState, update: bytes) -> None:
        """Have another document from here on, of a new epoch."""
        self.end()
        self._changed = True
        self.kept.begin(state.entropy(8).hex())
        self.kept.write_checkpoint(update)

    def end(self) -> None:
        """The document is no more. Who still has it is told so when they bring it back."""
        if self.kept.is_empty:
            return

        try:
            clients = set(self._load().live.clocks())
        except (Unavailable, DocumentFailed):
            clients = set[int]()  # of a document that nobody can read any more
        self.unload()
        self._changed = True
        self.kept.end(clients)

    def changed_ms(self) -> int | None:
        """When an update came last that no checkpoint contains; None: there is none."""
        newest = self.log.newest_yjs(1)
        return newest[0].applied_ms if newest else None

    def take_used(self) -> bool:
        """Whether anybody has used the document in memory since this was asked last."""
        used, self._used = self._used, False
        return used

    def settle(self) -> None:
        """What was changed in this turn is stored."""
        self._changed = False

    def roll_back(self) -> None:
        """The turn failed: what was changed in it is not stored, and not in memory any more."""
        if self._changed:
            self.unload()

    def unload(self) -> None:
        """Leave memory; the next use loads it again."""
        loaded, self._loaded = self._loaded, None
        self._kept = None
        self._changed = False
        if loaded is not None:
            loaded.live.close()

    def _load(self) -> LoadedDocument:
        self._used = True
        if self._loaded is not None:
            return self._loaded

        self._loading.check()
        loaded = LoadedDocument()
        try:
            rows = ((seq, record.update) for seq, record in self.log.all_yjs())
            loaded.load(self.kept.checkpoint(), rows)
        except Exception as error:
            self._kept = None
            loaded.live.close()
            raise self._loading.failed(error) from error

        self._loading.loaded()
        self._loaded = loaded
        return loaded

    def _check(self, loaded: LoadedDocument, shape: Shape, size: int) -> None:
        kept = self.kept
        if not kept.fence.isdisjoint(shape.ends):
            raise DocumentEpochChanged(
                "this update is of a document that was replaced: discard the local copy, and "
                "connect again"
            )

        if kept.head.size + loaded.size + size > limits.MAX_DOCUMENT_BYTES:
            raise PayloadTooLarge(f"a document is at most {limits.MAX_DOCUMENT_BYTES} bytes")

    def _integrate(self, loaded: LoadedDocument, update: bytes, shape: Shape) -> list[bytes]:
        self._changed = True
        try:
            return loaded.integrate(update, shape)
        except DocumentFailed as error:
            self.unload()
            raise InvalidArgument(
                f"the update cannot be applied: {error}", code="invalid_update"
            ) from error

    def _keep_large(self, loaded: LoadedDocument, shape: Shape) -> None:
        """Keep what was applied and is more than a record may be."""
        if not loaded.covers(shape):
            raise InvalidArgument(
                f"an update of more than {limits.MAX_UPDATE_BYTES} bytes cannot wait for others: send "
                "the whole document",
                code="invalid_update",
            )

        self._fold(loaded)

    def _may_fold(self, loaded: LoadedDocument) -> bool:
        updates, size = self._retry
        return loaded.settled >= updates or loaded.size >= size

    def _fold(self, loaded: LoadedDocument) -> None:
        try:
            checkpoint = loaded.live.checkpoint()
        except DocumentFailed as error:
            self._retry = (2 * loaded.settled, 2 * loaded.size)
            self.unload()
            # In this turn, perhaps: what is loaded before it ends must not outlive it.
            self._changed = True
            raise Unavailable(f"a checkpoint of the document is none: {error}") from error

        self._retry = (0, 0)
        self._changed = True
        self.kept.write_checkpoint(checkpoint)
        self.log.forget(loaded.let_go())

    def _record(self, state: RoomState, update: bytes, now_ms: int, origin: Origin) -> YjsRecord:
        update_id = ids.message_id(now_ms, self.log.seq + 1, state.entropy(8))
        return YjsRecord(update_id, update, now_ms, origin.client_id, origin.clock, origin.actor)

    def _read(self, work: Callable[[LiveDocument], bytes]) -> bytes:
        try:
            return work(self._load().live)
        except DocumentFailed as error:
            self.unload()
            raise self._loading.failed(error) from error


def _check(update: bytes, *, trusted: bool) -> Shape:
    if trusted:
        return check_update(update, limits.MAX_TRUSTED_UPDATE_BYTES)

    return check_update(update, limits.MAX_UPDATE_BYTES, limits.MAX_UPDATE_STRUCTS)


def _check_waiting(loaded: LoadedDocument) -> None:
    if len(loaded.waiting) <= limits.MAX_PENDING_UPDATES:
        if not loaded.waiting or loaded.waiting_bytes <= limits.MAX_PENDING_BYTES:
            return

    REFUSALS.count("waiting")
    raise PayloadTooLarge(
        f"{limits.MAX_PENDING_UPDATES} updates, or {limits.MAX_PENDING_BYTES} bytes of them, wait for "
        "others that never came: send those, or the whole document"
    )
