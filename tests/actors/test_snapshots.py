"""Snapshot and restore (realtime.md 5.5)."""

from __future__ import annotations

import pytest

from roomhost.actors import limits

from ..helpers.room_machine import Machine, at


def test_there_is_none_of_an_unknown_room() -> None:
    """Nothing was ever written: `not_found`, and nothing is written."""
    assert Machine().refused("snapshot").code == "not_found"


@pytest.mark.parametrize("allow", [False, True])
def test_there_is_none_of_a_destroyed_room(allow: bool) -> None:
    """It begins no new life either."""
    machine = Machine(lifecycle={"allowRecreate": allow})
    machine.do("publish", type="t")
    machine.do("destroy")
    assert machine.refused("snapshot").code == ("not_found" if allow else "room_destroyed")


def test_an_unknown_snapshot_is_not_found() -> None:
    """Nor one of another room, whose ids say nothing here; a destroyed room stays as it is."""
    other = Machine(name="other")
    other.do("publish", type="t")
    foreign = other.do("snapshot")["snapshotId"]
    machine = Machine(lifecycle={"allowRecreate": True})
    machine.do("publish", type="t")
    for snapshot_id in ("x", foreign):
        error = machine.refused("restore", snapshotId=snapshot_id)
        assert (error.code, error.status) == ("not_found", 404)
    machine.do("destroy")
    assert machine.refused("restore", snapshotId="x").code == "not_found"


def test_a_snapshot_too_large_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a part of it nor activity."""
    monkeypatch.setattr(limits, "MAX_SNAPSHOT_BYTES", 500)
    machine = Machine()
    machine.do("metadata", metadata={"k": "x" * 500})
    machine.now = 1_000
    assert machine.refused("snapshot").code == "payload_too_large"
    assert machine.do("lifecycle")["lastActivityAt"] == at(0)


def test_a_room_keeps_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """One more is refused."""
    monkeypatch.setattr(limits, "MAX_SNAPSHOTS", 2)
    machine = Machine()
    machine.do("publish", type="t")
    machine.do("snapshot")
    machine.do("snapshot")
    assert machine.refused("snapshot").code == "payload_too_large"


def test_what_a_snapshot_holds() -> None:
    """Metadata, active members in their order, the newest messages; at one point of the order."""
    machine = Machine(historyLimit=2)
    machine.do("join", memberId="gone")
    machine.now = 50_000
    machine.do("metadata", metadata={"a": 1})
    machine.do("join", memberId="b", presence={"x": 1})
    machine.do("join", memberId="a")
    machine.do("join", memberId="left")
    machine.do("leave", memberId="left")
    for number in range(3):
        machine.do("publish", type="t", data=number)
    machine.now = 60_000  # when `gone` expires
    members, page = machine.do("members"), machine.do("history")
    result = machine.do("snapshot")
    assert result["createdAt"] == at(60_000)
    assert result["state"] == {
        "version": 1,
        "seq": 3,
        "epoch": machine.state.head.epoch,
        "metadata": {"a": 1},
        "members": members,
        "messages": page["items"],
    }
    assert [member["memberId"] for member in members] == ["a", "b"]
    assert [message["data"] for message in page["items"]] == [2, 1]


def test_a_large_snapshot_is_kept_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """And read again whole."""
    monkeypatch.setattr(limits, "SNAPSHOT_PART_BYTES", 64)
    machine = Machine()
    machine.do("metadata", metadata={"k": "é" * 500})
    snapshot_id = machine.do("snapshot")["snapshotId"]
    assert len(machine.store.list(prefix="sp:")) > 10
    machine.do("metadata", metadata={})
    machine.do("restore", snapshotId=snapshot_id)
    assert machine.do("metadata")["metadata"] == {"k": "é" * 500}


def test_restore_is_a_step_forward() -> None:
    """Metadata as it was; messages stay, and one more marks the point; those who are still here
    have their presence and metadata of then, nobody comes back."""
    machine = Machine()
    machine.do("metadata", metadata={"a": 1})
    for member in ("stays", "left", "expired"):
        machine.do("join", memberId=member, presence={"of": member}, metadata={"m": 1})
    machine.do("publish", type="before")
    snapshot_id = machine.do("snapshot")["snapshotId"]
    machine.do("metadata", metadata={"b": 2})
    machine.do("publish", type="since")
    machine.do("leave", memberId="left")
    machine.now = 59_000
    machine.do("presence", memberId="stays", presence={"new": 1})
    machine.do("join", memberId="came", presence={"c": 1})
    machine.now = 60_000
    machine.types()
    result = machine.do("restore", snapshotId=snapshot_id)
    assert result == {
        "room": "lobby",
        "kind": "room",
        "snapshotId": snapshot_id,
        "restoredAt": at(60_000),
    }
    assert machine.do("metadata")["metadata"] == {"a": 1}
    assert machine.do("metadata")["updatedAt"] == at(60_000)
    items = machine.do("history")["items"]
    assert [item["type"] for item in items] == ["room.restored", "since", "before"]
    assert items[0]["data"] == {"snapshotId": snapshot_id}
    stays, came = machine.do("members")
    assert (stays["presence"], stays["metadata"]) == ({"of": "stays"}, {"m": 1})
    assert (stays["joinedAt"], stays["lastSeenAt"]) == (at(0), at(59_000))
    assert came["presence"] == {"c": 1}
    assert machine.types() == ["message", "room.restored", "room.metadata", "member.updated"]


def test_restore_twice() -> None:
    """Each is one, with a moment and a message of its own."""
    machine = Machine()
    machine.do("publish", type="t")
    snapshot_id = machine.do("snapshot")["snapshotId"]
    first = machine.do("restore", snapshotId=snapshot_id)
    machine.now = 1_000
    second = machine.do("restore", snapshotId=snapshot_id)
    assert (first["restoredAt"], second["restoredAt"]) == (at(0), at(1_000))
    assert len(machine.do("history")["items"]) == 3


def test_restore_of_a_destroyed_room() -> None:
    """Refused; but where rooms begin anew, it does, with the snapshot of its old life."""
    for allow in (False, True):
        machine = Machine(lifecycle={"allowRecreate": allow})
        machine.do("metadata", metadata={"a": 1})
        snapshot_id = machine.do("snapshot")["snapshotId"]
        machine.do("destroy")
        if allow:
            machine.do("restore", snapshotId=snapshot_id)
            machine.reload()
            assert machine.do("metadata")["metadata"] == {"a": 1}
            assert machine.do("lifecycle")["status"] == "active"
        else:
            assert machine.refused("restore", snapshotId=snapshot_id).code == "room_destroyed"


def test_a_snapshot_is_activity_that_outlives_the_instance() -> None:
    """It is a write like others (5.8)."""
    machine = Machine()
    machine.do("publish", type="t")
    machine.now = 1_000
    machine.do("snapshot")
    machine.reload()
    assert machine.do("lifecycle")["lastActivityAt"] == at(1_000)
