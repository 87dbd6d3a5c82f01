"""One shard of the directory, as an actor."""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING, Any, ClassVar

import anyio

from ..runtime import DurableObject
from . import limits
from .directory_rows import RoomKey, Rows

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable

    from ..runtime import DurableObjectState
    from .directory import Figures, Totals
    from .instance import RealtimeInstance
    from .types import Kind

logger = logging.getLogger("roomhost.actors")


class DirectoryShard(DurableObject):
    """A part of the rooms of a module. `binding` is set by the module, in a class of its own. Rooms
    and handles reach it through `Directory`.

    `mark` and `report` never wait for rooms that are asked: a room waits for its `mark` with its
    gate closed, and so cannot answer meanwhile.
    """

    binding: ClassVar[str] = ""

    def __init__(self, ctx: DurableObjectState, env: Any) -> None:
        super().__init__(ctx, env)
        self._rows = Rows(ctx.storage.kv)
        self._asked: set[RoomKey] = set()  # whose answers have not been written down
        self._silent: set[RoomKey] = set()  # who could not answer when asked last
        # Rounds of asking: one at a time.
        self._round: anyio.Event | None = None
        self._begun = 0
        self._ended = 0  # the last one that ended well

    async def mark(self, kind: Kind, name: str, version: int) -> int:
        """A room's figures change: see `Directory.mark`. On disk when this returns."""
        key = RoomKey(kind, name)
        return self._rows.mark(key, version, asked=key in self._asked)

    async def report(self, kind: Kind, name: str, figures: Figures) -> None:
        """A room's figures, unasked. Those that are older than what is known are ignored."""
        self._rows.record(RoomKey(kind, name), figures)

    async def totals(self) -> Totals:
        """The sums over the rooms of this shard, with all that was acknowledged before this call. A
        room that cannot answer counts as it was when it was heard of last."""
        await self._catch_up()
        return self._rows.totals()

    async def rooms(self, kind: Kind, after: str | None, limit: int) -> list[str]:
        """The names of the rooms that there are, by the same rule: see `Directory.rooms`."""
        await self._catch_up()
        return self._rows.names(kind, after, limit)

    async def _catch_up(self) -> None:
        """Return when each room that is dirty now has been asked since.

        A round that runs already may have asked a room before its last change: callers wait for it
        and then share the next one.
        """
        before = self._begun
        while self._ended <= before:
            if self._round is None:
                await self._run_round()
            else:
                await self._round.wait()

    async def _run_round(self) -> None:
        self._begun += 1
        number = self._begun
        ended = self._round = anyio.Event()
        try:
            await self._ask(self._rows.dirty())
            self._ended = number
        finally:
            ended.set()
            self._round = None

    async def _ask(self, keys: Iterable[RoomKey]) -> None:
        """Ask rooms, several at the same time, and write down what they answer.

        A call is sent when it is made, so no task but the handler's own is needed: its writes are
        gated, those of another would not be.
        """
        waiting: deque[tuple[RoomKey, int, Coroutine[Any, Any, Figures]]] = deque()
        try:
            for key in keys:
                if len(waiting) == limits.DIRECTORY_QUERIES:
                    await self._hear(*waiting.popleft())
                version = self._rows.dirty_version(key)
                if version is not None:  # it may have reported meanwhile
                    self._asked.add(key)
                    waiting.append((key, version, self._call(key, version)))
            while waiting:
                await self._hear(*waiting.popleft())
        finally:
            for key, _, call in waiting:
                self._asked.discard(key)
                call.close()

    async def _hear(self, key: RoomKey, version: int, call: Coroutine[Any, Any, Figures]) -> None:
        try:
            figures = await self._answer(key, version, call)
        except Exception as error:
            if key not in self._silent:
                self._silent.add(key)
                logger.warning(
                    "the %s %r cannot say its figures, its last ones count: %r", *key, error
                )
        else:
            self._silent.discard(key)
            self._rows.record(key, figures)
        finally:
            self._asked.discard(key)

    async def _answer(
        self, key: RoomKey, version: int, call: Coroutine[Any, Any, Figures]
    ) -> Figures:
        try:
            return await call
        except Exception as error:
            if not getattr(error, "durable_object_reset", False):
                raise

        # It was reset while it was asked: its next instance knows as well.
        return await self._call(key, version)

    def _call(self, key: RoomKey, version: int) -> Coroutine[Any, Any, Figures]:
        module: RealtimeInstance = self.env[self.binding]
        return module.stub(key.kind, key.name).figures(version)
