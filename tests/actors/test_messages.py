"""Publish and broadcast: one recorded order for each room (realtime.md 5.2)."""

from __future__ import annotations

import pytest

from roomhost.actors import limits

from ..helpers.room_machine import Machine, at


@pytest.mark.parametrize("word", ["room.restored", "room.", "system.x"])
def test_the_rooms_own_types_are_refused(word: str) -> None:
    """`room.` and `system.` begin the events that the room records itself."""
    error = Machine().refused("publish", type=word)
    assert (error.code, error.field) == ("invalid_argument", "type")


@pytest.mark.parametrize("word", ["", "x" * 257, "é" * 129, "a\nb", "\x7f"])
def test_a_type_is_a_word_of_at_most_256_bytes(word: str) -> None:
    """Neither empty nor long, without control characters."""
    error = Machine().refused("publish", type=word)
    assert (error.code, error.field) == ("invalid_argument", "type")


def test_a_type_may_have_exactly_256_bytes() -> None:
    """The bound itself is good; and a type that only resembles a reserved one."""
    machine = Machine()
    machine.do("publish", type="é" * 128)
    machine.do("publish", type="roomy")


@pytest.mark.parametrize(
    ("field", "limit"),
    [
        ("data", limits.MAX_DATA_BYTES),
        ("metadata", limits.MAX_MESSAGE_METADATA_BYTES),
    ],
)
def test_a_part_has_a_bound_in_bytes(field: str, limit: int) -> None:
    """At the bound it is stored; a byte more is `payload_too_large`, with the field's name."""
    machine = Machine()
    value = {"k": "x" * (limit - len('{"k":""}'))}
    machine.do("publish", type="t", **{field: value})
    value["k"] += "x"
    error = machine.refused("publish", type="t", **{field: value})
    assert (error.code, error.field) == ("payload_too_large", field)


def test_a_refused_message_takes_no_place_in_the_order() -> None:
    """The next one is the next, with nothing between."""
    machine = Machine()
    machine.do("publish", type="a")
    machine.refused("publish", type="system.b")
    machine.do("publish", type="c")
    assert [push["seq"] for push in machine.pushed if push["type"] == "message"] == [1, 2]


def test_null_stays_null_and_absent_stays_absent() -> None:
    """On read and on the wire; metadata that is absent is `{}`."""
    machine = Machine()
    machine.do("publish", type="null", data=None, metadata=None)
    machine.do("publish", type="absent")
    absent, null = machine.do("history")["items"]
    assert "data" not in absent
    assert null["data"] is None
    assert absent["metadata"] == null["metadata"] == {}
    assert [push["message"] for push in machine.pushed] == [null, absent]


@pytest.mark.parametrize("operation", ["publish", "broadcast"])
@pytest.mark.parametrize("kind", ["room", "channel"])
def test_both_record_and_fan_out(operation: str, kind: str) -> None:
    """In rooms and in channels, with the same result, which names the message in the history."""
    machine = Machine(kind=kind)  # type: ignore[arg-type]
    actor = {"kind": "user", "userId": "u", "id": "u"}
    result = machine.do(operation, type="t", data=1, metadata={"a": 1}, actor=actor)
    (item,) = machine.do("history")["items"]
    assert item == {
        "messageId": result["messageId"],
        "room": "lobby",
        "kind": kind,
        "type": "t",
        "data": 1,
        "metadata": {"a": 1},
        "actor": actor,
        "publishedAt": at(0),
    }
    assert result == {
        key: item[key] for key in ("room", "kind", "messageId", "publishedAt", "actor")
    }
    assert machine.pushed == [{"type": "message", "seq": 1, "message": item}]


def test_a_publish_is_one_put() -> None:
    """Nothing but the message is written, once the room is known."""
    machine = Machine()
    machine.do("publish", type="t")
    machine.store.puts = []
    machine.do("publish", type="t")
    assert machine.store.puts == ["m:0000000000000002"]


def test_time_does_not_go_back() -> None:
    """A clock that does gives later messages the time of the last one, after an eviction too."""
    machine = Machine()
    machine.now = 5_000
    machine.do("publish", type="a")
    machine.now = 1_000
    machine.do("publish", type="b")
    machine.reload()
    machine.do("publish", type="c")
    items = machine.do("history")["items"]
    assert [item["publishedAt"] for item in items] == [at(5_000)] * 3
    ids = [item["messageId"] for item in items]
    assert ids == sorted(ids, reverse=True)


def test_the_order_goes_on_after_an_eviction() -> None:
    """It is found from the newest message, as the head may be older."""
    machine = Machine()
    for number in range(3):
        machine.do("publish", type="t", data=number)
        machine.reload()
    assert [push["seq"] for push in machine.pushed] == [1, 2, 3]
    assert [item["data"] for item in machine.do("history")["items"]] == [2, 1, 0]


def test_a_channel_has_no_members() -> None:
    """Nor anything else of a room (`unsupported_for_channel`)."""
    machine = Machine(kind="channel")
    for operation in ("join", "leave", "members", "presence", "metadata", "snapshot"):
        assert machine.refused(operation).code == "unsupported_for_channel"
    assert machine.refused("restore", snapshotId="x").code == "unsupported_for_channel"
