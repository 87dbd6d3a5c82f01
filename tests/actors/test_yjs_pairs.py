"""Updates that cut a character of two UTF-16 units, and those that do not."""

from __future__ import annotations

import pytest

from roomhost.actors.yjs_pairs import Pairs, brings, may_hold_pairs

from ..helpers.yjs import typed
from ..helpers.yjs_updates import gap, item, text, uint, update

# Of client 1: a at 0, the face at 1 and 2, b at 3; and what comes after it is at 4.
FACE = update([(1, 0, [item(4, text("a😀b"))])])
CLOCKS = {1: 4}


def letter(origin: tuple[int, int] | None = None, right: tuple[int, int] | None = None) -> bytes:
    """An update of client 2: a letter between two others."""
    return update([(2, 0, [item(4, text("x"), origin=origin, right=right)])])


def cuts(data: bytes, pairs: Pairs | None = None, clocks: dict[int, int] = CLOCKS) -> bool:
    """Whether an update cuts a character of FACE, or of itself."""
    known = Pairs.of(FACE) if pairs is None else pairs
    return known.cuts(data, brings(data, clocks), clocks)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (letter(origin=(1, 0)), False),
        (letter(origin=(1, 1)), True),
        (letter(origin=(1, 2)), False),
        (letter(right=(1, 1)), False),
        (letter(right=(1, 2)), True),
        (letter(origin=(1, 2), right=(1, 3)), False),
        (update([], [(1, [(0, 1)])]), False),
        (update([], [(1, [(0, 2)])]), True),
        (update([], [(1, [(2, 2)])]), True),
        (update([], [(1, [(1, 2)])]), False),
        (update([], [(1, [(1, 1), (2, 1)])]), True),
        (update([], [(1, [(3, 1)]), (2, [(2, 1)])]), False),
    ],
)
def test_what_cuts_a_character_of_the_document(data: bytes, expected: bool) -> None:
    """A neighbour, or the end of what is deleted, even where the next range begins there."""
    assert cuts(data) is expected


@pytest.mark.parametrize(
    ("structs", "deleted", "expected"),
    [
        ([item(4, text("x"), origin=(1, 1))], (0, 2), False),
        ([item(4, text("x"), origin=(1, 0))], (0, 2), True),
        ([item(4, text("x"), right=(1, 1))], (0, 2), True),
        ([], (0, 1), True),
        ([], (1, 2), True),
        ([], (0, 3), False),
    ],
)
def test_what_cuts_a_character_of_the_same_update(
    structs: list[bytes], deleted: tuple[int, int], expected: bool
) -> None:
    """Of a document that had none."""
    data = update([(1, 0, [item(4, text("😀é")), *structs])], [(1, [deleted])])
    assert cuts(data, Pairs(), {}) is expected


def test_a_document_that_ends_within_a_character_of_the_update() -> None:
    """What it has of the update is not what the update says."""
    assert cuts(FACE, Pairs(), {1: 2})
    assert not cuts(FACE, Pairs(), {1: 1})
    assert not cuts(FACE, Pairs(), {1: 3})


def test_what_is_known_is_not_believed_again() -> None:
    """Another text under the same clocks brings nothing."""
    lie = update([(1, 0, [item(4, text("😀😀"))])])
    assert brings(lie, CLOCKS) == {}
    pairs = Pairs.of(FACE)
    later = update([(1, 4, [gap(2), item(4, text("é😀"), origin=(1, 3))])])
    pairs.add(brings(later, CLOCKS))
    assert [clock for clock in range(12) if pairs.cut_by({1: clock})] == [2, 8]


def test_a_state_vector_within_a_character() -> None:
    """Of a client of the document, at a second half."""
    pairs = Pairs.of(FACE)
    assert pairs.cut_by({3: 2, 1: 2})
    assert not pairs.cut_by({1: 1, 2: 2})


def test_most_updates_are_not_even_read() -> None:
    """Without a character of four bytes there is nothing to cut; malformed bytes show that."""
    assert not any(map(may_hold_pairs, typed("aé\u20ac")))
    assert may_hold_pairs(FACE)
    assert brings(b"\xff", {}) == {}
    assert not Pairs().cuts(b"\xff", {}, {})


def test_bytes_that_only_look_like_a_character() -> None:
    """A value is not a text."""
    looks = update([(1, 0, [item(3, uint(4) + "😀".encode())])])
    assert may_hold_pairs(looks)
    assert brings(looks, {}) == {}
