"""JSON updates of a document: a log in one order, which nobody interprets (realtime.md 5.7)."""

from __future__ import annotations

from typing import Any

import pytest

from roomhost.actors import limits
from roomhost.actors.caller import Caller
from roomhost.actors.types import RealtimePrincipal

from ..helpers.room_machine import Machine, at

ANN = RealtimePrincipal(kind="user", id="ann", user_id="ann")
WRITER = Caller(actor=ANN, member_id="ann", client_id="tab", capabilities=("crdt:write",))


def updates(machine: Machine, **fields: Any) -> list[Any]:
    """What a page has."""
    return [one["update"] for one in machine.do("document", **fields)["updates"]]


def test_a_destroyed_room_refuses_them() -> None:
    """What it has stays readable."""
    machine = Machine()
    machine.do("apply_update", update=1, clientId="a", clock=1)
    machine.do("destroy")
    for clock in (1, 2):  # the first one is known
        error = machine.refused("apply_update", update=1, clientId="a", clock=clock)
        assert error.code == "room_destroyed"
    assert updates(machine) == [1]


def test_an_update_has_a_bound_in_bytes() -> None:
    """At the bound it is stored; a byte more is `payload_too_large`."""
    machine = Machine()
    text = "x" * (limits.MAX_DATA_BYTES - 2)
    machine.do("apply_update", update=text)
    error = machine.refused("apply_update", update=text + "x")
    assert (error.code, error.field) == ("payload_too_large", "update")


@pytest.mark.parametrize("update", [None, 0, "", [], {"type": "yjs"}, {"ops": [{"insert": "é"}]}])
def test_any_json_is_an_update(update: Any) -> None:
    """It is recorded as it is, with who, when and which, and everyone hears of it."""
    machine = Machine()
    machine.now = 5
    result = machine.do("apply_update", WRITER, update=update, clock=3)
    actor = {"kind": "user", "id": "ann", "userId": "ann"}
    record = {
        "updateId": result["updateId"],
        "update": update,
        "clientId": "tab",
        "clock": 3,
        "actor": actor,
        "appliedAt": at(5),
    }
    assert result == {
        "room": "lobby",
        "kind": "room",
        "updateId": result["updateId"],
        "appliedAt": at(5),
        "actor": actor,
    }
    assert machine.do("document")["updates"] == [record]
    assert machine.pushed == [{"type": "crdt.update", **record}]


def test_what_is_not_said_is_left_out() -> None:
    """No client, no clock, no actor; none of them is made up."""
    machine = Machine()
    machine.do("apply_update", update=1)
    (record,) = machine.do("document")["updates"]
    assert record.keys() == {"updateId", "update", "appliedAt"}


def test_the_same_update_again_is_the_first_one() -> None:
    """Of the same client and clock, with any order of keys: nothing is recorded, nobody is told, and
    the room is not more active for it."""
    machine = Machine()
    first = machine.raw("apply_update", update={"a": 1, "b": 2}, clientId="a", clock=7)
    machine.now = 1_000
    before, machine.pushed = dict(machine.store.rows), []
    machine.reload()
    active_ms = machine.state.activity_ms
    again = machine.raw("apply_update", update={"b": 2, "a": 1}, clientId="a", clock=7)
    assert again == first
    assert machine.store.rows == before
    assert machine.pushed == []
    assert machine.state.activity_ms == active_ms


@pytest.mark.parametrize(
    "other",
    [
        {"update": 2, "clientId": "a", "clock": 7},
        {"update": 1, "clientId": "b", "clock": 7},
        {"update": 1, "clientId": "a", "clock": 8},
        {"update": 1, "clientId": "a"},
        {"update": 1, "clock": 7},
        {"update": 1},
    ],
)
def test_another_update_is_a_new_one(other: dict[str, Any]) -> None:
    """Another payload, client or clock; and what does not say both is always new."""
    machine = Machine()
    given: dict[str, Any] = {"update": 1, "clientId": "a", "clock": 7}
    first = machine.do("apply_update", **given)
    second = machine.do("apply_update", **other)
    third = machine.do("apply_update", **other)
    known = "clientId" in other and "clock" in other
    assert second["updateId"] != first["updateId"]
    assert (third["updateId"] == second["updateId"]) is known
    assert machine.do("apply_update", **given) == first
    assert len(machine.do("document")["updates"]) == (2 if known else 3)


