"""A pycrdt document, as far as it may be trusted: nothing that it raises gets through."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest
from pycrdt import Array, Doc, Map, Text

from roomhost.actors import limits
from roomhost.actors.live_document import DocumentFailed, LiveDocument, TooDeep

from ..helpers.yjs import nested, typed, updates_of


def test_what_became_part_of_the_document_is_told() -> None:
    """All of an update; nothing of one that waits, or that it had; both when the missing one comes."""
    first, second, third = typed("abc")
    live = LiveDocument()
    assert live.apply(first) == first
    assert live.apply(first) is None
    assert live.apply(third) is None
    released = live.apply(second)
    other = LiveDocument()
    other.apply_all([first, released or b""])
    assert other.vector() == live.vector()
    assert live.clocks() == {1: 3}


def test_a_panic_is_an_error_like_any_other(capfd: pytest.CaptureFixture[str]) -> None:
    """A block of no length, which the guard refuses, makes the library panic when it is read."""
    live = LiveDocument()
    live.apply(bytes([1, 1, 0x14, 1, 0, 0, 0]))
    with pytest.raises(DocumentFailed, match="PanicException"):
        live.diff()
    live.close()
    assert "panicked" in capfd.readouterr().err


def test_bytes_that_are_no_update_fail() -> None:
    """And the document says so as for everything else."""
    with pytest.raises(DocumentFailed):
        LiveDocument().apply(b"\xff")


def test_types_are_nested_so_deep_and_not_deeper() -> None:
    """The one that is too deep is seen, whether it comes alone or with all it lies in."""
    updates = nested(limits.MAX_TYPE_DEPTH + 1)
    live = LiveDocument()
    for update in updates[:-1]:
        assert live.apply_nesting(update) == update
    with pytest.raises(TooDeep):
        live.apply_nesting(updates[-1])
    whole = LiveDocument()
    doc: Doc[Any] = Doc()
    for update in updates:
        doc.apply_update(update)
    with pytest.raises(TooDeep):
        whole.apply_nesting(doc.get_update())


def test_depths_are_right_after_updates_that_were_not_looked_at() -> None:
    """Those without types, and those before the first one with a type."""
    live = LiveDocument()
    for update in nested(limits.MAX_TYPE_DEPTH):
        live.apply(update)
    deeper = nested(limits.MAX_TYPE_DEPTH + 1)[-1]
    with pytest.raises(TooDeep):
        live.apply_nesting(deeper)


def test_a_document_that_is_far_too_deep_is_taken_apart_in_peace() -> None:
    """Its types are dropped one within the other, which the usual stack would not survive."""
    live = LiveDocument()
    try:
        for update in nested(5_000):
            live.apply(update)
    finally:
        live.close()
    del live
    gc.collect()


def test_whether_a_document_has_deleted_what_an_update_deletes() -> None:
    """A range within another one that is deleted; not one that is there still."""
    doc: Doc[Any] = Doc(client_id=1)
    pad = doc.get("text", type=Text)
    pad += "0123456789"
    live = LiveDocument()
    live.apply(doc.get_update())
    before = doc.get_state()
    del pad[2:4]
    small = doc.get_update(before)
    del pad[2:6]
    large = doc.get_update(before)
    assert not live.has_deleted(small, 1)
    live.apply(large)
    assert live.has_deleted(small, 1)
    assert live.has_deleted(large, 1)
    assert live.has_deleted(b"\x00\x00", 1)
    del pad[0:1]
    assert not live.has_deleted(doc.get_update(before), 1)


def test_maps_and_their_entries_keep_their_depth() -> None:
    """A map within an array within a root is at two; its values are no types."""

    def change(doc: Doc[Any]) -> None:
        doc.get("list", type=Array).append(Map({"a": Map({"b": 1})}))

    live = LiveDocument()
    for update in updates_of(change):
        live.apply_nesting(update)
    assert live.walk() == 0


def test_a_document_that_is_dropped_is_freed() -> None:
    """An instance that is evicted closes nothing; its document must not stay for ever."""
    live = LiveDocument()
    live.apply_all(typed("abc"))
    doc = weakref.ref(live._doc)
    del live
    gc.collect()
    assert doc() is None
