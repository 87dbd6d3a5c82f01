"""The document of a room on a store that is a dictionary: what is kept, and what is read back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycrdt import Doc, Text, merge_updates

from roomhost.actors import keys, limits
from roomhost.actors.document import Applied, Document
from roomhost.actors.errors import (
    DocumentEpochChanged,
    InvalidArgument,
    PayloadTooLarge,
    RoomDestroyed,
    Unavailable,
)
from roomhost.actors.lifecycle import destroy
from roomhost.actors.retention import purge
from roomhost.actors.types import RealtimeDestroyOptions

from ..helpers.room_machine import Machine
from ..helpers.yjs import nested, text_of, typed

RECREATES: dict[str, Any] = {"lifecycle": {"allowRecreate": True}}


def document_of(machine: Machine) -> Document:
    """The document as it is in memory."""
    return machine.state.document


def apply(machine: Machine, update: bytes) -> Applied:
    """An update in a turn of its own."""
    applied: Applied = machine.step(
        lambda state, now_ms: state.document.apply(state, update, now_ms)
    )
    return applied


def compact(machine: Machine) -> int:
    """A checkpoint in a turn of its own."""
    count: int = machine.step(lambda state, now_ms: state.document.compact())
    return count


def end(machine: Machine, **options: bool) -> None:
    """Destroy the room."""
    machine.step(lambda state, now_ms: destroy(state, RealtimeDestroyOptions(**options), now_ms))


def rows(machine: Machine, prefix: str) -> list[str]:
    """The keys of the store."""
    return [key for key in machine.store.rows if key.startswith(prefix)]


def text(machine: Machine) -> str:
    """What the document says."""
    return text_of(document_of(machine).diff())


def test_an_update_is_one_row_and_is_read_back() -> None:
    """The first one begins the document too; the second is one put."""
    machine = Machine()
    first, second = typed("ab")
    assert apply(machine, first).integrated == [first]
    machine.store.puts.clear()
    assert apply(machine, second).stored
    assert machine.store.puts == [keys.yjs_update(2)]
    machine.reload()
    assert text(machine) == "ab"


def test_reading_a_room_without_a_document_creates_nothing() -> None:
    """Its state vector and its content are empty, and it has no epoch."""
    machine = Machine()
    assert document_of(machine).vector() == b"\x00"
    assert document_of(machine).diff(b"\x00") == b"\x00\x00"
    assert document_of(machine).epoch is None
    assert machine.store.rows == {}


def test_a_duplicate_costs_no_row() -> None:
    """It is answered with the record of the same bytes while that is in the log."""
    machine = Machine()
    updates = typed("abc")
    records = [apply(machine, update).record for update in updates]
    before = dict(machine.store.rows)
    again = [apply(machine, update) for update in updates]
    assert [found.record for found in again] == records
    assert not any(found.stored or found.integrated for found in again)
    assert not apply(machine, merge_updates(*updates)).stored
    assert not apply(machine, b"\x00\x00").stored
    assert machine.store.rows == before
    compact(machine)
    machine.reload()
    assert not apply(machine, updates[0]).stored


def test_what_waits_for_another_update_is_kept_until_that_comes() -> None:
    """Over a checkpoint and an eviction; what releases it is told together with it."""
    machine = Machine()
    first, second, third = typed("abc")
    apply(machine, first)
    waiting = apply(machine, third)
    assert (waiting.integrated, waiting.stored) == ([], True)
    assert not apply(machine, third).stored
    assert compact(machine) == 1
    machine.reload()
    assert text(machine) == "a"
    assert rows(machine, keys.YJS_UPDATES) == [keys.yjs_update(2)]
    released = apply(machine, second).integrated
    assert len(released) == 2
    assert text(machine) == "abc"
    assert compact(machine) == 2
    assert rows(machine, keys.YJS_UPDATES) == []
    machine.reload()
    assert text(machine) == "abc"


def test_a_deletion_of_what_is_not_known_yet_waits_as_well() -> None:
    """It has no event and moves no clock, and is not lost."""
    doc: Doc[Any] = Doc(client_id=1)
    pad = doc.get("text", type=Text)
    pad += "abc"
    insert, before = doc.get_update(), doc.get_state()
    del pad[1:2]
    delete = doc.get_update(before)
    machine = Machine()
    assert apply(machine, delete).stored
    assert compact(machine) == 0
    machine.reload()
    apply(machine, insert)
    assert text(machine) == "ac"


def test_an_update_with_a_gap_is_kept_whole() -> None:
    """Until what is missing in it comes."""
    updates = typed("abcde")
    machine = Machine()
    apply(machine, merge_updates(*updates[:2], *updates[3:]))
    assert text(machine) == "ab"
    compact(machine)
    machine.reload()
    apply(machine, updates[2])
    assert text(machine) == "abcde"


def test_a_checkpoint_is_small_where_much_was_deleted() -> None:
    """It is the document as replayed, not the updates merged."""
    doc: Doc[Any] = Doc(client_id=1)
    updates: list[bytes] = []
    doc.observe(lambda event: updates.append(event.update))
    pad = doc.get("text", type=Text)
    for _ in range(200):
        pad += "x"
        del pad[0:1]
    machine = Machine()
    for update in updates:
        apply(machine, update)
    assert compact(machine) == 400
    assert len(machine.store.rows[keys.checkpoint_part(0)]) < 40
    assert compact(machine) == 0


def test_a_checkpoint_of_several_parts_is_read_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """And a smaller one leaves none of its parts behind."""
    monkeypatch.setattr(limits, "CHECKPOINT_PART_BYTES", 64)
    doc: Doc[Any] = Doc(client_id=1)
    pad = doc.get("text", type=Text)
    pad += "x" * 500
    machine = Machine()
    apply(machine, doc.get_update())
    compact(machine)
    assert len(rows(machine, keys.CHECKPOINT)) > 5
    machine.reload()
    assert text(machine) == "x" * 500
    before = doc.get_state()
    pad.clear()
    apply(machine, doc.get_update(before))
    compact(machine)
    assert len(rows(machine, keys.CHECKPOINT)) == 1


@pytest.mark.parametrize("update", [b"", b"\xff", bytes([1, 1, 0x14, 1, 0, 0, 0])])
def test_what_is_no_update_leaves_nothing(update: bytes) -> None:
    """And the document goes on."""
    machine = Machine()
    apply(machine, typed("a")[0])
    before = dict(machine.store.rows)
    with pytest.raises(InvalidArgument) as caught:
        apply(machine, update)
    assert caught.value.code == "invalid_update"
    assert machine.store.rows == before
    assert text(machine) == "a"


def test_types_that_are_nested_too_deep_are_refused() -> None:
    """The update alone: the document is as it was before, and takes others."""
    machine = Machine()
    updates = nested(limits.MAX_TYPE_DEPTH + 1)
    for update in updates[:-1]:
        apply(machine, update)
    with pytest.raises(InvalidArgument, match="nested at most 64"):
        apply(machine, updates[-1])
    apply(machine, typed("a", client_id=2)[0])
    assert text(machine) == "a"


def test_types_cannot_be_nested_too_deep_by_having_them_wait() -> None:
    """The inner ones come first, and are released by the outer one."""
    machine = Machine()
    first, *others = nested(limits.MAX_TYPE_DEPTH + 1)
    for update in reversed(others):
        apply(machine, update)
    with pytest.raises(InvalidArgument, match="nested at most 64"):
        apply(machine, first)
    machine.reload()
    apply(machine, typed("a", client_id=2)[0])
    assert text(machine) == "a"


def test_only_so_much_may_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was accepted is kept; the next one is refused, and others are not."""
    monkeypatch.setattr(limits, "MAX_PENDING_UPDATES", 2)
    first, _, *waiting = typed("abcdef")
    machine = Machine()
    apply(machine, waiting[0])
    apply(machine, waiting[1])
    with pytest.raises(PayloadTooLarge, match="wait for others"):
        apply(machine, waiting[2])
    apply(machine, first)
    assert text(machine) == "a"
    assert len(rows(machine, keys.YJS_UPDATES)) == 3


