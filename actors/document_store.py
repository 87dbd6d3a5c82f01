"""What a document is on disk: its record, a checkpoint in parts, the log since, the fence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from . import keys, limits
from .errors import Unavailable
from .update_log import UpdateLog

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .store import Store


class DocumentHead(msgspec.Struct, array_like=True):
    """The record. `epoch`: the document as clients know it; empty before the first Yjs update.
    `first`: the place in the log that it starts at. `parts`, `size`: of the checkpoint, `size` in
    bytes. `seq`: at least so far is the order of updates."""

    epoch: str = ""
    first: int = 1
    parts: int = 0
    size: int = 0
    seq: int = 0


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(DocumentHead).decode


class DocumentStore:
    """Of one room, read when it is made. Unavailable: it cannot be read; nothing may be written over
    it. The fence: client ids of the documents that this one replaced."""

    __slots__ = ("_store", "fence", "head", "log")

    def __init__(self, store: Store) -> None:
        self._store = store
        self.head = _read_head(store.get(keys.DOCUMENT))
        self.fence: frozenset[int] = frozenset(store.get(keys.FENCE, ()))
        self.log = UpdateLog(store, self.head.first)
        self.log.seq = max(self.log.seq, self.head.seq)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing of this document."""
        return not self.head.epoch and self.log.seq < self.head.first

    def checkpoint(self) -> bytes | None:
        """The last one; None: there is none. Unavailable: it is damaged."""
        head = self.head
        if not head.parts:
            return None

        parts = [self._store.get(keys.checkpoint_part(number)) for number in range(head.parts)]
        if not all(isinstance(part, bytes) for part in parts):
            raise _damaged()

        update = b"".join(parts)
        if len(update) != head.size:
            raise _damaged()

        return update

    def begin(self, epoch: str) -> None:
        """There is a document from here on, if there was none."""
        if not self.head.epoch:
            self.head.epoch = epoch
            self._save()

    def write_checkpoint(self, update: bytes) -> None:
        """Have a checkpoint instead of the one before."""
        head = self.head
        size = limits.CHECKPOINT_PART_BYTES
        parts = [update[start : start + size] for start in range(0, len(update), size)]
        for number, part in enumerate(parts):
            self._store.put(keys.checkpoint_part(number), part)
        for number in range(len(parts), head.parts):
            self._store.delete(keys.checkpoint_part(number))
        head.parts, head.size, head.seq = len(parts), len(update), self.log.seq
        self._save()

    def end(self, clients: Iterable[int]) -> None:
        """The document is no more: reading sees none, though its rows are deleted later. `clients`:
        its client ids, which are fenced."""
        self.fence = frozenset(sorted({*self.fence, *clients})[: limits.MAX_FENCED_CLIENTS])
        self._store.put(keys.FENCE, sorted(self.fence))
        seq = self.log.seq
        self.head = DocumentHead(first=seq + 1, seq=seq)
        self.log = UpdateLog(self._store, seq + 1)
        self._save()

    def leftovers(self, limit: int) -> list[str]:
        """Keys that nothing reads any more; at most `limit`."""
        found = self.log.leftovers(limit)
        found += self._store.list(
            prefix=keys.CHECKPOINT, start=keys.checkpoint_part(self.head.parts), limit=limit
        )
        return found[:limit]

    def _save(self) -> None:
        self._store.put(keys.DOCUMENT, _encode(self.head))


def _read_head(stored: object) -> DocumentHead:
    if stored is None:
        return DocumentHead()

    try:
        if isinstance(stored, bytes):
            return _decode(stored)
    except (msgspec.MsgspecError, UnicodeError):
        pass
    raise _damaged()


def _damaged() -> Unavailable:
    return Unavailable(
        "the document of this room cannot be read: restore it from a backup", code="unavailable"
    )
