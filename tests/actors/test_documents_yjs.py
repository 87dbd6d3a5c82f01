"""Yjs updates of a document: applied, synchronized, folded (realtime.md 5.7)."""

from __future__ import annotations

from typing import Any

import pytest

from roomhost.actors import limits
from roomhost.actors.base64_text import encode_base64
from roomhost.actors.caller import Caller
from roomhost.actors.types import RealtimePrincipal

from ..helpers.pens import EMPTY, NOTHING, Pen, text_of
from ..helpers.room_machine import Machine, at

ANN = RealtimePrincipal(kind="user", id="ann", user_id="ann")
WRITER = Caller(actor=ANN, member_id="ann", client_id="tab", capabilities=("crdt:write",))


def apply(machine: Machine, update: str, **fields: Any) -> Any:
    """Apply a Yjs update: the result."""
    return machine.do("apply_yjs_update", updateBase64=update, **fields)


def text(machine: Machine) -> str:
    """What the document says to who has nothing of it."""
    return text_of(machine.do("sync_yjs")["updateBase64"])


def records(machine: Machine) -> list[Any]:
    """The Yjs updates that no checkpoint has."""
    found: list[Any] = machine.do("sync_yjs")["updates"]
    return found


@pytest.mark.parametrize("update", ["AAA", "AAA =", "AAA=\n", "=AAA", "AA-_", "AAB="])
def test_what_is_not_base64_is_refused(update: str) -> None:
    """Without padding, with junk, in the alphabet of URLs."""
    machine = Machine()
    error = machine.refused("apply_yjs_update", updateBase64=update)
    assert (error.code, error.field) == ("invalid_argument", "updateBase64")
    error = machine.refused("sync_yjs", stateVectorBase64=update)
    assert (error.code, error.field) == ("invalid_argument", "stateVectorBase64")


@pytest.mark.parametrize(
    "data", [b"", b"\x00", b"\x01\x01", b"\x00\x00\x00", bytes(9), b"\xff" * 40]
)
def test_what_is_no_update_is_refused_and_leaves_no_trace(data: bytes) -> None:
    """In a room that there is, and in one that there is not."""
    machine = Machine()
    error = machine.refused("apply_yjs_update", updateBase64=encode_base64(data))
    assert (error.code, error.field) == ("invalid_update", "updateBase64")
    apply(machine, Pen().write("hello"))
    machine.refused("apply_yjs_update", updateBase64=encode_base64(data))
    assert text(machine) == "hello"


@pytest.mark.parametrize("data", [b"", b"\x01", b"\x00\x00", b"\xff" * 40])
def test_what_is_no_state_vector_is_refused(data: bytes) -> None:
    """Before the library sees it."""
    machine = Machine()
    error = machine.refused("sync_yjs", stateVectorBase64=encode_base64(data))
    assert (error.code, error.field) == ("invalid_update", "stateVectorBase64")


def test_an_update_has_a_bound_in_bytes() -> None:
    """As bytes, not as base64."""
    machine = Machine()
    large = encode_base64(bytes(limits.MAX_UPDATE_BYTES + 1))
    error = machine.refused("apply_yjs_update", updateBase64=large)
    assert (error.code, error.field) == ("payload_too_large", "updateBase64")


def test_a_destroyed_room_is_read_and_not_written() -> None:
    """What it has stays."""
    machine, pen = Machine(), Pen()
    apply(machine, pen.write("hello"))
    machine.do("destroy")
    for update in (pen.whole, pen.write("!")):
        error = machine.refused("apply_yjs_update", updateBase64=update)
        assert error.code == "room_destroyed"
    assert machine.refused("compact").code == "room_destroyed"
    assert text(machine) == "hello"
    assert len(records(machine)) == 1


def test_an_update_is_applied() -> None:
    """It is recorded as it came, everyone else hears of it, and the result has the state vector after
    it."""
    machine, pen = Machine(), Pen()
    machine.now = 7
    machine.connection_id = "c1"
    update = pen.write("héllo")
    result = machine.do("apply_yjs_update", WRITER, updateBase64=update, clock=2)
    actor = {"kind": "user", "id": "ann", "userId": "ann"}
    record = {
        "updateId": result["updateId"],
        "updateBase64": update,
        "clientId": "tab",
        "clock": 2,
        "actor": actor,
        "appliedAt": at(7),
    }
    assert result == {
        "room": "lobby",
        "kind": "room",
        "updateId": result["updateId"],
        "appliedAt": at(7),
        "updateBase64": update,
        "stateVectorBase64": pen.vector,
        "actor": actor,
    }
    assert records(machine) == [record]
    assert machine.pushed == [{"type": "yjs.update", **record}]
    assert text(machine) == "héllo"


