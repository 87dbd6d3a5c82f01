"""One turn of a room: a step of pure code on its state, stored whole or not at all.

What a step wrote, the alarm it moved and the head it changed are one batch. What it says leaves
through the output gate, when that batch is on disk. A step that fails leaves nothing, in storage or
in memory.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from . import limits
from .document import Document
from .errors import DocumentEpochChanged, RealtimeError, RoomDestroyed, Unavailable
from .lifecycle import idle_ttl_ms
from .members import active_members
from .quarantine import Loading
from .room_state import RoomState

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..runtime import DurableObjectState
    from .directory import Figures
    from .instance import Services
    from .sockets import Sockets
    from .types import Kind

T = TypeVar("T")
logger = logging.getLogger("roomhost.actors")


class Turns:
    """Of one instance of a room. `before_write` comes before a step that writes: the directory has
    to know that the room's figures change, once until it has asked for them."""

    __slots__ = (
        "_ctx",
        "_document",
        "_document_ms",
        "_kind",
        "_marked",
        "_name",
        "_services",
        "_sockets",
        "_state",
    )

    def __init__(
        self, ctx: DurableObjectState, kind: Kind, services: Services, sockets: Sockets
    ) -> None:
        self._ctx = ctx
        self._kind: Kind = kind
        self._name = ctx.id.name or ""
        self._services = services
        self._sockets = sockets
        self._state: RoomState | None = None
        loading = Loading(services.quarantines, "document", self._name, services.monotonic_ms)
        self._document = Document(ctx.storage.kv, loading)
        self._document_ms = 0  # when it was used last, as far as it was looked at
        self._marked = 0  # the version of figures that the directory waits for; 0: none

    @property
    def name(self) -> str:
        """The room's."""
        return self._name

    @property
    def now_ms(self) -> int:
        """The host's time."""
        return self._services.now_ms()

    @property
    def monotonic_ms(self) -> int:
        """The host's time that only passes."""
        return self._services.monotonic_ms()

    def load(self) -> RoomState:
        """The room's state. Unavailable: it cannot be read, and is left as it is."""
        state = self._state
        if state is not None:
            return state

        now_ms = self.monotonic_ms
        quarantines = self._services.quarantines
        quarantines.check(self._kind, self._name, now_ms)
        try:
            state = self._read()
        except Exception as error:
            raise quarantines.failed(self._kind, self._name, error, now_ms) from error

        quarantines.loaded(self._kind, self._name)
        self._state = state
        return state

    def run(self, step: Callable[[RoomState, int], T]) -> T:
        """Run a step, given the state and the time; send what it pushes."""
        state = self.load()
        try:
            result: T = self._ctx.storage.transaction_sync(lambda: self._step(state, step))
        except BaseException:
            self._state = None  # what it changed in memory was not stored
            self._document.roll_back()
            raise

        self._document.settle()
        self._services.awareness.tidy(self._name)
        pushes, state.pushes = state.pushes, []
        self._sockets.push(pushes)
        if state.closes_documents:
            state.closes_documents = False
            self._sockets.close_documents(DocumentEpochChanged("the document was replaced"))
        if state.closes_all:
            state.closes_all = False
            self._services.awareness.forget(self._name)
            ended = RoomDestroyed(f"the {state.kind} {state.name!r} was destroyed")
            self._sockets.close_all(ended)
        if self._document.wants_checkpoint:
            self.compact()
        return result

    def compact(self) -> int:
        """Have a checkpoint of the document, in a turn of its own; how many updates are new in it. That
        it failed is logged: nothing is lost by it, and the next one may succeed."""
        try:
            return self.run(_compact)
        except RealtimeError as error:
            logger.error("the document of %r cannot be compacted", self._name, exc_info=error)
            return 0

    def rest_document(self) -> None:
        """Some time has passed: a document that nobody has used in it leaves memory."""
        now_ms = self.monotonic_ms
        if self._document.take_used():
            self._document_ms = now_ms
        elif self._document_ms + limits.DOCUMENT_IDLE_SECONDS * 1000 <= now_ms:
            self._document.unload()

    def compact_idle_document(self) -> None:
        """Have a checkpoint of a document that nobody has changed for the time after which a room is
        idle."""
        state = self.load()
        try:
            changed_ms = self._document.changed_ms()
        except Unavailable:
            return  # which is told to those who use it

        idle_ms = self.now_ms - idle_ttl_ms(state)
        if changed_ms is not None and changed_ms <= idle_ms and not state.is_destroyed:
            self.compact()
            self._document.unload()

    async def before_write(self) -> None:
        """Tell the directory, once, that the figures change. Unavailable: it cannot be told; so
        nothing is written, or its sums would be wrong for ever after a crash."""
        if self._marked:
            return

        # Everything else waits, so that the order of calls stays the order of writes.
        failure = await self._ctx.block_concurrency_while(self._mark)
        if failure is not None:
            raise failure

    def figures(self, version: int) -> Figures:
        """What the directory counts, as of now; `version`: of the change it has heard of last. From
        here on it is told again before a write."""
        state = self.load()
        head = state.head
        head.version = max(head.version, self._marked, version)
        if state.exists:
            self.run(lambda state, now_ms: state.save())
        self._marked = 0
        counts = head.written and not state.is_destroyed
        return {
            "version": head.version,
            "rooms": int(counts),
            "members": active_members(state, state.tick(self.now_ms)),
            "messages": state.messages,
        }

    async def report(self) -> None:
        """Tell the directory the figures, unasked: the room is about to be quiet for long."""
        # An instance that was evicted since the mark has forgotten it: this would be its version.
        figures = self.figures(self._marked or self.load().head.version + 1)
        await self._services.directory.report(self._kind, self._name, figures)

    def arm(self, when_ms: int | None) -> None:
        """Have the alarm at a moment, or not at all."""
        storage = self._ctx.storage
        if when_ms is None:
            storage.delete_alarm()
        else:
            storage.set_alarm(when_ms)

    def _step(self, state: RoomState, step: Callable[[RoomState, int], T]) -> T:
        result = step(state, self.now_ms)
        if state.deadlines.changed:
            state.deadlines.changed = False
            self.arm(state.deadlines.next_ms)
        return result

    async def _mark(self) -> RealtimeError | None:
        # What is raised here would reset the room: it is returned.
        try:
            version = self.load().head.version + 1
            version = await self._services.directory.mark(self._kind, self._name, version)
        except RealtimeError as error:
            return error
        except Exception as error:
            failure = Unavailable(f"the directory of rooms cannot be told: {error}")
            failure.__cause__ = error
            return failure

        self._marked = version
        return None

    def _read(self) -> RoomState:
        return RoomState(
            self._ctx.storage.kv,
            self._kind,
            self._name,
            self._services.options,
            live=self._sockets.is_live,
            connections=self._sockets.__len__,
            entropy=self._services.entropy,
            document=self._document,
            # Not by a function that refers to this: what is evicted is to be free at once.
            awareness=partial(self._services.awareness.open, self._name),
        )


def _compact(state: RoomState, _now_ms: int) -> int:
    state.save()  # when the room was active is not told by its updates any more
    return state.document.compact()
