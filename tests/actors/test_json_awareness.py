"""Awareness in JSON: whose id it is, how long it lasts, and who hears of it (realtime.md 5.7)."""

from __future__ import annotations

from typing import Any

import pytest

from roomhost.actors import limits
from roomhost.actors.caller import Caller
from roomhost.actors.types import RealtimePrincipal
from roomhost.actors.yjs_protocol import AwarenessEntry

from ..helpers.room_machine import START_MS, Machine, at


def user(name: str, **fields: Any) -> Caller:
    """Somebody with a token that lets them be seen."""
    actor = RealtimePrincipal(kind="user", id=name, user_id=name)
    given: dict[str, Any] = {"actor": actor, "member_id": name, "capabilities": ("presence",)}
    return Caller(**given | fields)


def shown(machine: Machine) -> dict[str, Any]:
    """The states of those who are aware, by client, from both calls that tell of them."""
    found = machine.do("document")["awareness"]
    assert machine.do("sync_yjs")["awareness"] == found
    return {one["clientId"]: one["state"] for one in found}


def test_a_destroyed_room_refuses_it() -> None:
    """And shows nobody."""
    machine = Machine()
    machine.do("publish", type="note")
    machine.do("destroy")
    assert machine.refused("awareness", clientId="a", state={}).code == "room_destroyed"
    assert shown(machine) == {}


def test_a_state_has_a_bound_in_bytes() -> None:
    """At the bound it is good; a byte more is `payload_too_large`."""
    machine = Machine()
    state = {"k": "x" * (limits.MAX_AWARENESS_BYTES - len('{"k":""}'))}
    machine.do("awareness", clientId="a", state=state)
    state["k"] += "x"
    error = machine.refused("awareness", clientId="a", state=state)
    assert (error.code, error.field) == ("payload_too_large", "state")


def test_a_connection_has_so_many_ids() -> None:
    """One more is refused, and the others stay."""
    machine = Machine()
    machine.connection_id = "c1"
    for number in range(limits.MAX_AWARENESS_IDS_OF_CONNECTION):
        machine.do("awareness", clientId=str(number), state={})
    assert machine.refused("awareness", clientId="x", state={}).code == "payload_too_large"
    assert len(shown(machine)) == limits.MAX_AWARENESS_IDS_OF_CONNECTION


@pytest.mark.parametrize("state", [[], "x", 1, True])
def test_a_state_is_an_object(state: Any) -> None:
    """As everywhere in JSON."""
    assert Machine().refused("awareness", clientId="a", state=state).field == "state"


def test_a_client_is_aware() -> None:
    """Everyone hears of it, and whoever reads the document sees it; nothing is stored but when to
    look again."""
    machine = Machine()
    machine.now = 4
    ann = user("ann", client_id="tab")
    result = machine.do("awareness", ann, state={"cursor": [1, 2]})
    actor = {"kind": "user", "id": "ann", "userId": "ann"}
    assert result == {
        "room": "lobby",
        "kind": "room",
        "clientId": "tab",
        "updatedAt": at(4),
        "state": {"cursor": [1, 2]},
        "actor": actor,
    }
    assert machine.do("document")["awareness"] == [result]
    event = {"clientId": "tab", "state": {"cursor": [1, 2]}, "updatedAt": at(4), "actor": actor}
    assert machine.pushed == [{"type": "awareness", **event}]
    assert machine.store.rows == {"deadlines": {"awareness": START_MS + 30_004}}


def test_the_next_state_replaces_it_whole() -> None:
    """Nothing of the one before is left."""
    machine = Machine()
    machine.do("awareness", clientId="a", state={"x": 1, "y": 2})
    machine.do("awareness", clientId="a", state={"x": 3})
    assert shown(machine) == {"a": {"x": 3}}
    assert [push["state"] for push in machine.pushed] == [{"x": 1, "y": 2}, {"x": 3}]


@pytest.mark.parametrize("fields", [{}, {"state": None}], ids=["omitted", "null"])
def test_without_a_state_it_is_removed(fields: dict[str, Any]) -> None:
    """Everyone hears that; a second time nobody does, and the result is the same."""
    machine = Machine()
    machine.do("awareness", clientId="a", state={"x": 1})
    machine.pushed = []
    for _ in range(2):
        assert machine.do("awareness", clientId="a", **fields) == {
            "room": "lobby",
            "kind": "room",
            "clientId": "a",
            "updatedAt": at(0),
            "state": {},
        }
    assert shown(machine) == {}
    assert machine.pushed == [
        {"type": "awareness", "clientId": "a", "state": None, "updatedAt": at(0)}
    ]


def test_the_same_state_again_renews_it() -> None:
    """That is no news, and it was updated when it was."""
    machine = Machine()
    machine.do("awareness", clientId="a", state={"x": 1})
    machine.now = 20_000
    assert machine.do("awareness", clientId="a", state={"x": 1})["updatedAt"] == at(0)
    assert machine.types() == ["awareness"]
    machine.now = 49_999
    assert machine.alarm() == ["awareness"]
    assert shown(machine) == {"a": {"x": 1}}
    machine.now = 50_000
    assert shown(machine) == {}