def test_the_same_update_again_is_the_first_one() -> None:
    """Nothing is recorded, nobody is told, and the room is not more active for it."""
    machine, pen = Machine(), Pen()
    update = pen.write("hello")
    first = machine.raw("apply_yjs_update", updateBase64=update, clientId="a")
    machine.now = 1_000
    before, machine.pushed, active_ms = dict(machine.store.rows), [], machine.state.activity_ms
    machine.reload()
    again = machine.raw("apply_yjs_update", updateBase64=update, clientId="b")
    assert again == first
    assert machine.store.rows == before
    assert machine.pushed == []
    assert machine.state.activity_ms == active_ms


def test_what_the_document_has_already_leaves_no_record() -> None:
    """By other bytes, or after a checkpoint: the result is a fresh one."""
    machine, pen = Machine(), Pen()
    first = apply(machine, pen.write("a"))
    second = apply(machine, pen.write("b"))
    before = dict(machine.store.rows)
    both = apply(machine, pen.whole)
    assert both["updateId"] not in (first["updateId"], second["updateId"])
    assert both["stateVectorBase64"] == pen.vector
    assert apply(machine, EMPTY)["updateBase64"] == EMPTY
    assert machine.store.rows == before
    machine.do("compact")
    before = dict(machine.store.rows)
    assert apply(machine, pen.whole)["updateId"] != both["updateId"]
    assert machine.store.rows == before


def test_an_empty_update_creates_nothing() -> None:
    """A room that was never written is not there for it."""
    machine = Machine()
    assert apply(machine, EMPTY)["stateVectorBase64"] == NOTHING
    assert machine.store.rows == {}


def test_a_gap_is_closed_later() -> None:
    """What comes too early waits, over a compaction and the end of an instance too; when the missing
    piece comes, everyone hears of both."""
    machine, pen = Machine(), Pen()
    one, two = pen.write("one"), pen.write("two")
    apply(machine, two)
    assert text(machine) == ""
    assert machine.pushed == []
    machine.do("compact")
    machine.reload()
    result = apply(machine, one)
    assert result["stateVectorBase64"] == pen.vector
    assert text(machine) == "onetwo"
    listener = Pen(2)
    for push in machine.pushed:
        listener.read(push["updateBase64"])
    assert str(listener) == "onetwo"


def test_one_who_has_nothing_gets_everything() -> None:
    """Without a vector, and with the empty one."""
    machine, pen = Machine(), Pen()
    for letter in "hello":
        apply(machine, pen.write(letter))
    for fields in ({}, {"stateVectorBase64": NOTHING}):
        result = machine.do("sync_yjs", **fields)
        assert text_of(result["updateBase64"]) == "hello"
        assert result["stateVectorBase64"] == pen.vector


def test_one_who_has_a_part_gets_the_rest() -> None:
    """And one who has everything the update that says nothing."""
    machine, pen, other = Machine(), Pen(), Pen(2)
    apply(machine, pen.write("hello"))
    other.read(pen.whole)
    apply(machine, pen.write(" you"))
    rest = machine.do("sync_yjs", stateVectorBase64=other.vector)
    assert text_of(rest["updateBase64"]) == ""  # it is of no use alone
    other.read(rest["updateBase64"])
    assert str(other) == "hello you"
    assert machine.do("sync_yjs", stateVectorBase64=other.vector)["updateBase64"] == EMPTY


def test_deletions_are_always_told() -> None:
    """A state vector does not say whether one has heard of them."""
    machine, pen, other = Machine(), Pen(), Pen(2)
    apply(machine, pen.write("hello"))
    other.read(pen.whole)
    apply(machine, pen.delete(1, 5))
    missing = machine.do("sync_yjs", stateVectorBase64=other.vector)["updateBase64"]
    assert missing != EMPTY
    assert str(other.read(missing)) == "h"


def test_reading_creates_nothing() -> None:
    """A room that was never written has an empty document, and no epoch."""
    machine = Machine()
    assert machine.do("sync_yjs") == {
        "room": "lobby",
        "kind": "room",
        "updateBase64": EMPTY,
        "stateVectorBase64": NOTHING,
        "updates": [],
        "awareness": [],
    }
    assert machine.store.rows == {}


def test_the_newest_records_come_with_it() -> None:
    """At most `limit`, `historyLimit` if none is given, and none for 0; the newest last."""
    machine, pen = Machine(historyLimit=3), Pen()
    sent = [apply(machine, pen.write(letter))["updateId"] for letter in "abcde"]
    machine.do("apply_update", update="json is not among them")

    def ids(**fields: Any) -> list[str]:
        return [one["updateId"] for one in machine.do("sync_yjs", **fields)["updates"]]

    assert ids() == sent[2:]
    assert ids(limit=0) == []
    assert ids(limit=1) == sent[4:]
    assert ids(limit=2**31 - 1) == sent
    assert machine.refused("sync_yjs", limit=-1).field == "limit"
    machine.do("compact")
    assert ids() == []


