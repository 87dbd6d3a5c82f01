"""The directory of a module's rooms and channels: how many there are, what is in them, their names.

It is exact: what was acknowledged before `stats()` was called is counted, also after a crash, and
no room waits for another one. Rooms are spread over shards, each an object. Before a room's first
write is acknowledged its shard knows that its figures change (`mark`); whoever wants to know the
sums has the shards ask those rooms, and those only (realtime.md 5.8). After an answer a room marks
itself again before it writes.
"""

from __future__ import annotations

import hashlib
import heapq
from itertools import islice
from typing import TYPE_CHECKING, Any, TypedDict

from . import limits
from .errors import InvalidArgument
from .types import RealtimeRoomIdentity, RealtimeStats

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from ..bindings import DurableObjectNamespace, DurableObjectStub
    from .types import Kind


class Figures(TypedDict):
    """What is counted of one room. `version`: of the last change that these figures may contain;
    it never goes back. `rooms`: 1 when it was ever written and is not destroyed. `members`: active
    ones. `messages`: those retained, also of a destroyed room."""

    version: int
    rooms: int
    members: int
    messages: int


class Totals(TypedDict):
    """The sums of many rooms."""

    rooms: int
    members: int
    messages: int


class Directory:
    """What rooms and the module's handles call; `shards`: the objects of `DirectoryShard`.

    A call fails with the error of the shard; the next one is made over a new stub.
    """

    __slots__ = ("_shards",)

    def __init__(self, shards: DurableObjectNamespace) -> None:
        self._shards = shards

    async def mark(self, kind: Kind, name: str, version: int) -> int:
        """Have it known that a room's figures change. `version`: of the change, greater than that
        of every answer and report before. Returns the version to give the figures after the change,
        `version` or more; on disk by then."""
        known: int = await self._shard_of(kind, name).mark(kind, name, version)
        return known

    async def report(self, kind: Kind, name: str, figures: Figures) -> None:
        """Tell a room's figures unasked, so that it need not be asked."""
        await self._shard_of(kind, name).report(kind, name, figures)

    async def stats(self) -> RealtimeStats:
        """The sums of all rooms and channels, each at most 2,147,483,647."""
        sums: list[Totals] = await _results([shard.totals() for shard in self._all()])
        return RealtimeStats(
            rooms=_int32(sum(shard["rooms"] for shard in sums)),
            members=_int32(sum(shard["members"] for shard in sums)),
            messages=_int32(sum(shard["messages"] for shard in sums)),
        )

    async def rooms(
        self, kind: Kind = "room", after: str | None = None, limit: int | None = None
    ) -> list[RealtimeRoomIdentity]:
        """Those of a kind that were written and are not destroyed, by name, in the order of their
        UTF-8 bytes: at most `limit`, 100 when none is given, behind the name `after`. The next page
        is behind the last name of this one. A limit over 1,000 counts as 1,000.

        InvalidArgument: `kind` is neither `room` nor `channel`, `after` is no string of up to 255
        UTF-8 bytes, `limit` is no int above 0.
        """
        _check_kind(kind)
        _check_after(after)
        count = _page(limit)
        pages: list[list[str]] = await _results(
            [shard.rooms(kind, after, count) for shard in self._all()]
        )
        return [
            RealtimeRoomIdentity(kind=kind, name=name)
            for name in islice(heapq.merge(*pages), count)
        ]

    def _shard_of(self, kind: Kind, name: str) -> DurableObjectStub:
        return self._shard(shard_of(kind, name))

    def _all(self) -> list[DurableObjectStub]:
        return [self._shard(number) for number in range(limits.DIRECTORY_SHARDS)]

    def _shard(self, number: int) -> DurableObjectStub:
        # A new stub each time: one that has met a reset stays broken.
        return self._shards.get_by_name(str(number))


def shard_of(kind: str, name: str) -> int:
    """The number of the shard that has a room: the same always and everywhere."""
    digest = hashlib.sha256(f"{kind}:{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % limits.DIRECTORY_SHARDS


async def _results(calls: Sequence[Coroutine[Any, Any, Any]]) -> list[Any]:
    """What calls that are under way return, in their order; raises the first one's error."""
    try:
        return [await call for call in calls]
    finally:
        for call in calls:
            call.close()


def _int32(count: int) -> int:
    return min(count, limits.MAX_INT32)


def _check_kind(kind: object) -> None:
    if kind not in ("room", "channel"):
        raise InvalidArgument("kind is room or channel", field="kind")


def _check_after(after: object) -> None:
    if after is None:
        return

    try:
        if isinstance(after, str) and len(after.encode()) <= limits.MAX_NAME_BYTES:
            return
    except UnicodeEncodeError:
        pass
    raise InvalidArgument(
        f"after is a name of at most {limits.MAX_NAME_BYTES} bytes", field="after"
    )


def _page(limit: object) -> int:
    """How many names to give."""
    if limit is None:
        return limits.DEFAULT_ROOMS

    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
        raise InvalidArgument("limit is an integer above 0", field="limit")

    return min(limit, limits.MAX_PAGE)
