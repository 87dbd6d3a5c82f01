"""The rates of HTTP clients: in one room, and in all of them."""

from __future__ import annotations

from typing import Any

import pytest

from roomhost.actors import limits
from roomhost.actors.buckets import Buckets
from roomhost.actors.caller import Caller
from roomhost.actors.errors import RateLimited
from roomhost.actors.targets import Endpoint, Target
from roomhost.actors.types import RealtimePrincipal

SCOPE: dict[str, Any] = {"client": ("192.0.2.1", 5)}
ANN = Caller.user_caller(RealtimePrincipal(kind="user", user_id="ann", id="ann"))
NOBODY = Caller.user_caller(RealtimePrincipal(kind="anonymous", id="x"))


def taken(caller: Caller, rooms: int, buckets: Buckets) -> int:
    """How many requests of a caller pass, one to each room."""
    count = 0
    for number in range(rooms):
        try:
            buckets.take(Target(Endpoint.STATS, name=str(number)), caller, SCOPE, 0)
        except RateLimited:
            return count
        count += 1
    return count


def test_one_client_has_a_rate_in_all_rooms_together() -> None:
    """Which others, and a trusted caller, do not feel."""
    buckets = Buckets()
    assert taken(ANN, 3_000, buckets) == limits.CLIENT_RATE_BURST
    assert taken(Caller.trusted_caller(), 3_000, buckets) == 3_000
    bob = Caller.user_caller(RealtimePrincipal(kind="user", user_id="bob", id="bob"))
    assert taken(bob, 10, buckets) == 10


def test_an_address_has_none_that_many_may_share() -> None:
    """Only a rate in each room; and what is remembered is bounded."""
    buckets = Buckets()
    assert taken(NOBODY, 11_000, buckets) == 11_000
    assert len(buckets) == limits.MAX_BUCKETS


def test_a_room_has_its_own() -> None:
    """As a connection has."""
    buckets = Buckets()
    target = Target(Endpoint.STATS, name="a")
    for _ in range(limits.RATE_BURST):
        buckets.take(target, ANN, SCOPE, 0)
    with pytest.raises(RateLimited):
        buckets.take(target, ANN, SCOPE, 0)
