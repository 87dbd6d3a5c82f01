"""Many deadlines over one alarm (realtime.md 5.8)."""

from __future__ import annotations

from roomhost.actors.deadlines import Deadline, Deadlines

from ..helpers.dict_store import DictStore


def test_there_is_none_at_first() -> None:
    """Neither due nor next; to take one away that is not there does nothing."""
    table = Deadlines(DictStore())
    table.set(Deadline.IDLE, None)
    assert table.next_ms is None
    assert table.due(10**15) == []
    assert not table.changed


def test_the_next_is_the_earliest() -> None:
    """Whichever was set last; and `changed` says whether the alarm has to move."""
    table = Deadlines(DictStore())
    table.set(Deadline.IDLE, 20)
    assert (table.next_ms, table.changed) == (20, True)
    table.changed = False
    table.set(Deadline.PRESENCE, 30)
    assert (table.next_ms, table.changed) == (20, False)
    table.set(Deadline.PURGE, 10)
    assert (table.next_ms, table.changed) == (10, True)
    table.set(Deadline.PURGE, None)
    assert table.next_ms == 20


def test_at_latest_moves_only_forward() -> None:
    """A later moment leaves an earlier one."""
    table = Deadlines(DictStore())
    table.at_latest(Deadline.IDLE, 20)
    table.at_latest(Deadline.IDLE, 30)
    assert table.next_ms == 20
    table.at_latest(Deadline.IDLE, 10)
    assert table.next_ms == 10


def test_due_are_the_earliest_first() -> None:
    """At their moment exactly, not before; each stays until it is set again."""
    table = Deadlines(DictStore())
    table.set(Deadline.IDLE, 20)
    table.set(Deadline.PRESENCE, 10)
    assert table.due(9) == []
    assert table.due(10) == [Deadline.PRESENCE]
    assert table.due(20) == table.due(20) == [Deadline.PRESENCE, Deadline.IDLE]


def test_the_table_is_stored() -> None:
    """In the order of its moments; and only when it changes."""
    store = DictStore()
    table = Deadlines(store)
    table.set(Deadline.IDLE, 20)
    table.set(Deadline.PRESENCE, 10)
    assert list(store.get("deadlines").items()) == [("presence", 10), ("idle", 20)]
    writes = len(store.puts)
    table.set(Deadline.IDLE, 20)
    table.at_latest(Deadline.IDLE, 25)
    assert len(store.puts) == writes
    assert Deadlines(store).due(10) == [Deadline.PRESENCE]
    assert Deadline.IDLE in Deadlines(store)