def test_a_document_has_a_largest_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checked before it is applied."""
    monkeypatch.setattr(limits, "MAX_DOCUMENT_BYTES", 60)
    machine = Machine()
    first, second, *others = typed("abcdefgh")
    apply(machine, first)
    apply(machine, second)
    with pytest.raises(PayloadTooLarge, match="60 bytes"):
        for update in others:
            apply(machine, update)


@pytest.mark.parametrize("key", [keys.DOCUMENT, keys.checkpoint_part(0), keys.yjs_update(3)])
def test_a_damaged_document_is_left_alone(key: str) -> None:
    """It is not overwritten by an empty one, nor by an update; messages go on."""
    machine = Machine()
    for update in typed("ab"):
        apply(machine, update)
    compact(machine)
    apply(machine, typed("abc")[2])
    machine.store.rows[key] = b"\xc1garbage"
    machine.reload()
    before = dict(machine.store.rows)
    for _ in range(2):
        with pytest.raises(Unavailable) as caught:
            apply(machine, typed("z", client_id=9)[0])
        assert caught.value.code == "unavailable"
    assert machine.store.rows == before
    machine.do("publish", type="note")


def test_a_failed_turn_takes_the_update_back() -> None:
    """From memory, too."""
    machine = Machine()
    apply(machine, typed("a")[0])

    def fails(state: Any, now_ms: int) -> None:
        state.document.apply(state, typed("b", client_id=2)[0], now_ms)
        raise ZeroDivisionError

    document = document_of(machine)
    with pytest.raises(ZeroDivisionError):
        machine.step(fails)
    document.roll_back()
    assert not document.is_loaded
    assert text(machine) == "a"


def test_a_destroyed_room_keeps_its_document_unless_told_otherwise() -> None:
    """It can be read, and not changed."""
    machine = Machine()
    apply(machine, typed("a")[0])
    end(machine)
    machine.reload()
    assert text(machine) == "a"
    with pytest.raises(RoomDestroyed):
        apply(machine, typed("b", client_id=2)[0])
    end(machine, delete_crdt_updates=True)
    assert document_of(machine).diff() == b"\x00\x00"
    machine.step(purge)
    assert rows(machine, "u") == rows(machine, keys.CHECKPOINT) == []


def test_a_room_that_begins_anew_has_another_document() -> None:
    """Of another epoch; who brings back the old one is told so, and it is not merged."""
    machine = Machine(**RECREATES)
    old = typed("old", client_id=7)
    for update in old:
        apply(machine, update)
    compact(machine)
    epoch = document_of(machine).epoch
    end(machine)
    apply(machine, typed("new", client_id=8)[0])
    assert text(machine) == "n"
    assert document_of(machine).epoch not in (None, epoch)
    machine.reload()
    with pytest.raises(DocumentEpochChanged):
        apply(machine, old[0])
    machine.step(purge)
    assert rows(machine, keys.CHECKPOINT) == []
    assert len(rows(machine, keys.YJS_UPDATES)) == 1
    machine.reload()
    assert text(machine) == "n"


def test_what_a_reader_sends_is_known_or_not() -> None:
    """Insertions and deletions both."""
    machine = Machine()
    doc: Doc[Any] = Doc(client_id=1)
    pad = doc.get("text", type=Text)
    pad += "abc"
    apply(machine, doc.get_update())
    found = document_of(machine)
    assert found.contains(doc.get_update())
    assert found.contains(b"\x00\x00")
    del pad[0:1]
    assert not found.contains(doc.get_update())
    apply(machine, doc.get_update())
    assert document_of(machine).contains(doc.get_update())
    assert not document_of(machine).contains(typed("z", client_id=5)[0])


PEERS = 3


def histories() -> st.SearchStrategy[list[Any]]:
    """What peers do, what arrives of it, in whatever order and how often, and what happens between."""
    peer = st.integers(0, PEERS - 1)
    edit = st.tuples(st.just("edit"), peer, st.integers(0, 9), st.booleans())
    arrive = st.tuples(st.just("arrive"), st.integers(0, 99))
    bundle = st.tuples(st.just("bundle"), st.lists(st.integers(0, 99), min_size=2, max_size=5))
    meet = st.tuples(st.just("meet"), peer)
    other = st.tuples(st.sampled_from(("reload", "compact")))
    return st.lists(st.one_of(edit, edit, arrive, arrive, bundle, meet, other), max_size=40)


@settings(max_examples=150, deadline=None)
@given(histories())
def test_whatever_arrives_in_whatever_order_the_document_is_what_the_peers_have(
    history: list[Any],
) -> None:
    """Everyone who applied what was told has the same document as the room, at every moment that
    nothing waits; in the end that is all of it."""
    machine = Machine()
    docs: list[Doc[Any]] = [Doc(client_id=number + 1) for number in range(PEERS)]
    sent: list[bytes] = []
    for doc in docs:
        doc.observe(lambda event: sent.append(event.update))
    listener: Doc[Any] = Doc()

    def arrive(update: bytes) -> None:
        for integrated in apply(machine, update).integrated:
            listener.apply_update(integrated)
        assert listener.get_state() == document_of(machine).vector()

    for what, *fields in history:
        if what == "edit":
            pad = docs[fields[0]].get("text", type=Text)
            if fields[2] and len(pad):
                del pad[fields[1] % len(pad) : fields[1] % len(pad) + 1]
            else:
                pad.insert(fields[1] % (len(pad) + 1), "x")
        elif what == "arrive" and sent:
            arrive(sent[fields[0] % len(sent)])
        elif what == "bundle" and sent:
            arrive(merge_updates(*(sent[number % len(sent)] for number in fields[0])))
        elif what == "meet":
            docs[fields[0]].apply_update(document_of(machine).diff(docs[fields[0]].get_state()))
        elif what == "reload":
            machine.reload()
        elif what == "compact":
            compact(machine)
    for update in list(sent):
        arrive(update)
    everything: Doc[Any] = Doc()
    for update in sent:
        everything.apply_update(update)
    compact(machine)
    assert rows(machine, keys.YJS_UPDATES) == []
    machine.reload()
    found = document_of(machine)
    assert text_of(found.diff()) == str(everything.get("text", type=Text))
    assert str(listener.get("text", type=Text)) == text(machine)
    assert found.contains(everything.get_update())
