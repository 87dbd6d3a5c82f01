"""A document in memory with its log: what is refused, what waits, and what that costs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from roomhost.actors.live_document import DocumentFailed, LiveDocument
from roomhost.actors.loaded_document import LoadedDocument, Unsound
from roomhost.actors.yjs_guard import check_update

from ..helpers.yjs import text_of, typed
from ..helpers.yjs_updates import item, text, update

FACE = update([(1, 0, [item(4, text("a😀b"))])])
CUT = update([(2, 0, [item(4, text("x"), origin=(1, 1))])])
WHOLE = update([(2, 0, [item(4, text("x"), origin=(1, 2))])])


def take(loaded: LoadedDocument, data: bytes) -> list[bytes]:
    """Apply an update, and have it in the log."""
    shape = check_update(data)
    integrated = loaded.integrate(data, shape)
    loaded.note(loaded.settled + len(loaded.waiting), data, shape, integrated)
    return integrated


def loaded_from(checkpoint: bytes | None = None, *rows: bytes) -> LoadedDocument:
    """A document as it comes from disk."""
    loaded = LoadedDocument()
    loaded.load(checkpoint, enumerate(rows))
    return loaded


def shown(loaded: LoadedDocument) -> str:
    """What it says."""
    return text_of(loaded.live.diff())


@pytest.mark.parametrize(
    "begin",
    [lambda: loaded_from(FACE), lambda: loaded_from(None, FACE), lambda: _fresh(FACE)],
    ids=["checkpoint", "log", "applied"],
)
def test_a_character_is_not_cut(begin: Callable[[], LoadedDocument]) -> None:
    """Wherever it came from; the document is as it was."""
    loaded = begin()
    with pytest.raises(Unsound, match="cuts a character in two"):
        take(loaded, CUT)
    take(loaded, WHOLE)
    assert shown(loaded) == "a😀bx"


def _fresh(*updates: bytes) -> LoadedDocument:
    loaded = LoadedDocument()
    for data in updates:
        take(loaded, data)
    return loaded


def test_a_character_within_the_update_is_not_cut_either() -> None:
    """By a neighbour, or a deletion."""
    both = update([(1, 0, [item(4, text("😀")), item(4, text("x"), origin=(1, 0))])])
    for data in (both, update([(1, 0, [item(4, text("😀"))])], [(1, [(0, 1)])])):
        with pytest.raises(Unsound):
            take(LoadedDocument(), data)


def test_what_waits_is_dropped_when_it_would_cut() -> None:
    """It does not keep out what it waited for, nor others that do."""
    loaded = LoadedDocument()
    assert take(loaded, CUT) == []
    third = update([(3, 0, [item(4, text("y"), origin=(1, 3))])])
    assert take(loaded, third) == []
    assert take(loaded, FACE) == [FACE, third]
    assert loaded.has_dropped
    assert not loaded.waiting
    assert loaded.let_go() == [0, 1, 2]
    assert not loaded.has_dropped
    assert shown(loaded) == "a😀by"


def test_a_document_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """When an update comes: not when it is loaded, and not for the next update."""
    read: list[None] = []
    diff = LiveDocument.diff

    def noted(live: LiveDocument, vector: bytes | None = None) -> bytes:
        read.append(None)
        return diff(live, vector)

    monkeypatch.setattr(LiveDocument, "diff", noted)
    loaded = loaded_from(FACE)
    assert not read
    take(loaded, WHOLE)
    take(loaded, update([(3, 0, [item(4, text("y"), origin=(1, 3))])]))
    assert len(read) == 1


MIXED = {
    "roots": item(4, text("x"), origin=(1, 0), right=(2, 0)),
    "keys of a map": item(8, b"\1\x7d\1", origin=(3, 0), right=(4, 0)),
    "a root and a type in it": item(4, text("x"), origin=(1, 0), right=(5, 1)),
}


@pytest.mark.parametrize("name", MIXED)
def test_neighbours_in_two_lists_are_refused(name: str) -> None:
    """yrs would link the struct into both, and may never end when that is read."""
    loaded = _fresh(
        update(
            [
                (1, 0, [item(4, text("a"), parent="one")]),
                (2, 0, [item(4, text("b"), parent="two")]),
                (3, 0, [item(8, b"\1\x7d\1", parent="map", key="k")]),
                (4, 0, [item(8, b"\1\x7d\1", parent="map", key="l")]),
                (5, 0, [item(7, b"\2", parent="one"), item(4, text("c"), parent=(5, 0))]),
            ]
        )
    )
    with pytest.raises(Unsound, match="two lists"):
        take(loaded, update([(9, 0, [MIXED[name]])]))
    honest = _fresh(update([(1, 0, [item(4, text("ab"))])]))
    take(honest, update([(9, 0, [item(4, text("x"), origin=(1, 0), right=(1, 1))])]))
    assert shown(honest) == "axb"


def test_several_values_of_one_key_are_refused() -> None:
    """yrs would forget the first ones when the last is deleted, and write freed memory as a document."""
    loaded = _fresh(update([(1, 0, [item(7, b"\1", parent="array")])]))
    several = item(8, b"\3\x7d\1\x7d\2\x7d\3", parent=(1, 0), key="k")
    with pytest.raises(Unsound, match="several values"):
        take(loaded, update([(1, 1, [several])]))
    take(loaded, update([(1, 1, [several])], [(1, [(1, 3)])]))
    take(loaded, update([], [(1, [(0, 1)])]))
    assert check_update(loaded.live.diff()).ends == loaded.live.clocks() == {1: 4}


def test_the_rest_of_a_struct_goes_to_where_its_beginning_is() -> None:
    """Whatever the sender says of its place; two containers in one list crash yrs."""
    loaded = _fresh(update([(1, 0, [item(4, text("ab"))])]))
    take(loaded, update([(1, 0, [item(4, text("abcd"), parent="elsewhere", key="k")])]))
    assert shown(loaded) == "abcd"


def test_structs_that_wait_for_each_other_are_refused() -> None:
    """yrs would keep them, and nobody would ever see them."""
    cycle = update(
        [
            (1, 0, [item(4, text("a"), origin=(2, 0))]),
            (2, 0, [item(4, text("b"), origin=(1, 0))]),
        ]
    )
    with pytest.raises(DocumentFailed, match="wait for each other"):
        take(LoadedDocument(), cycle)


def test_part_of_an_update_is_not_taken_for_all_of_it() -> None:
    """The rest still waits: what builds upon it waits as well."""
    first, *others = typed("abcd")
    missing = update([(2, 0, [item(4, text("x"), origin=(1, 0))])])
    gap = update(
        [
            (3, 0, [item(4, text("y"), origin=(1, 0)), item(4, text("z"), origin=(2, 0))]),
        ]
    )
    loaded = _fresh(first)
    assert len(take(loaded, gap)) == 1
    assert not loaded.covers(check_update(gap))
    late = update([(3, 2, [item(4, text("!"), origin=(3, 1))])])
    assert take(loaded, late) == []
    assert len(take(loaded, missing)) == 3
    assert not loaded.waiting
    for data in others:
        take(loaded, data)
    assert sorted(shown(loaded)) == sorted("abcdxyz!")