def test_one_without_a_connection_goes_after_a_while() -> None:
    """It is not shown from then on; the alarm tells the others, and comes back for the next one."""
    machine = Machine()
    machine.do("awareness", clientId="a", state={})
    machine.now = 10_000
    machine.do("awareness", clientId="b", state={})
    machine.types()
    machine.now = 30_000
    assert shown(machine) == {"b": {}}
    assert machine.pushed == []
    assert machine.alarm() == ["awareness"]
    assert [(push["clientId"], push["state"]) for push in machine.pushed] == [("a", None)]
    machine.now = 39_999
    assert machine.alarm() == []
    machine.now = 40_000
    assert machine.alarm() == ["awareness"]
    assert shown(machine) == {}
    assert machine.state.deadlines.next_ms is None
    assert len(machine.awareness) == 0


def test_the_alarm_of_a_process_that_is_gone() -> None:
    """The next one knows nobody, and does not look again."""
    machine = Machine()
    machine.do("awareness", clientId="a", state={})
    later = Machine(store=machine.store)
    later.now = 30_000
    assert later.alarm() == ["awareness"]
    assert later.state.deadlines.next_ms is None
    assert later.pushed == []


def test_one_with_a_connection_needs_no_alarm() -> None:
    """It goes with that, and is looked at when it is read."""
    machine = Machine()
    machine.connection_id = "c1"
    machine.do("awareness", clientId="a", state={})
    assert machine.store.rows == {}
    machine.now = 30_000
    assert shown(machine) == {}


def test_it_outlives_the_instance() -> None:
    """And a turn that fails."""
    machine = Machine()
    machine.do("awareness", clientId="a", state={})
    machine.reload()
    machine.refused("restore", snapshotId="none")
    assert shown(machine) == {"a": {}}


def test_it_is_no_activity() -> None:
    """A room is idle as it would have been."""
    machine = Machine()
    machine.do("publish", type="note")
    machine.now = 299_000
    machine.do("awareness", clientId="a", state={})
    machine.now = 300_000
    assert machine.do("lifecycle")["idleSince"] == at(300_000)


def test_whose_id_it_is() -> None:
    """The one that is given, else the token's, else the member's; a server says it, or an actor."""
    machine = Machine()
    for caller, fields, expected in (
        (user("ann", client_id="tab"), {}, "tab"),
        (user("ann", client_id="tab"), {"clientId": "tab"}, "tab"),
        (user("ann"), {}, "ann"),
        (user("ann"), {"clientId": "phone"}, "phone"),
        (Caller(trusted=True), {"clientId": "any"}, "any"),
        (Caller(trusted=True), {"actor": {"kind": "user", "userId": "bob"}}, "bob"),
        (Caller(trusted=True, client_id="tab"), {"clientId": "other"}, "other"),
    ):
        assert machine.do("awareness", caller, state={}, **fields)["clientId"] == expected


def test_nobody_speaks_for_another_client() -> None:
    """Not for another than the token's, nor for one that another member has, nor in another's name."""
    machine = Machine()
    machine.connection_id = "c1"
    machine.do("awareness", user("ann"), clientId="phone", state={"by": "ann"})
    machine.connection_id = "c2"
    bob = user("bob", client_id="tab")
    for caller, fields, field in (
        (bob, {"clientId": "phone"}, "clientId"),
        (user("bob"), {"clientId": "phone"}, "clientId"),
        (user("bob"), {"actor": {"kind": "user", "userId": "ann"}}, "actor"),
    ):
        for state in ({"by": "bob"}, None):
            error = machine.refused("awareness", caller, state=state, **fields)
            assert (error.code, error.field) == ("forbidden", field)
    assert shown(machine) == {"phone": {"by": "ann"}}
    machine.do("awareness", user("ann"), clientId="phone", state={"by": "ann again"})
    machine.do("awareness", clientId="phone", state={"by": "the server"})
    assert shown(machine) == {"phone": {"by": "the server"}}


def test_a_refusal_forgets_nobody() -> None:
    """Who has gone by then is told of by the next one who is heard."""
    machine = Machine()
    machine.connection_id = "c1"
    machine.do("awareness", user("ann"), state={})
    machine.now = 15_000
    machine.do("awareness", user("eve"), state={})
    machine.now = 30_000
    machine.connection_id = "c2"
    machine.types()
    assert machine.refused("awareness", user("bob"), clientId="eve").code == "forbidden"
    machine.do("awareness", user("bob"), clientId="ann", state={"by": "bob"})
    told = [(push["clientId"], push["state"]) for push in machine.pushed]
    assert told == [("ann", None), ("ann", {"by": "bob"})]


def test_somebody_must_be_named() -> None:
    """Where neither the call, nor a token, nor an actor does."""
    nobody = Caller(capabilities=("presence",))
    for caller in (nobody, Caller(trusted=True)):
        error = Machine().refused("awareness", caller, state={})
        assert (error.code, error.field) == ("invalid_argument", "clientId")


def test_it_needs_presence() -> None:
    """Who may read and write the document shows nothing of itself by that."""
    reader = user("ann", capabilities=("crdt:read", "crdt:write", "subscribe"))
    assert Machine().refused("awareness", reader, state={}).code == "forbidden"


@pytest.mark.parametrize(
    ("state", "expected"),
    [(b'{"user": "ann"}', {"user": "ann"}), (b"  {}", {}), (b"[1]", {}), (b'"{"', {})],
)
def test_clients_of_yjs_are_among_them(state: bytes, expected: Any) -> None:
    """By their ids in decimal; a state that is no object is shown as an empty one."""
    machine = Machine()
    machine.awareness.announce("c1", None, [AwarenessEntry(7, 1, state)], START_MS)
    machine.do("awareness", clientId="z", state={})
    assert shown(machine) == {"7": expected, "z": {}}
