"""Presence: replaced whole, or a heartbeat (realtime.md 5.3)."""

from __future__ import annotations

from typing import Any

import pytest

from roomhost.actors import limits

from ..helpers.room_machine import Machine, at


def joined(**fields: Any) -> Machine:
    """A room with one member."""
    machine = Machine()
    machine.do("join", memberId="m", **fields)
    machine.types()
    return machine


def test_who_never_joined_is_no_member() -> None:
    """409, and no record is made."""
    error = Machine().refused("presence", memberId="m", presence={})
    assert (error.code, error.status) == ("not_a_member", 409)


def test_who_left_by_its_word_is_no_member() -> None:
    """It joins first."""
    machine = joined()
    machine.do("leave", memberId="m")
    assert machine.refused("presence", memberId="m").code == "not_a_member"


@pytest.mark.parametrize("field", ["presence", "metadata"])
def test_a_state_has_a_bound(field: str) -> None:
    """16 KiB of JSON; it is an object."""
    machine = joined()
    largest = {"k": "x" * (limits.MAX_PRESENCE_BYTES - len('{"k":""}'))}
    machine.do("join", memberId="m", **{field: largest})
    largest["k"] += "x"
    assert machine.refused("join", memberId="m", **{field: largest}).field == field
    assert machine.refused("join", memberId="m", **{field: [1]}).code == "invalid_argument"


def test_a_state_is_replaced_whole() -> None:
    """Nothing is merged; `{}` is a state like any other; everyone is told."""
    machine = joined(presence={"a": 1, "b": 2})
    machine.now = 1_000
    result = machine.do("presence", memberId="m", presence={"a": 3})
    assert result == {
        "room": "lobby",
        "kind": "room",
        "memberId": "m",
        "updatedAt": at(1_000),
        "presence": {"a": 3},
    }
    assert machine.pushed == [
        {
            "type": "presence.updated",
            "memberId": "m",
            "presence": {"a": 3},
            "updatedAt": at(1_000),
            "version": 2,
        }
    ]
    assert machine.do("presence", memberId="m", presence={})["presence"] == {}


def test_without_a_state_it_is_a_heartbeat() -> None:
    """The state is kept and returned, lastSeenAt moves, nobody is told; null is as absent."""
    machine = joined(presence={"a": 1})
    machine.now = 59_999
    assert machine.do("presence", memberId="m", presence=None)["presence"] == {"a": 1}
    machine.now = 61_000
    (member,) = machine.do("members")
    assert (member["joinedAt"], member["lastSeenAt"]) == (at(0), at(59_999))
    assert machine.types() == []


@pytest.mark.parametrize("presence", [None, {}, {"b": 2}])
@pytest.mark.parametrize("swept", [False, True])
def test_who_merely_expired_is_revived(presence: dict[str, Any] | None, swept: bool) -> None:
    """As a new membership that keeps what was known, so that a client needs no second path."""
    machine = joined(presence={"a": 1}, metadata={"role": "x"})
    machine.now = 100_000
    if swept:
        machine.alarm()
    result = machine.do("presence", memberId="m", presence=presence)
    assert result["presence"] == ({"a": 1} if presence is None else presence)
    (member,) = machine.do("members")
    assert member["joinedAt"] == member["lastSeenAt"] == at(100_000)
    assert member["metadata"] == {"role": "x"}
    assert machine.types() == ["member.left", "member.joined"]


def test_versions_of_a_member_only_grow() -> None:
    """Over its leaving and coming back, so that late frames can be told."""
    machine = Machine()
    machine.do("join", memberId="m")
    machine.do("presence", memberId="m", presence={"a": 1})
    machine.do("leave", memberId="m")
    machine.do("join", memberId="m")
    versions = [push["version"] for push in machine.pushed]
    assert versions == sorted(set(versions))


def test_live_events_are_no_messages() -> None:
    """History has none of them."""
    machine = joined()
    machine.do("presence", memberId="m", presence={"a": 1})
    machine.do("leave", memberId="m")
    assert machine.do("history")["items"] == []
