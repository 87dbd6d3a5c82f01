"""The handle of a room with its document: everything of a room, and the calls of CRDTs."""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any

import msgspec
from pycrdt import Doc, merge_updates

from . import limits
from .base64_text import decode_base64
from .caller import encode_caller
from .crdt_types import (
    RealtimeCrdtAwarenessOptions,
    RealtimeCrdtAwarenessResult,
    RealtimeCrdtCompactResult,
    RealtimeCrdtDocumentOptions,
    RealtimeCrdtDocumentResult,
    RealtimeCrdtUpdateOptions,
    RealtimeCrdtUpdateResult,
    RealtimeYjsSyncOptions,
    RealtimeYjsSyncResult,
    RealtimeYjsUpdateOptions,
    RealtimeYjsUpdateResult,
)
from .errors import InvalidArgument, PayloadTooLarge
from .handles import RoomHandle
from .identity import caller_for
from .inputs import NOTHING
from .yjs_structs import EMPTY

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from pycrdt import TransactionEvent

    from .types import RealtimePrincipal

NAMES_NOBODY = RealtimeYjsUpdateOptions(update_base64="")  # it is whoever asks
PANIC = "PanicException"  # of pycrdt: no Exception, and in no module that can be imported


class CrdtRoomHandle(RoomHandle):
    """A room and its document: the same room as the `RoomHandle` of that name.

    Beside the document of Yjs there may be JSON updates, which are recorded and fanned out, and never
    understood. More errors than a RoomHandle's: `InvalidArgument` with the code `invalid_update`,
    `PayloadTooLarge`, and `DocumentEpochChanged`, when an update is of a document that was replaced.
    """

    async def apply_update(
        self,
        options: RealtimeCrdtUpdateOptions | None = None,
        /,
        *,
        update: Any = msgspec.UNSET,
        client_id: str | None = None,
        clock: int | None = None,
        actor: RealtimePrincipal | None = None,
    ) -> RealtimeCrdtUpdateResult:
        """Record a JSON update of at most 64 KiB behind all others, and tell every connection of it.
        The same `update`, `client_id` and `clock` again: the first result, and nothing happens."""
        given = options or RealtimeCrdtUpdateOptions(
            update=update, client_id=client_id, clock=clock, actor=actor
        )
        return await self._operate(RealtimeCrdtUpdateResult, "apply_update", given)

    async def awareness(
        self,
        options: RealtimeCrdtAwarenessOptions | None = None,
        /,
        *,
        client_id: str | None = None,
        state: dict[str, Any] | None = None,
        actor: RealtimePrincipal | None = None,
    ) -> RealtimeCrdtAwarenessResult:
        """Say what a client does, for 30 s; without a `state`, that it has gone. Nothing is stored.
        Without a `client_id` it is the actor's. InvalidArgument: nothing says which client."""
        given = options or RealtimeCrdtAwarenessOptions(
            client_id=client_id, state=state, actor=actor
        )
        return await self._operate(RealtimeCrdtAwarenessResult, "awareness", given)

    async def document(
        self,
        options: RealtimeCrdtDocumentOptions | None = None,
        /,
        *,
        since_clock: int | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> RealtimeCrdtDocumentResult:
        """A page of updates, JSON and Yjs, in the order they were recorded, and who is aware;
        `cursor` of a page leads to newer ones, and the last page has none.

        `since_clock`: those with a greater clock, and those without one; clocks of different clients
        are not comparable, so go by the cursor where there are several. A Yjs update is
        `{"type": "yjs", "updateBase64": ...}`, and is gone once a checkpoint contains it. `limit` is
        clamped to 1,000; a page ends earlier at 4 MiB. InvalidArgument `invalid_cursor`.
        """
        given = options or RealtimeCrdtDocumentOptions(
            since_clock=since_clock, limit=limit, cursor=cursor
        )
        return await self._operate(RealtimeCrdtDocumentResult, "document", given)

    async def apply_yjs_update(
        self,
        options: RealtimeYjsUpdateOptions | None = None,
        /,
        *,
        update_base64: str = "",
        client_id: str | None = None,
        clock: int | None = None,
        actor: RealtimePrincipal | None = None,
    ) -> RealtimeYjsUpdateResult:
        """Apply a Yjs update of at most 1 MiB; every connection hears what it changed. Returns once
        it is durable, with the state vector after it. One that changes nothing leaves no record."""
        given = options or RealtimeYjsUpdateOptions(
            update_base64=update_base64, client_id=client_id, clock=clock, actor=actor
        )
        return await self._operate(RealtimeYjsUpdateResult, "apply_yjs_update", given)

    async def sync_yjs(
        self,
        options: RealtimeYjsSyncOptions | None = None,
        /,
        *,
        state_vector_base64: str | None = None,
        limit: int | None = None,
    ) -> RealtimeYjsSyncResult:
        """What one with that state vector misses, as one update, deletions always included; `AAA=` is
        the one that says nothing. Without a vector: the whole document. `limit`: of the newest
        recorded `updates` beside it, 0 for none."""
        given = options or RealtimeYjsSyncOptions(
            state_vector_base64=state_vector_base64, limit=limit
        )
        return await self._operate(RealtimeYjsSyncResult, "sync_yjs", given)

    async def compact(self) -> RealtimeCrdtCompactResult:
        """Fold all Yjs updates into a checkpoint now, as the room does by itself when they are many.
        `updates_compacted`: how many are new in it."""
        return await self._operate(RealtimeCrdtCompactResult, "compact", NOTHING)

    @asynccontextmanager
    async def edit(self) -> AsyncGenerator[Doc[Any]]:
        """The document, to change it: `async with room.edit() as doc: doc.get("t", type=Text)...`

        It is a copy. What the block changed is sent at its end, as one update, and merged with what
        others did meanwhile; nothing is when it raised, or changed nothing. It may be read, too.

        Indices of pycrdt's Text, and its `len()`, count bytes of UTF-8; one inside of a character is
        moved without a word, and one outside of the text is an InvalidArgument here.
        """
        doc: Doc[Any] = Doc()
        current = await self.export_update()
        changes: list[bytes] = []
        with _calm():
            doc.apply_update(current)

        def observe(event: TransactionEvent) -> None:
            changes.append(event.update)

        subscription = doc.observe(observe)
        try:
            with _calm():
                yield doc
        finally:
            doc.unobserve(subscription)
        if changes:
            with _calm():
                update = changes[0] if len(changes) == 1 else merge_updates(*changes)
            await self.import_update(update)

    async def export_update(self) -> bytes:
        """The whole document as one Yjs update; of a room without a document the empty one."""
        result = await self.sync_yjs(limit=0)
        text = result.update_base64
        if text is None:
            return EMPTY

        return decode_base64(text, "updateBase64", limits.MAX_DOCUMENT_BYTES)

    async def import_update(self, data: bytes) -> None:
        """Apply a Yjs update in bytes: what `export_update` of another room returned, or
        `get_update()` of a pycrdt document. At most 16 MiB; one of more than 1 MiB becomes part of a
        checkpoint at once, and must not wait for others. See `apply_yjs_update`."""
        _check_data(data)
        caller = encode_caller(caller_for(self._options, NAMES_NOBODY))
        await self._find().import_update(data, caller)


def _check_data(data: object) -> None:
    if not isinstance(data, bytes):
        raise InvalidArgument(f"data is bytes, not {type(data).__name__}", field="data")

    if len(data) > limits.MAX_TRUSTED_UPDATE_BYTES:
        raise PayloadTooLarge(
            f"data: an update is at most {limits.MAX_TRUSTED_UPDATE_BYTES} bytes", field="data"
        )


@contextmanager
def _calm() -> Generator[None]:
    """A panic of pycrdt is no Exception, and would take down whatever it passes (realtime.md 0.2,
    S4 and S6)."""
    try:
        yield
    except BaseException as error:
        if type(error).__name__ != PANIC:
            raise

        raise InvalidArgument(
            f"pycrdt could not do that; check indices, which are bytes of UTF-8: {error}"
        ) from error
