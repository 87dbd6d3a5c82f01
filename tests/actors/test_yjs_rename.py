"""Restore as an edit: the document shows what it showed, and every peer can merge it."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycrdt import Array, Doc, Map, Text

from roomhost.actors.limits import MAX_YJS_ID
from roomhost.actors.yjs_content import content
from roomhost.actors.yjs_guard import check_state_vector, check_update
from roomhost.actors.yjs_rename import forward, renamed
from roomhost.actors.yjs_structs import read_deletes, read_sections, structs_of
from tests.helpers.yjs_editors import Editor, converge

SEEDS = st.integers(0, 2**32)
EMPTY = b"\x00\x00"


def editors(seed: int, *clients: int) -> list[Editor]:
    """Editors who decide as the seed says."""
    random = Random(seed)
    return [Editor(client, random) for client in clients]


def work(*group: Editor) -> None:
    """Edits at the same time, in a few rounds."""
    for _ in range(3):
        for editor in group:
            editor.edit(4)
        converge(*group)


def agree(*group: Editor) -> dict[str, Any]:
    """They have converged; what they show."""
    vectors = [check_state_vector(editor.doc.get_state()) for editor in group]
    assert all(vector == vectors[0] for vector in vectors)
    shown = [content(editor.state()) for editor in group]
    assert all(one == shown[0] for one in shown)
    texts = [str(editor.text) for editor in group]
    assert len(set(texts)) == 1
    assert len({str(editor.xml) for editor in group}) == 1
    return shown[0]


@pytest.mark.parametrize("what", ["live", "wanted"])
@given(data=st.data())
@settings(max_examples=300)
def test_what_is_no_document_is_refused(what: str, data: st.DataObject) -> None:
    """Damaged bytes are a ValueError, or are a document again; nothing else, and never for ever."""
    (editor,) = editors(data.draw(SEEDS), 9)
    editor.edit(6)
    good = editor.state()
    bad = bytearray(good)
    for _ in range(data.draw(st.integers(1, 3))):
        bad[data.draw(st.integers(0, len(bad) - 1))] = data.draw(st.integers(0, 255))
    del bad[data.draw(st.integers(len(bad) // 2, len(bad))) :]
    try:
        forward(*((bytes(bad), good) if what == "live" else (good, bytes(bad))))
    except ValueError:
        return


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        (b"", "ends after 0"),
        (b"\x01\x01\x05\x00\x84\x06\x00\x01a\x00", "does not hold"),
        (b"\x01\x01\x05\x03\x04\x01\x01t\x01a\x00", "lacks the first clocks"),
        (b"\x02\x01\x05\x00\x04\x01\x01t\x01a\x01\x05\x00\x04\x01\x01t\x01a\x00", "twice"),
        (b"\x00\x00\x00", "after its end"),
        (b"\x01\x01\x05\x00\x00\x00\x00", "length of 0"),
    ],
)
def test_half_a_document_is_refused(document: bytes, complaint: str) -> None:
    """Nothing, a reference to nowhere, a start in the middle, a client twice, too much, no length."""
    with pytest.raises(ValueError, match=complaint):
        forward(EMPTY, document)


def test_without_room_for_ids_it_is_refused() -> None:
    """The greatest id is taken; with one below it there is room for one client, not for two."""
    one, two, last = editors(1, MAX_YJS_ID - 1, 7, MAX_YJS_ID)
    one.text.insert(0, "one")
    assert forward(EMPTY, one.state())
    two.text.insert(0, "two")
    one.see(two)
    with pytest.raises(ValueError, match="no client ids are left: 2"):
        forward(EMPTY, one.state())
    last.text.insert(0, "last")
    with pytest.raises(ValueError, match="no client ids are left"):
        forward(last.state(), two.state())
    assert forward(last.state(), EMPTY)


@given(seed=SEEDS)
@settings(max_examples=60, deadline=None)
def test_it_shows_what_it_showed(seed: int) -> None:
    """Whatever has been done since, by whomever; on every replica, and those of pycrdt agree."""
    one, two, three = editors(seed, 11, 5, 2**40)
    work(one, two)
    wanted = one.state()
    before = content(wanted)
    lists = (one.list.to_py(), one.map.to_py(), str(one.xml), one.text.diff())
    work(one, two, three)
    update = forward(one.state(), wanted)
    one.doc.apply_update(update)
    two.doc.apply_update(update)
    assert agree(one, two) == before
    assert (one.list.to_py(), one.map.to_py(), str(one.xml), one.text.diff()) == lists
    assert check_update(update, len(update)).ends


@given(seed=SEEDS)
@settings(max_examples=60, deadline=None)
def test_edits_at_the_same_time_merge(seed: int) -> None:
    """Who was away edits the old document; what comes later from there does no harm."""
    one, two, away, outside = editors(seed, 3, 2**33, 8, 2**50)
    work(one, two, away)
    wanted = one.state()
    work(one, two, away)
    for editor in (away, outside):
        editor.edit(6)
    one.doc.apply_update(forward(one.state(), wanted))
    one.edit(4)
    converge(one, two, away, outside)
    agree(one, two, away, outside)
    work(one, two, away, outside)
    agree(one, two, away, outside)


@given(seed=SEEDS)
@settings(max_examples=30, deadline=None)
def test_back_and_forth(seed: int) -> None:
    """To the same twice, to an earlier one, to a later one, to one that was restored."""
    one, two = editors(seed, 5, 6)
    snapshots = [EMPTY]
    for _ in range(3):
        work(one, two)
        snapshots.append(one.state())

    for n in (1, 1, 3, 0, 2, 4):
        snapshots.append(one.state())
        one.doc.apply_update(forward(one.state(), snapshots[n]))
        converge(one, two)
        assert agree(one, two) == content(snapshots[n])


def test_a_restored_document_can_be_restored_for_ever() -> None:
    """What nobody sees any more is not copied, so the clients do not double each time."""
    one, two = editors(4, 5, 6)
    work(one, two)
    for _ in range(20):
        one.doc.apply_update(forward(one.state(), one.state()))
    assert len(check_update(one.state()).ends) <= 2 + 20 * 2


def test_the_new_ids_are_of_nobody() -> None:
    """Above all that are used, and above those that clients of yjs draw, which may come later."""
    small, large = editors(1, 5, 2**40)
    small.edit(5)
    large.edit(5)
    wanted = small.state()
    assert max(check_update(forward(small.state(), wanted)).ends) == 2**32
    assert max(check_update(forward(large.state(), wanted)).ends) == 2**40 + 1
    assert max(check_update(forward(wanted, large.state())).ends) == 2**40 + 1


def test_keys_are_as_they_were() -> None:
    """One overwritten, one deleted, one added, one deleted before: the map is the old one."""
    doc: Doc[Any] = Doc(client_id=5)
    shared: Any = doc.get("map", type=Map)
    for key in "abc":
        shared[key] = key
    del shared["c"]
    wanted = doc.get_update()
    shared["a"] = "new"
    del shared["b"]
    shared["c"] = shared["d"] = "new"
    doc.apply_update(forward(doc.get_update(), wanted))
    assert shared.to_py() == {"a": "a", "b": "b"}


def test_a_gap_of_the_snapshot_does_not_wait_for_ever() -> None:
    """yrs shows what came ahead of something missing; the copy has to be whole, and what was
    missing may still come, to the old place."""
    updates: list[bytes] = []
    author: Doc[Any] = Doc(client_id=5)
    author.observe(lambda event: updates.append(event.update))
    shared: Any = author.get("map", type=Map)
    for key in "abc":
        shared[key] = key
    doc: Doc[Any] = Doc(client_id=6)
    doc.apply_update(updates[0])
    doc.apply_update(updates[2])
    wanted = doc.get_update()
    assert content(wanted) == {"map": ([], {"a": "a", "c": "c"})}
    update = forward(wanted, wanted)
    assert check_update(update).ends[2**32] == 3
    assert read_deletes(update, read_sections(update)[1])[5] == [(0, 1), (2, 3)]
    doc.apply_update(update)
    assert content(doc.get_update()) == content(wanted)
    doc.apply_update(updates[1])
    assert doc.get("map", type=Map).to_py() == {"a": "a", "b": "b", "c": "c"}


def test_what_is_collected_is_copied() -> None:
    """A snapshot with collected structs, beside which something lives."""
    (one,) = editors(1, 5)
    one.list.append(Array(["gone", Map({"gone": 1})]))
    one.list.append("stays")
    del one.list[0]
    wanted = one.state()
    assert b"\x00\x03" in wanted
    one.list.clear()
    one.doc.apply_update(forward(one.state(), wanted))
    assert one.list.to_py() == ["stays"]


@given(seed=SEEDS)
@settings(max_examples=30, deadline=None)
def test_renamed_and_back(seed: int) -> None:
    """The same bytes, but for the order in which the deleted are told; an id without a name is
    refused, the new document shows the same."""
    one, two = editors(seed, 5, 6)
    work(one, two)
    state = one.state()
    names = {5: 2**45, 6: 2**50}
    other = renamed(state, names)
    assert content(other) == content(state)
    assert renamed(other, {new: old for old, new in names.items()}) == state
    for section in read_sections(other)[0]:
        ids = [i for s in structs_of(other, section) for i in s.references() if i is not None]
        assert {section.client, *(client for client, _ in ids)} <= set(names.values())
    with pytest.raises(ValueError, match="no name for the client 6"):
        renamed(state, {5: 1})


def test_roots_that_are_new_or_of_another_kind() -> None:
    """A root that came later is empty again, one whose kind changed is as it was."""
    doc: Doc[Any] = Doc(client_id=5)
    text = doc.get("root", type=Text)
    text += "text"
    wanted = doc.get_update()
    doc.get("root", type=Array).append(1)
    doc.get("later", type=Map)["key"] = 1
    doc.apply_update(forward(doc.get_update(), wanted))
    assert content(doc.get_update()) == {"root": ([("text", None)], {})}
