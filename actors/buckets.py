"""How often one client may call one room over HTTP, and all of them together: a token bucket for each,
of a bounded number."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

from .limits import (
    CLIENT_RATE_BURST,
    CLIENT_RATE_PER_SECOND,
    MAX_BUCKETS,
    RATE_BURST,
    RATE_PER_SECOND,
)
from .rate import Bucket

if TYPE_CHECKING:
    from ..runtime.application import Scope
    from .caller import Caller
    from .targets import Target


PEER = "peer"  # many may share an address


class Buckets:
    """The same rate as that of a connection (realtime.md 2.13); in all rooms together a higher one, of
    who is known by more than an address. The least recently used bucket is
    forgotten when there are too many: it is full again by then, or nearly."""

    __slots__ = ("_buckets",)

    def __init__(self) -> None:
        self._buckets: OrderedDict[tuple[str, ...], Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, target: Target, caller: Caller, scope: Scope, now_ms: int) -> None:
        """Count a request. RateLimited: too many. A trusted caller may call as often as it likes."""
        if caller.trusted:
            return

        who = _who(caller, scope)
        if who[0] != PEER:
            # Who has rooms by the thousand could do all that one room forbids in the next one.
            self._bucket((*who,), now_ms, CLIENT_RATE_PER_SECOND, CLIENT_RATE_BURST).take(now_ms)
        key = (target.kind, target.name, *who)
        self._bucket(key, now_ms, RATE_PER_SECOND, RATE_BURST).take(now_ms)

    def _bucket(self, key: tuple[str, ...], now_ms: int, per_second: int, burst: int) -> Bucket:
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = Bucket(now_ms, per_second, burst)
            if len(self._buckets) > MAX_BUCKETS:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(key)
        return bucket


def _who(caller: Caller, scope: Scope) -> tuple[str, str]:
    """The member, or the peer's address: somebody anonymous is somebody else each time."""
    if caller.member_id is not None:
        return "member", caller.member_id

    actor = caller.actor
    if actor is not None and actor.user_id is not None:
        return "member", actor.user_id

    if actor is not None and actor.session_id is not None:
        return "session", actor.session_id

    peer = scope.get("client")
    return PEER, str(peer[0]) if peer else ""
