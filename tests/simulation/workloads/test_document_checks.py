"""Each check of documents finds what is wrong with a history, and nothing in one that is right."""

from __future__ import annotations

from typing import Any

from pycrdt import Doc, Text

from .document_checks import (
    awareness_converges,
    contains,
    documents_converge,
    nothing_refused,
    nothing_shown_is_lost,
)
from .document_events import Asked, Aware, Copy, Found, Refused, Shown


def updates() -> tuple[bytes, bytes, bytes]:
    """A text that is written, added to, and cut."""
    doc: Doc[Any] = Doc(client_id=7)
    text = doc.get("text", type=Text)
    made: list[bytes] = []
    doc.observe(lambda event: made.append(event.update))
    text += "hello"
    text += " world"
    del text[0:5]
    first, second, third = made
    return first, second, third


def whole(*parts: bytes) -> bytes:
    """A document made of updates."""
    doc: Doc[Any] = Doc(client_id=8)
    for part in parts:
        doc.apply_update(part)
    return doc.get_update()


FIRST, SECOND, DELETION = updates()


def test_what_a_document_contains() -> None:
    """Insertions and deletions alike."""
    everything = whole(FIRST, SECOND, DELETION)
    assert contains(everything, whole(FIRST, SECOND))
    assert contains(everything, DELETION)
    assert not contains(whole(FIRST), SECOND)
    assert not contains(whole(FIRST, SECOND), DELETION)


def test_what_was_shown_is_found_by_who_asks_later() -> None:
    """And not asked of who had asked before."""
    shown, found = Shown("ann", FIRST), whole(FIRST)
    assert list(nothing_shown_is_lost([shown, Asked(1), Found(1, found)])) == []
    late = [Asked(1), shown, Found(1, whole())]
    assert list(nothing_shown_is_lost(late)) == []
    lost = [shown, Asked(1), Found(1, whole())]
    assert len(list(nothing_shown_is_lost(lost))) == 1
    deleted = [Shown("ann", whole(FIRST, SECOND, DELETION)), Asked(1)]
    restored = [*deleted, Found(1, whole(FIRST, SECOND))]
    assert len(list(nothing_shown_is_lost(restored))) == 1


def test_what_was_read_is_read_again() -> None:
    """A reader has been shown something as well."""
    history = [Asked(1), Found(1, whole(FIRST)), Asked(2), Found(2, whole())]
    assert len(list(nothing_shown_is_lost(history))) == 1


def test_copies_that_differ() -> None:
    """By text, or by what is known of who wrote it."""
    host = Copy("host", whole(FIRST, SECOND))
    assert list(documents_converge([host, Copy("ann", whole(FIRST, SECOND))])) == []
    assert len(list(documents_converge([host, Copy("ann", whole(FIRST))]))) == 1
    cut = Copy("ann", whole(FIRST, SECOND, DELETION))
    assert len(list(documents_converge([host, cut]))) == 1


def test_a_client_that_is_refused() -> None:
    """Whatever the code is."""
    assert len(list(nothing_refused([Refused("ann", "4405")]))) == 1


def test_awareness_of_others() -> None:
    """Somebody who is gone is known, somebody who is there is not, or with an older state."""
    there = {2: b"1"}
    assert list(awareness_converges([Aware("ann", {2: b"1"}, there)])) == []
    for known in ({}, {2: b"0"}, {2: b"1", 3: b"1"}):
        assert len(list(awareness_converges([Aware("ann", known, there)]))) == 1
