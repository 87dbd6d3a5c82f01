"""A room's metadata: replaced whole, or read (realtime.md 5.3)."""

from __future__ import annotations

from roomhost.actors import limits
from roomhost.actors.caller import Caller

from ..helpers.room_machine import Machine, at


def test_metadata_has_a_bound() -> None:
    """64 KiB of JSON."""
    machine = Machine()
    largest = {"k": "x" * (limits.MAX_ROOM_METADATA_BYTES - len('{"k":""}'))}
    machine.do("metadata", metadata=largest)
    largest["k"] += "x"
    error = machine.refused("metadata", metadata=largest)
    assert (error.code, error.field) == ("payload_too_large", "metadata")


def test_writing_needs_publish() -> None:
    """A caller that may only subscribe reads it."""
    reader = Caller(capabilities=("subscribe",))
    machine = Machine()
    assert machine.refused("metadata", reader, metadata={}).code == "forbidden"
    assert machine.do("metadata", reader)["metadata"] == {}


def test_it_is_replaced_whole() -> None:
    """Nothing is merged, `{}` empties it; everyone is told; it outlives an eviction."""
    machine = Machine()
    machine.do("metadata", metadata={"a": 1, "b": 2})
    machine.now = 5
    result = machine.do("metadata", metadata={"a": None})
    assert result == {
        "room": "lobby",
        "kind": "room",
        "metadata": {"a": None},
        "updatedAt": at(5),
    }
    assert machine.pushed[-1] == {
        "type": "room.metadata",
        "metadata": {"a": None},
        "updatedAt": at(5),
    }
    machine.reload()
    assert machine.do("metadata") == result
    assert machine.do("metadata", metadata={})["metadata"] == {}


def test_read_says_when_it_changed_last() -> None:
    """Or when the room was made, if never; null is as absent, and writes nothing."""
    machine = Machine()
    machine.now = 3
    machine.do("publish", type="t")
    machine.now = 9
    before = dict(machine.store.rows)
    assert machine.do("metadata", metadata=None)["updatedAt"] == at(3)
    assert machine.store.rows == before
