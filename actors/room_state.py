"""A room's state as its operations work on it: pure, over a store; no clock, no socket, no task.

An operation reads and writes the store, and says what the connections are to be told. Its shell runs
it in one turn: what it wrote is one batch, and what it says leaves when that is on disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from . import keys
from .awareness import Awareness
from .deadlines import Deadline, Deadlines
from .document import Document
from .errors import RoomDestroyed, Unavailable
from .head import Head, decode_head, encode_head
from .json_values import encode, timestamp
from .quarantine import Loading
from .records import published_at
from .update_log import newest_ms

if TYPE_CHECKING:
    from collections.abc import Callable

    from .options import LifecycleConfig, ModuleConfig
    from .store import Store
    from .types import Kind


class Push(msgspec.Struct, frozen=True):
    """A frame for everyone who listens, but for one connection."""

    frame: bytes
    but: str | None = None


class DocumentPush(msgspec.Struct, frozen=True):
    """What everyone who reads the document is told, but for one connection: `yjs`, a frame for those
    who speak y-protocols, and what `frame` makes for the others."""

    yjs: bytes | None
    frame: Callable[[], bytes] | None
    but: str | None = None


class RoomState:
    """One room or channel. `live(member_id)`: whether it has a socket; `connections()`: how many
    there are; `entropy(n)`: random bytes. Made anew after any error that is not a RealtimeError:
    what it holds must be what is stored."""

    def __init__(
        self,
        store: Store,
        kind: Kind,
        name: str,
        options: ModuleConfig,
        *,
        live: Callable[[str], bool],
        connections: Callable[[], int],
        entropy: Callable[[int], bytes],
        document: Document | None = None,
        awareness: Callable[[], Awareness] | None = None,
    ) -> None:
        self.store = store
        self.kind: Kind = kind
        self.name = name
        self.options = options
        self.live = live
        self.connections = connections
        self.entropy = entropy
        self.document = Document(store, Loading.unguarded()) if document is None else document
        alone = Awareness()
        self._awareness = awareness or (lambda: alone)
        self.pushes: list[Push | DocumentPush] = []
        self.closes_all = False  # after what is pushed now: the room is destroyed
        self.closes_documents = False  # likewise: the document is another one
        stored = store.get(keys.HEAD)
        self.exists = stored is not None
        self.head = Head() if stored is None else decode_head(stored)
        self.deadlines = Deadlines(store)
        self.seq = self.head.seq
        self.last_ms = self.head.last_ms
        self.activity_ms = self.head.activity_ms
        self._find_newest()

    @property
    def messages(self) -> int:
        """How many messages can be read."""
        return self.seq - self.head.first_seq + 1

    @property
    def is_destroyed(self) -> bool:
        """Whether the room has ended, and nothing has begun it anew."""
        return self.head.destroyed is not None

    @property
    def awareness(self) -> Awareness:
        """Who is aware in the document: in the process alone, whatever becomes of the turn."""
        return self._awareness()

    @property
    def document_epoch(self) -> str | None:
        """Which document there is; None: none, or it cannot be read."""
        try:
            return self.document.epoch
        except Unavailable:
            return None

    @property
    def next_generation(self) -> int:
        """The life that a write of now would be in."""
        return self.head.generation + (1 if self.is_destroyed else 0)

    def tick(self, now_ms: int) -> int:
        """The room's time: never before what it has said already (realtime.md 5.1)."""
        self.last_ms = max(self.last_ms, now_ms)
        return self.last_ms

    def begin_write(self, now_ms: int) -> int:
        """Every write starts here: the room lives, or lives again, and is active. Returns its time.

        RoomDestroyed: it has ended for good.
        """
        if self.is_destroyed:
            self._recreate()
        now_ms = self.tick(now_ms)
        self.active(now_ms)
        if not self.head.written:
            self.begin_life(now_ms)
            self.head.written = True
            self.head.created_ms = now_ms
            self.save()
        return now_ms

    def begin_life(self, now_ms: int) -> None:
        """Have an epoch, so that what comes now can be resumed from."""
        if not self.head.epoch:
            self.head.epoch = f"{self.head.generation}-{self.entropy(4).hex()}"
            self.tick(now_ms)
            self.save()

    def active(self, now_ms: int) -> None:
        """Something has happened: the room is idle only a while later (5.8)."""
        self.activity_ms = max(self.activity_ms, now_ms)
        if Deadline.IDLE not in self.deadlines:
            idle_ms = self.lifecycle.idle_ttl_seconds * 1000
            self.deadlines.at_latest(Deadline.IDLE, now_ms + idle_ms)

    def check_alive(self) -> None:
        """RoomDestroyed: the room has ended for good."""
        if self.is_destroyed and not self.lifecycle.allow_recreate:
            raise RoomDestroyed(f"the {self.kind} {self.name!r} was destroyed")

    def save(self) -> None:
        """Store the head, as far as everything has come."""
        head = self.head
        head.seq, head.last_ms, head.activity_ms = self.seq, self.last_ms, self.activity_ms
        self.store.put(keys.HEAD, encode_head(head))
        self.exists = True

    def push(self, kind: str, but: str | None = None, **fields: Any) -> None:
        """Tell the connections of an event: `{"type": kind, ...fields}`."""
        self.pushes.append(Push(encode({"type": kind, **fields}), but))

    def identity(self) -> dict[str, str]:
        """What names the room in every result."""
        return {"room": self.name, "kind": self.kind}

    @property
    def lifecycle(self) -> LifecycleConfig:
        """The module's options of a room's life."""
        return self.options.lifecycle

    def at(self, ms: int) -> str:
        """A moment, as clients read it."""
        return timestamp(ms)

    def _recreate(self) -> None:
        """A new life under the same name: what is retained can be read, all else begins anew, and
        what was given out for the old life counts no more."""
        self.check_alive()
        head = self.head
        self.store.delete(keys.METADATA)
        if not self.document.kept.is_empty:
            self.document.end()
            self.deadlines.at_latest(Deadline.PURGE, self.last_ms + 1)
        self.deadlines.set(Deadline.DESTROYED, None)
        self.head = Head(
            generation=head.generation + 1,
            first_seq=head.first_seq,
            version=head.version,
        )

    def _find_newest(self) -> None:
        # A publish stores its message alone: where the order has come to is read from there.
        newest = self.store.list(prefix=keys.MESSAGES, reverse=True, limit=1)
        for key, record in newest.items():
            self.seq = max(self.seq, keys.seq_of(key))
            published_ms = published_at(record)
            self.last_ms = max(self.last_ms, published_ms)
            self.activity_ms = max(self.activity_ms, published_ms)
        # An update of the document likewise.
        applied_ms = newest_ms(self.store)
        self.last_ms = max(self.last_ms, applied_ms)
        self.activity_ms = max(self.activity_ms, applied_ms)
