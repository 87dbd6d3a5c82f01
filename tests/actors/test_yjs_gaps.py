"""What of an update a document can take, and what it cannot."""

from __future__ import annotations

from typing import Any

from pycrdt import Doc, Map, Text, merge_updates

from roomhost.actors.yjs_gaps import without_gaps
from roomhost.actors.yjs_guard import check_update

from ..helpers.yjs import text_of, typed

DELETES_TWO = b"\x01\x01\x01\x00\x02"  # of client 1, the first two clocks


def test_up_to_a_gap() -> None:
    """And nothing behind it; all of it where the gap is known already."""
    letters = typed("abcdef")
    update = merge_updates(*letters[:2], *letters[4:])
    assert text_of(without_gaps(update, {}) or b"") == "ab"
    whole = without_gaps(update, {1: 4})
    assert whole is not None
    assert check_update(whole).ends == {1: 6}


def test_nothing_of_one_who_is_ahead() -> None:
    """There is no update then."""
    assert without_gaps(typed("ab")[1], {}) is None
    assert without_gaps(b"\x00\x00", {}) is None


def test_of_each_client_up_to_what_refers_to_something_unknown() -> None:
    """The text of the first one is missing, not the map of the second one, which came earlier."""
    first: Doc[Any] = Doc(client_id=1)
    pad = first.get("text", type=Text)
    pad += "x"
    second: Doc[Any] = Doc(client_id=2)
    second.get("map", type=Map)["key"] = "value"
    second.apply_update(first.get_update())
    written = second.get("text", type=Text)
    written += "y"
    update = second.get_update(first.get_state())
    part = without_gaps(update, {})
    assert part is not None
    assert check_update(part).ends == {2: 1}
    assert without_gaps(update, {1: 1}) == update


def test_what_is_deleted_as_far_as_it_is_known() -> None:
    """By the document, or by the update itself; nothing else is in it then."""
    insert = typed("a", client_id=2)[0]
    update = insert[:-1] + DELETES_TWO
    assert without_gaps(update, {}) == insert
    assert without_gaps(update, {1: 1}) == insert[:-1] + b"\x01\x01\x01\x00\x01"
    assert without_gaps(update, {1: 2}) == update
    assert without_gaps(b"\x00" + DELETES_TWO, {}) is None
    assert without_gaps(b"\x00" + DELETES_TWO, {1: 9}) == b"\x00" + DELETES_TWO