def test_which_document_it_is_can_be_told() -> None:
    """The epoch is the same in results and in grants, for the next instance too, and is another one
    when the room begins anew."""
    machine, pen = Machine(lifecycle={"allowRecreate": True}), Pen()
    assert "documentEpoch" not in machine.do("authorize")
    machine.do("apply_update", update="json is no document")
    assert "documentEpoch" not in machine.do("sync_yjs")
    apply(machine, pen.write("hello"))
    epoch = machine.do("sync_yjs")["documentEpoch"]
    machine.reload()
    assert machine.do("authorize")["documentEpoch"] == epoch
    machine.do("destroy")
    assert "documentEpoch" not in machine.do("authorize")
    apply(machine, Pen(2).write("anew"))
    assert machine.do("sync_yjs")["documentEpoch"] != epoch
    assert text(machine) == "anew"
    error = machine.refused("apply_yjs_update", updateBase64=pen.whole)
    assert error.code == "document_epoch_changed"


def test_updates_become_a_checkpoint() -> None:
    """How many were new in it; the document is the same, and so is who has it."""
    machine, pen = Machine(), Pen()
    for letter in "hello":
        apply(machine, pen.write(letter))
    machine.now = 9
    machine.pushed = []
    result = machine.do("compact")
    assert text_of(result.pop("checkpointUpdateBase64")) == "hello"
    assert result == {
        "room": "lobby",
        "kind": "room",
        "compactedAt": at(9),
        "updatesCompacted": 5,
        "stateVectorBase64": pen.vector,
    }
    assert machine.pushed == []
    assert records(machine) == []
    machine.reload()
    assert text(machine) == "hello"
    assert machine.do("sync_yjs", stateVectorBase64=pen.vector)["updateBase64"] == EMPTY
    apply(machine, pen.write("!"))
    assert machine.do("compact")["updatesCompacted"] == 1
    assert text(machine) == "hello!"


def test_a_second_compaction_folds_nothing() -> None:
    """And returns the checkpoint."""
    machine, pen = Machine(), Pen()
    apply(machine, pen.write("hello"))
    first = machine.do("compact")
    second = machine.do("compact")
    assert second == {**first, "updatesCompacted": 0}


def test_where_there_is_no_document_there_is_no_checkpoint() -> None:
    """And nothing is written."""
    for allowed in (False, True):
        machine = Machine(lifecycle={"allowRecreate": allowed})
        assert machine.do("compact") == {
            "room": "lobby",
            "kind": "room",
            "compactedAt": at(0),
            "updatesCompacted": 0,
        }
        assert machine.store.rows == {}
    apply(machine, Pen().write("hello"))
    machine.do("destroy")
    assert machine.do("compact")["updatesCompacted"] == 0
    assert machine.do("lifecycle")["status"] == "destroyed"


def test_what_waits_survives_a_compaction() -> None:
    """It is in no checkpoint."""
    machine, pen = Machine(), Pen()
    one, two = pen.write("one"), pen.write("two")
    apply(machine, two)
    assert machine.do("compact")["updatesCompacted"] == 0
    machine.reload()
    apply(machine, one)
    assert text(machine) == "onetwo"
    assert machine.do("compact")["updatesCompacted"] == 2


def test_writes_are_activity() -> None:
    """An update and a compaction are, and a reader is not."""
    machine, pen = Machine(), Pen()
    apply(machine, pen.write("a"))
    machine.now = 100_000
    apply(machine, pen.write("b"))
    machine.now = 200_000
    machine.do("sync_yjs")
    machine.do("document")
    machine.reload()
    machine.now = 399_999
    assert machine.do("lifecycle")["status"] == "active"
    machine.now = 400_000
    assert machine.do("lifecycle")["idleSince"] == at(400_000)
    machine.do("compact")
    assert machine.do("lifecycle")["status"] == "active"


@pytest.mark.parametrize(
    ("name", "fields", "capability"),
    [
        ("apply_yjs_update", {"updateBase64": EMPTY}, "crdt:write"),
        ("sync_yjs", {}, "crdt:read"),
        ("compact", {}, "admin"),
    ],
)
def test_every_call_needs_its_capability(
    name: str, fields: dict[str, Any], capability: str
) -> None:
    """That one alone."""
    machine = Machine()
    for other in ("crdt:read", "crdt:write", "presence", "history", "admin"):
        caller = Caller(actor=ANN, capabilities=(other,))
        if other == capability:
            machine.do(name, caller, **fields)
        else:
            assert machine.refused(name, caller, **fields).code == "forbidden"
