"""Active and idle (realtime.md 5.8); destroyed is in test_destroy.py."""

from __future__ import annotations

from typing import Any

import pytest

from roomhost.actors.deadlines import Deadline
from roomhost.actors.lifecycle import is_idle_now

from ..helpers.room_machine import START_MS, Machine, at

IDLE_MS = 300_000


def test_an_unknown_room_is_idle() -> None:
    """With no connections and no moments."""
    assert Machine().do("lifecycle") == {
        "room": "lobby",
        "kind": "room",
        "status": "idle",
        "activeConnections": 0,
    }


@pytest.mark.parametrize("kind", ["room", "channel"])
def test_a_room_is_idle_exactly_at_the_ttl(kind: Any) -> None:
    """Active a millisecond before; idleSince is that moment however late it is asked."""
    machine = Machine(kind=kind)
    machine.do("publish", type="t")
    machine.now = IDLE_MS - 1
    active = machine.do("lifecycle")
    assert (active["status"], active["lastActivityAt"]) == ("active", at(0))
    assert "idleSince" not in active
    for late in (0, 1, 10 * IDLE_MS):
        machine.now = IDLE_MS + late
        idle = machine.do("lifecycle")
        assert (idle["status"], idle["idleSince"]) == ("idle", at(IDLE_MS))


def test_a_late_alarm_is_invisible() -> None:
    """Before it, after it, and after an eviction the answer is the same."""
    machine = Machine()
    machine.do("publish", type="t")
    machine.now = 5 * IDLE_MS
    before = machine.do("lifecycle")
    assert machine.step(is_idle_now)
    assert machine.do("lifecycle") == before
    machine.reload()
    assert machine.do("lifecycle") == before
    assert Deadline.IDLE not in machine.state.deadlines


def test_an_early_alarm_looks_again() -> None:
    """What has happened since moves the deadline."""
    machine = Machine()
    machine.do("publish", type="t")
    machine.now = IDLE_MS - 1
    machine.do("publish", type="t")
    machine.now = IDLE_MS
    assert not machine.step(is_idle_now)
    machine.now = 2 * IDLE_MS - 1
    assert machine.do("lifecycle")["idleSince"] == at(2 * IDLE_MS - 1)
    assert machine.step(is_idle_now)


def test_connections_keep_a_room_active() -> None:
    """However long ago the last activity was; after the last, idleSince counts from its loss."""
    machine = Machine()
    machine.do("publish", type="t")
    machine.connections = 2
    machine.now = 2 * IDLE_MS
    result = machine.do("lifecycle")
    assert (result["status"], result["activeConnections"]) == ("active", 2)
    assert not machine.step(is_idle_now)
    assert Deadline.IDLE in machine.state.deadlines
    machine.connections = 0
    machine.state.head.disconnected_ms = START_MS + machine.now
    assert machine.do("lifecycle")["status"] == "active"
    machine.now += IDLE_MS
    assert machine.do("lifecycle")["idleSince"] == at(3 * IDLE_MS)


def test_reads_are_no_activity() -> None:
    """Nor is lifecycle itself."""
    machine = Machine()
    machine.do("publish", type="t")
    machine.now = 1_000
    for operation in ("history", "members", "metadata", "lifecycle"):
        machine.do(operation)
    assert machine.do("lifecycle")["lastActivityAt"] == at(0)


def test_an_idle_room_is_active_again_by_a_write() -> None:
    """And has a deadline again."""
    machine = Machine(lifecycle={"idleTtlSeconds": 5})
    machine.do("publish", type="t")
    machine.now = 5_000
    assert machine.step(is_idle_now)
    machine.do("publish", type="t")
    assert machine.do("lifecycle")["status"] == "active"
    assert machine.state.deadlines.next_ms == START_MS + 10_000
