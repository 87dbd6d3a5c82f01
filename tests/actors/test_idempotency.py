"""The same idempotency key again gives the first result (realtime.md 5.2)."""

from __future__ import annotations

from typing import Any

import pytest

from roomhost.actors import limits

from ..helpers.room_machine import Machine, at

DAY_MS = 86_400_000


@pytest.mark.parametrize(
    "other",
    [
        {"type": "u", "data": 1},
        {"type": "t", "data": 2},
        {"type": "t"},
        {"type": "t", "data": None},
        {"type": "t", "data": 1, "metadata": {"a": 1}},
        {"type": "t", "data": True},
    ],
)
def test_another_message_is_a_conflict(other: dict[str, Any]) -> None:
    """Whichever of type, data and metadata differs; nothing is recorded or pushed."""
    machine = Machine()
    machine.do("publish", type="t", data=1, idempotencyKey="k")
    error = machine.refused("broadcast", idempotencyKey="k", **other)
    assert (error.code, error.status) == ("idempotency_conflict", 409)


def test_absent_and_empty_text_are_two_messages() -> None:
    """Absent data has a mark of its own, which no value has."""
    machine = Machine()
    machine.do("publish", type="t", idempotencyKey="k")
    assert machine.refused("publish", type="t", data="", idempotencyKey="k").code == (
        "idempotency_conflict"
    )


@pytest.mark.parametrize("key", ["", "x" * 257, "a\tb"])
def test_a_key_has_a_form(key: str) -> None:
    """Not empty, at most 256 bytes, no control characters."""
    error = Machine().refused("publish", type="t", idempotencyKey=key)
    assert (error.code, error.field) == ("invalid_argument", "idempotencyKey")


def test_a_duplicate_gets_the_first_result_byte_for_byte() -> None:
    """From publish or broadcast, whoever calls, whatever the order of keys, after an eviction; and
    nothing is pushed, nothing written, no activity noted."""
    machine = Machine()
    first = machine.raw("publish", type="t", data={"a": 1, "b": 2}, idempotencyKey="k")
    machine.types()
    machine.now = 1_000
    machine.reload()
    before = dict(machine.store.rows)
    actor = {"kind": "user", "userId": "other"}
    again = machine.raw(
        "broadcast", type="t", data={"b": 2, "a": 1}, metadata={}, idempotencyKey="k", actor=actor
    )
    assert again == first
    assert machine.store.rows == before
    assert machine.types() == []
    assert machine.do("lifecycle")["lastActivityAt"] == at(0)


def test_a_key_is_of_one_room_and_kind() -> None:
    """Another room, or the channel of the same name, has its own keys."""
    first = Machine()
    others = [Machine(name="other"), Machine(kind="channel")]
    result = first.do("publish", type="t", idempotencyKey="k")
    for machine in others:
        machine.do("publish", type="different", idempotencyKey="k")
    assert first.do("publish", type="t", idempotencyKey="k") == result


def test_a_result_is_kept_for_a_day() -> None:
    """To the millisecond; then the key is as new."""
    machine = Machine()
    first = machine.do("publish", type="t", idempotencyKey="k")
    machine.now = DAY_MS - 1
    assert machine.do("publish", type="t", idempotencyKey="k") == first
    machine.now = DAY_MS
    assert machine.do("publish", type="other", idempotencyKey="k") != first
    assert len(machine.do("history")["items"]) == 2


def test_it_outlives_its_message() -> None:
    """A message that retention has taken away is not recorded again."""
    machine = Machine(retention={"maxMessages": 1})
    first = machine.do("publish", type="t", idempotencyKey="k")
    machine.do("publish", type="u")
    machine.now = 1
    machine.alarm()
    assert len(machine.do("history")["items"]) == 1
    assert machine.do("publish", type="t", idempotencyKey="k") == first


def test_a_late_sweep_leaves_the_result_of_a_key_that_was_used_again() -> None:
    """The row of its old expiry says nothing of the new result."""
    machine = Machine()
    machine.do("publish", type="t", idempotencyKey="k")
    machine.now = DAY_MS + 5
    second = machine.do("publish", type="t", idempotencyKey="k")
    machine.alarm()
    machine.now += 1_000
    assert machine.do("publish", type="t", idempotencyKey="k") == second


def test_the_sweep_forgets_what_is_over_in_parts() -> None:
    """So many rows at once, then again a millisecond later; nothing is left in the end."""
    machine = Machine()
    count = limits.SWEPT_AT_ONCE + 3
    for number in range(count):
        machine.do("publish", type="t", idempotencyKey=str(number))
    machine.now = DAY_MS
    machine.alarm()
    assert len(machine.store.list(prefix="ix:")) == len(machine.store.list(prefix="i:")) == 3
    machine.now += 1
    machine.alarm()
    assert not machine.store.list(prefix="ix:")
    assert not machine.store.list(prefix="i:")


def test_keys_are_void_in_a_new_life() -> None:
    """After destroy and a new beginning the same key is another one (5.8)."""
    machine = Machine(lifecycle={"allowRecreate": True})
    first = machine.do("publish", type="t", idempotencyKey="k")
    machine.do("destroy")
    second = machine.do("publish", type="other", idempotencyKey="k")
    assert second["messageId"] != first["messageId"]
    assert machine.do("publish", type="other", idempotencyKey="k") == second