def test_the_index_is_no_longer_than_the_log() -> None:
    """One row for an update that may come again, and none for others."""
    machine = Machine()
    for clock in range(5):
        for _ in range(3):
            machine.do("apply_update", update=0, clientId="a", clock=clock)
            machine.do("apply_update", update=0)
    rows = [key for key in machine.store.rows if key.startswith("ux:")]
    assert len(rows) == 5
    assert len([key for key in machine.store.rows if key.startswith("uj:")]) == 20


def test_order_is_the_servers() -> None:
    """Whatever the clocks say, and though time goes back."""
    machine = Machine()
    machine.now = 100
    machine.do("apply_update", update="a", clientId="a", clock=9)
    machine.now = 50
    machine.do("apply_update", update="b", clientId="b", clock=1)
    machine.reload()
    machine.do("apply_update", update="c", clientId="a", clock=0)
    page = machine.do("document")["updates"]
    assert [one["update"] for one in page] == ["a", "b", "c"]
    assert [one["appliedAt"] for one in page] == [at(100)] * 3
    assert [one["updateId"] for one in page] == sorted(one["updateId"] for one in page)


def test_a_write_is_activity() -> None:
    """Which is remembered by the next instance too."""
    machine = Machine()
    machine.do("apply_update", update=1)
    machine.now = 250_000
    machine.do("apply_update", update=2)
    machine.reload()
    machine.now = 549_999
    assert machine.do("lifecycle")["status"] == "active"
    machine.now = 550_000
    assert machine.do("lifecycle")["idleSince"] == at(550_000)


def test_a_room_that_begins_anew_knows_none() -> None:
    """The same update of the new life is a new one."""
    machine = Machine(lifecycle={"allowRecreate": True})
    given: dict[str, Any] = {"update": 1, "clientId": "a", "clock": 1}
    first = machine.do("apply_update", **given)
    machine.do("destroy")
    second = machine.do("apply_update", **given)
    assert second["updateId"] != first["updateId"]
    assert machine.do("apply_update", **given) == second
    assert len(machine.do("document")["updates"]) == 1


def test_nobody_writes_in_anothers_name() -> None:
    """An actor is the caller's own, and reading is not writing."""
    machine = Machine()
    bob = {"kind": "user", "userId": "bob"}
    assert machine.refused("apply_update", WRITER, update=1, actor=bob).code == "forbidden"
    reader = Caller(actor=ANN, capabilities=("crdt:read",))
    assert machine.refused("apply_update", reader, update=1).code == "forbidden"
    assert machine.do("apply_update", update=1, actor=bob)["actor"]["userId"] == "bob"


def test_what_is_deleted_leaves_nothing_behind() -> None:
    """Neither the updates nor the rows they were found by; those of a new life stay, also of the
    same update."""
    machine = Machine(lifecycle={"allowRecreate": True})
    for clock in range(40):
        machine.do("apply_update", update={"n": 1.5}, clientId="a", clock=clock)
    machine.do("destroy", deleteCrdtUpdates=True)
    assert updates(machine) == []
    for clock in (3, 50):
        machine.do("apply_update", update={"n": 1.5}, clientId="a", clock=clock)
    for _ in range(20):
        machine.now += 10
        machine.alarm()
    rows = sorted(key[:3] for key in machine.store.rows if key.startswith("u"))
    assert rows == ["uj:", "uj:", "ux:", "ux:"]
    machine.reload()
    assert machine.do("apply_update", update={"n": 1.5}, clientId="a", clock=3)
    assert len(updates(machine)) == 2


def test_a_damaged_update_is_not_the_end_of_the_room() -> None:
    """What needs it cannot be had; the rest can, and it is deleted when its time comes."""
    machine = Machine(lifecycle={"allowRecreate": True})
    machine.do("apply_update", update=1, clientId="a", clock=1)
    (key,) = [key for key in machine.store.rows if key.startswith("uj:")]
    for damaged in (b"\x91", "text"):
        machine.store.put(key, damaged)
        machine.reload()
        assert machine.refused("document").code == "unavailable"
        again = machine.refused("apply_update", update=1, clientId="a", clock=1)
        assert again.code == "unavailable"
        machine.do("publish", type="note")
    machine.do("destroy", deleteCrdtUpdates=True)
    machine.now = 1_000
    machine.alarm()
    assert key not in machine.store.rows
    assert updates(machine) == []
