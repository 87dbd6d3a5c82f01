"""Destroy (realtime.md 5.8)."""

from __future__ import annotations

from typing import Any

import pytest

from roomhost.actors import limits

from ..helpers.room_machine import Machine, at

DAY_MS = 86_400_000


def destroyed(**options: Any) -> Machine:
    """A room with everything in it, destroyed at 1,000 ms."""
    machine = Machine(**options)
    machine.do("metadata", metadata={"a": 1})
    machine.do("join", memberId="m")
    machine.do("publish", type="t", idempotencyKey="k")
    machine.do("snapshot")
    machine.now = 1_000
    machine.types()
    machine.do("destroy")
    return machine


@pytest.mark.parametrize(
    ("operation", "fields"),
    [
        ("publish", {"type": "t"}),
        ("publish", {"type": "t", "idempotencyKey": "k"}),
        ("broadcast", {"type": "t"}),
        ("join", {"memberId": "m"}),
        ("presence", {"memberId": "m"}),
        ("metadata", {"metadata": {}}),
        ("snapshot", {}),
        ("restore", {"snapshotId": "s"}),
        ("authorize", {"memberId": "m"}),
    ],
)
def test_writes_are_refused(operation: str, fields: dict[str, Any]) -> None:
    """410 `room_destroyed`, which no retry changes; by an evicted room too."""
    machine = destroyed()
    for _ in range(2):
        error = machine.refused(operation, **fields)
        assert (error.code, error.status, error.retryable) == ("room_destroyed", 410, False)
        machine.reload()


def test_leave_is_good() -> None:
    """Whoever leaves has left."""
    assert destroyed().do("leave", memberId="m")["leftAt"] == at(1_000)


def test_reads_are_good() -> None:
    """Messages stay, members and metadata are gone, lifecycle says when."""
    machine = destroyed()
    assert len(machine.do("history")["items"]) == 1
    assert machine.do("members") == machine.do("members", includeLeft=True) == []
    assert machine.do("metadata")["metadata"] == {}
    result = machine.do("lifecycle")
    assert (result["status"], result["destroyedAt"]) == ("destroyed", at(1_000))
    assert "idleSince" not in result


def test_everyone_is_told_and_disconnected_once() -> None:
    """Then nothing more is said, though it is destroyed again."""
    machine = destroyed()
    assert machine.pushed == [{"type": "room.destroyed", "destroyedAt": at(1_000)}]
    assert machine.closed == 1
    machine.do("destroy", deleteHistory=True)
    assert machine.types() == ["room.destroyed"]
    assert machine.closed == 1


def test_again_with_more_deletions() -> None:
    """The moment stays; a deletion once asked for stays true, whatever is asked for later."""
    machine = destroyed()
    machine.now = 9_000
    asked = [{}, {"deleteSnapshots": True}, {"deleteHistory": True}, {"deleteHistory": False}]
    results = [machine.do("destroy", **fields) for fields in asked]
    assert {result["destroyedAt"] for result in results} == {at(1_000)}
    flags = [(result["deletedHistory"], result["deletedSnapshots"]) for result in results]
    assert flags == [(False, False), (False, True), (True, True), (True, True)]
    assert not any(result["deletedCrdtUpdates"] for result in results)
    assert machine.do("destroy", deleteCrdtUpdates=True)["deletedCrdtUpdates"]
    machine.reload()
    assert machine.do("destroy")["deletedHistory"]


def test_a_deletion_is_true_though_nothing_was_there() -> None:
    """Of a room that nobody knows: none is left, on request."""
    machine = Machine()
    result = machine.do("destroy", deleteHistory=True, deleteSnapshots=True)
    assert (result["deletedHistory"], result["deletedSnapshots"]) == (True, True)
    assert machine.do("lifecycle")["status"] == "destroyed"
    assert machine.refused("publish", type="t").code == "room_destroyed"


def test_reads_see_nothing_before_the_rows_are_gone() -> None:
    """A large deletion goes on in the background, in parts."""
    machine = Machine()
    count = limits.SWEPT_AT_ONCE + 5
    for _ in range(count):
        machine.do("publish", type="t")
    machine.do("snapshot")
    machine.do("destroy", deleteHistory=True, deleteSnapshots=True)
    assert machine.do("history")["items"] == []
    assert machine.state.messages == 0
    for left in (5, 0):
        machine.now += 1
        machine.alarm()
        assert len(machine.store.list(prefix="m:")) == left
    machine.now += 1
    machine.alarm()
    assert not machine.store.list(prefix="sp:")
    assert machine.state.deadlines.next_ms is not None  # when the hot state is cleared


def test_hot_state_is_cleared_after_the_ttl() -> None:
    """Idempotency keys go, the mark stays, and so do the messages nobody asked to delete."""
    machine = destroyed(lifecycle={"destroyTtlSeconds": 60})
    machine.now = 60_999
    machine.alarm()
    assert machine.store.list(prefix="i:")
    machine.now = 61_000
    machine.alarm()
    assert not machine.store.list(prefix="i:")
    assert not machine.store.list(prefix="ix:")
    machine.reload()
    assert machine.do("lifecycle")["status"] == "destroyed"
    assert len(machine.do("history")["items"]) == 1
    assert machine.state.deadlines.next_ms is None
    machine.now = DAY_MS * 30
    assert machine.refused("publish", type="t").code == "room_destroyed"


def test_destroy_needs_admin() -> None:
    """A user's token has no `admin` by default."""
    from roomhost.actors.caller import DEFAULT_CAPABILITIES, Caller

    machine = Machine()
    caller = Caller(capabilities=DEFAULT_CAPABILITIES)
    for operation in ("destroy", "snapshot", "authorize"):
        assert machine.refused(operation, caller).code == "forbidden"
    assert machine.refused("restore", caller, snapshotId="x").code == "forbidden"
