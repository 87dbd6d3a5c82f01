"""A destroyed room that begins anew, where the module allows it (realtime.md 5.8)."""

from __future__ import annotations

from typing import Any

import pytest

from roomhost.actors import lifecycle
from roomhost.actors.caller import DEFAULT_CAPABILITIES, Caller
from roomhost.actors.types import RealtimePrincipal

from ..helpers.room_machine import START_MS, Machine, at


def ended(**destroy: Any) -> Machine:
    """A room that has ended at 1,000 ms."""
    machine = Machine(lifecycle={"allowRecreate": True, "destroyTtlSeconds": 60})
    machine.do("metadata", metadata={"a": 1})
    machine.do("join", memberId="m")
    machine.do("publish", type="old")
    machine.now = 1_000
    machine.do("destroy", **destroy)
    machine.types()
    machine.now = 2_000
    return machine


def token(generation: int) -> Caller:
    """A caller with a token of a life of the room."""
    actor = RealtimePrincipal(kind="user", id="m", user_id="m")
    return Caller(
        actor=actor, member_id="m", capabilities=DEFAULT_CAPABILITIES, generation=generation
    )


def test_tokens_of_the_old_life_are_void() -> None:
    """Before the new one begins, and after."""
    machine = ended()
    assert machine.refused("publish", token(1), type="t").code == "unauthenticated"
    machine.do("publish", type="new")
    assert machine.refused("publish", token(1), type="t").code == "unauthenticated"
    machine.do("publish", token(2), type="t")


def test_a_token_for_the_new_life_begins_it() -> None:
    """`authorize` writes nothing, and gives a token of the next generation."""
    machine = ended()
    before = dict(machine.store.rows)
    machine.do("authorize", memberId="m")
    assert machine.store.rows == before
    machine.do("publish", token(2), type="t")
    assert machine.do("lifecycle")["status"] == "active"


@pytest.mark.parametrize(
    ("operation", "fields"),
    [
        ("publish", {"type": "new"}),
        ("join", {"memberId": "n"}),
        ("metadata", {"metadata": {"b": 1}}),
    ],
)
def test_the_first_write_begins_it(operation: str, fields: dict[str, Any]) -> None:
    """With an epoch of its own, and it is stored: an evicted room knows it."""
    machine = ended()
    epoch = machine.state.head.epoch
    machine.do(operation, **fields)
    machine.reload()
    head = machine.state.head
    assert (head.generation, head.written, head.created_ms) == (2, True, START_MS + 2_000)
    assert head.epoch.startswith("2-")
    assert head.epoch != epoch
    assert machine.do("lifecycle")["status"] == "active"


def test_nothing_of_the_old_life_is_in_the_new() -> None:
    """No members, no metadata; who was a member is none."""
    machine = ended()
    assert machine.refused("presence", memberId="m").code == "not_a_member"
    machine.do("publish", type="new")
    assert machine.do("members", includeLeft=True) == []
    result = machine.do("metadata")
    assert (result["metadata"], result["updatedAt"]) == ({}, at(2_000))


def test_messages_go_on() -> None:
    """What is retained can be read, and the order continues; fresh if it was deleted."""
    for delete, types in ((False, ["new", "old"]), (True, ["new"])):
        machine = ended(deleteHistory=delete)
        machine.do("publish", type="new")
        machine.reload()
        assert [item["type"] for item in machine.do("history")["items"]] == types
        assert machine.pushed[-1]["seq"] == 2


def test_reads_do_not_begin_it() -> None:
    """It stays destroyed until somebody writes."""
    machine = ended()
    for operation in ("history", "members", "metadata", "lifecycle"):
        machine.do(operation)
    machine.do("leave", memberId="m")
    assert machine.do("lifecycle")["status"] == "destroyed"


def test_the_old_end_clears_nothing_of_the_new_life() -> None:
    """Its deadline is gone; were it met all the same, it does nothing."""
    machine = ended()
    first = machine.do("publish", type="t", idempotencyKey="k")
    machine.now = 70_000
    assert "destroyed" not in machine.alarm()
    machine.step(lifecycle.clear)
    assert machine.do("publish", type="t", idempotencyKey="k") == first


def test_it_can_be_destroyed_again() -> None:
    """At a moment of its own, with deletions of its own."""
    machine = ended(deleteHistory=True)
    machine.do("publish", type="new")
    machine.now = 5_000
    result = machine.do("destroy")
    assert (result["destroyedAt"], result["deletedHistory"]) == (at(5_000), False)
    assert [item["type"] for item in machine.do("history")["items"]] == ["new"]
    assert machine.state.next_generation == 3


def test_a_new_life_is_activity_that_outlives_the_instance() -> None:
    """Though nothing but a socket began it."""
    machine = ended()
    machine.step(lambda state, now_ms: state.begin_write(now_ms))
    machine.reload()
    assert machine.do("lifecycle")["lastActivityAt"] == at(2_000)
