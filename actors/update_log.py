"""The updates of a document as rows: Yjs ones and JSON ones, in one order (realtime.md 5.7).

A JSON update stays as it is. A Yjs update stays until a checkpoint contains it.
"""

from __future__ import annotations

from contextlib import suppress
from hashlib import sha256
from heapq import merge
from typing import TYPE_CHECKING

import msgspec

from . import keys
from .errors import Unavailable
from .types import RealtimePrincipal  # noqa: TC001 - msgspec reads the annotations

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .store import Store


class YjsRecord(msgspec.Struct, frozen=True, array_like=True):
    """A Yjs update as it came. `applied_ms`: when, milliseconds since the epoch."""

    update_id: str
    update: bytes
    applied_ms: int
    client_id: str | None = None
    clock: int | None = None
    actor: RealtimePrincipal | None = None


class JsonRecord(msgspec.Struct, frozen=True, array_like=True):
    """A JSON update; `update` is the JSON text of it."""

    update_id: str
    update: bytes
    applied_ms: int
    client_id: str | None = None
    clock: int | None = None
    actor: RealtimePrincipal | None = None

    @property
    def digest(self) -> str | None:
        """See `digest_of`."""
        return digest_of(self.client_id, self.clock, msgspec.json.decode(self.update))


def digest_of(client_id: str | None, clock: int | None, update: object) -> str | None:
    """What a JSON update is known by when it comes again; None: it does not say whose it is, or
    which. Who sends it is not part of it. Under it is a row with its place, deleted with the update:
    there are never more such rows than updates."""
    if client_id is None or clock is None:
        return None

    return sha256(msgspec.json.encode([client_id, clock, update], order="sorted")).hexdigest()


_encode = msgspec.msgpack.Encoder().encode
_yjs = msgspec.msgpack.Decoder(YjsRecord)
_json = msgspec.msgpack.Decoder(JsonRecord)


class UpdateLog:
    """Of one room, over its store. `first`: the place that reading starts at; what is before it is
    of a document that is no more, and deleted later."""

    __slots__ = ("_store", "first", "seq")

    def __init__(self, store: Store, first: int) -> None:
        self._store = store
        self.first = first
        self.seq = first - 1  # the newest place
        for prefix in (keys.YJS_UPDATES, keys.JSON_UPDATES):
            for key in store.list(prefix=prefix, reverse=True, limit=1):
                self.seq = max(self.seq, keys.update_seq_of(key))

    def append_yjs(self, record: YjsRecord) -> int:
        """Store a Yjs update at the end; its place."""
        self.seq += 1
        self._store.put(keys.yjs_update(self.seq), _encode(record))
        return self.seq

    def append_json(self, record: JsonRecord) -> int:
        """Store a JSON update at the end, to be found by its digest too; its place."""
        self.seq += 1
        self._store.put(keys.json_update(self.seq), _encode(record))
        digest = record.digest
        if digest is not None:
            self._store.put(keys.json_index(digest), self.seq)
        return self.seq

    def find_json(self, digest: str) -> JsonRecord | None:
        """The JSON update that is known by a digest; the newest of them."""
        seq: int | None = self._store.get(keys.json_index(digest))
        return None if seq is None or seq < self.first else self.json(seq)

    def yjs(self, seq: int) -> YjsRecord:
        """The Yjs update at a place. Unavailable: it cannot be read."""
        return _read_yjs(self._store.get(keys.yjs_update(seq)))

    def json(self, seq: int) -> JsonRecord:
        """The JSON update at a place. Unavailable: it cannot be read."""
        return _read_json(self._store.get(keys.json_update(seq)))

    def all_yjs(self) -> Iterator[tuple[int, YjsRecord]]:
        """Every Yjs update that no checkpoint contains, in order."""
        for key, stored in self._store.list(
            prefix=keys.YJS_UPDATES, start=keys.yjs_update(self.first)
        ).items():
            yield keys.update_seq_of(key), _read_yjs(stored)

    def newest_yjs(self, limit: int) -> list[YjsRecord]:
        """The last `limit` of them, the newest last."""
        if limit <= 0:
            return []

        rows = self._store.list(
            prefix=keys.YJS_UPDATES,
            start=keys.yjs_update(self.first),
            reverse=True,
            limit=limit,
        )
        return [_read_yjs(stored) for stored in reversed(list(rows.values()))]

    def after(self, seq: int, limit: int) -> list[tuple[int, YjsRecord | JsonRecord]]:
        """Updates of both kinds behind a place, in order; at most `limit`."""
        start = max(seq + 1, self.first)
        yjs = self._store.list(
            prefix=keys.YJS_UPDATES, start=keys.yjs_update(start), limit=limit
        ).items()
        json = self._store.list(
            prefix=keys.JSON_UPDATES, start=keys.json_update(start), limit=limit
        ).items()
        found: list[tuple[int, YjsRecord | JsonRecord]] = list(
            merge(
                ((keys.update_seq_of(key), _read_yjs(stored)) for key, stored in yjs),
                ((keys.update_seq_of(key), _read_json(stored)) for key, stored in json),
                key=lambda row: row[0],
            )
        )
        return found[:limit]

    def leftovers(self, limit: int) -> list[str]:
        """Keys of what is before `first`; at most `limit`, an index before what it leads to."""
        found = list(
            self._store.list(prefix=keys.YJS_UPDATES, end=keys.yjs_update(self.first), limit=limit)
        )
        rows = self._store.list(
            prefix=keys.JSON_UPDATES, end=keys.json_update(self.first), limit=limit
        )
        for key, stored in rows.items():
            with suppress(Unavailable):  # one that cannot be read has an index that leads nowhere
                digest = _read_json(stored).digest
                if digest and self._store.get(keys.json_index(digest)) == keys.update_seq_of(key):
                    found.append(keys.json_index(digest))
            found.append(key)
        return found[:limit]

    def forget(self, seqs: Iterable[int]) -> None:
        """Delete Yjs updates that a checkpoint contains from now on."""
        for seq in seqs:
            self._store.delete(keys.yjs_update(seq))


def newest_ms(store: Store) -> int:
    """When the newest update that has a row was applied; 0: there is none that can be read."""
    newest = 0
    for prefix, read in ((keys.YJS_UPDATES, _read_yjs), (keys.JSON_UPDATES, _read_json)):
        for stored in store.list(prefix=prefix, reverse=True, limit=1).values():
            with suppress(Unavailable):
                newest = max(newest, read(stored).applied_ms)
    return newest


def _read_yjs(stored: object) -> YjsRecord:
    try:
        if isinstance(stored, bytes):
            return _yjs.decode(stored)
    except (msgspec.MsgspecError, UnicodeError):
        pass
    raise _unreadable()


def _read_json(stored: object) -> JsonRecord:
    try:
        if isinstance(stored, bytes):
            return _json.decode(stored)
    except (msgspec.MsgspecError, UnicodeError):
        pass
    raise _unreadable()


def _unreadable() -> Unavailable:
    return Unavailable(
        "an update of this document cannot be read: restore it from a backup", code="unavailable"
    )
