"""Retention: what the module's options take away, the oldest first (realtime.md 5.1)."""

from __future__ import annotations

from typing import Any

from roomhost.actors import limits

from ..helpers.room_machine import Machine


def data(machine: Machine) -> list[Any]:
    """What can be read, newest first."""
    return [item["data"] for item in machine.do("history", limit=1_000)["items"]]


def publish(machine: Machine, count: int) -> None:
    """So many messages."""
    for _ in range(count):
        machine.do("publish", type="t", data=machine.state.seq + 1)


def test_nothing_is_taken_away_by_default() -> None:
    """However old or many."""
    machine = Machine()
    publish(machine, 5)
    machine.now = 10**10
    machine.alarm()
    assert data(machine) == [5, 4, 3, 2, 1]


def test_so_many_are_kept() -> None:
    """The newest; the rows of the others are gone, and the order goes on."""
    machine = Machine(retention={"maxMessages": 3})
    publish(machine, 3)
    machine.now = 1
    assert "retention" not in machine.alarm()
    publish(machine, 2)
    machine.now = 2
    machine.alarm()
    assert data(machine) == [5, 4, 3]
    assert len(machine.store.list(prefix="m:")) == machine.state.messages == 3
    machine.reload()
    publish(machine, 1)
    assert data(machine)[0] == 6


def test_they_are_kept_so_long() -> None:
    """To the millisecond; all of them may go, and the order goes on all the same."""
    machine = Machine(retention={"maxAgeSeconds": 10})
    publish(machine, 2)
    machine.now = 4_000
    publish(machine, 1)
    machine.now = 9_999
    machine.alarm()
    assert data(machine) == [3, 2, 1]
    machine.now = 10_000
    machine.alarm()
    assert data(machine) == [3]
    machine.now = 14_000
    assert machine.alarm() == ["retention"]
    assert data(machine) == []
    machine.reload()
    publish(machine, 1)
    assert data(machine) == [4]
    assert "retention" in {deadline.value for deadline in machine.state.deadlines.due(10**15)}


def test_many_go_in_parts() -> None:
    """So many rows at once, then again; reads see none of them from the first on."""
    machine = Machine(retention={"maxMessages": 1})
    publish(machine, limits.SWEPT_AT_ONCE + 10)
    machine.now = 1
    machine.alarm()
    assert len(data(machine)) == 1
    assert len(machine.store.list(prefix="m:")) == 10
    machine.now = 2
    assert machine.alarm() == ["purge"]
    assert len(machine.store.list(prefix="m:")) == 1


def test_many_old_ones_go_in_parts() -> None:
    """Those that one sweep did not look at are looked at by the next, at once."""
    machine = Machine(retention={"maxAgeSeconds": 1})
    publish(machine, limits.SWEPT_AT_ONCE + 10)
    machine.now = 1_000
    machine.alarm()
    machine.now = 1_001
    machine.alarm()
    assert data(machine) == []
    assert not machine.store.list(prefix="m:")
