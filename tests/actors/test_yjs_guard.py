"""What the guard lets through, and what it says about it."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest
from pycrdt import Array, Doc, Map, Text, get_state, merge_updates

from roomhost.actors.errors import InvalidArgument
from roomhost.actors.limits import (
    MAX_ANY_DEPTH,
    MAX_STATE_VECTOR_BYTES,
    MAX_UPDATE_BYTES,
    MAX_UPDATE_CLIENTS,
    MAX_YJS_CLOCK,
    MAX_YJS_ID,
)
from roomhost.actors.yjs_guard import Shape, check_state_vector, check_update

from ..helpers.yjs_updates import gap, item, nested, one, text, uint, update, written_by_two

EMPTY = b"\0\0"
WRITTEN_BY_YJS = Path(__file__).parent / "yjs_updates.txt"
HUGE = 2**60
MANY_CLIENTS = MAX_UPDATE_CLIENTS + 1


def any_list(*values: bytes) -> bytes:
    """The content of an item that holds values."""
    return uint(len(values)) + b"".join(values)


def refused(data: bytes) -> str:
    """The message with which the guard refuses an update."""
    with pytest.raises(InvalidArgument) as caught:
        check_update(data)

    assert caught.value.code == "invalid_update"
    return caught.value.message


@pytest.mark.parametrize("cut", range(1, 12))
def test_an_update_that_ends_too_early_is_refused(cut: int) -> None:
    """Wherever it ends."""
    whole = update([(1, 0, [item(4, text("hello"))])], [(1, [(0, 1)])])
    assert check_update(whole)

    assert "ends" in refused(whole[:-cut]) or "left" in refused(whole[:-cut])


def test_no_bytes_are_no_update() -> None:
    """The empty update has two bytes."""
    assert refused(b"") == "not a Yjs update: it ends after 0 bytes"
    assert check_update(EMPTY).empty


def test_bytes_after_the_end_are_refused() -> None:
    """pycrdt does not look at them, so they would be stored unread."""
    assert refused(EMPTY + b"\0") == "not a Yjs update: 1 bytes after its end, at byte 2"


REFUSED = {
    "clients": (uint(9) + b"\0\0", "9 entries declared"),
    "structs": (b"\1" + uint(9) + b"\1\0" + b"\0\1" + b"\0", "9 entries declared"),
    "deletes": (b"\0\1\1" + uint(9) + b"\0\1", "9 entries declared"),
    "values": (one(item(8, uint(99))), "99 entries declared"),
    "entries of an array": (one(item(8, any_list(b"\x75" + uint(99)))), "99 entries declared"),
    "entries of a map": (one(item(8, any_list(b"\x76\2\0\x7e"))), "2 entries declared"),
    "a text": (one(item(4, uint(99) + b"a")), "it ends after"),
    "bytes": (one(item(3, uint(99) + b"a")), "it ends after"),
    "bytes of a value": (one(item(8, any_list(b"\x74" + uint(99)))), "it ends after"),
    "a float": (b"\1\1\1\0\x08\1\4text\1\x7b\0\0", "it ends after"),
    "client id": (update([(MAX_YJS_ID + 1, 0, [gap()])]), "a client id over"),
    "itself as neighbour": (one(item(4, b"\1a", origin=(1, 0))), "a later one of its client"),
    "a later parent": (one(item(4, b"\1a", parent=(1, 4)), 4), "a later one of its client"),
    "client id of a neighbour": (one(item(4, b"\1a", origin=(HUGE, 0))), "more than eight bytes"),
    "client id of a deletion": (update([], [(MAX_YJS_ID + 1, [(0, 1)])]), "a client id over"),
    "clock": (update([(1, MAX_YJS_CLOCK + 1, [gap()])]), "a clock over"),
    "clock of a neighbour": (one(item(4, b"\1a", right=(2, 2**31))), "a clock over"),
    "clock of a parent": (one(item(4, b"\1a", parent=(2, 2**31))), "a clock over"),
    "clock at the end": (update([(1, MAX_YJS_CLOCK, [gap()])]), "a clock over"),
    "clock of a deletion": (update([], [(1, [(MAX_YJS_CLOCK, 1)])]), "a clock over"),
    "number too long": (b"\x81" * 9 + b"\1", "more than eight bytes"),
    "number longer than it needs": (b"\x80\0\0", "more bytes than it needs"),
    "integer too large": (one(item(8, any_list(b"\x7d\x80" + uint(2**47)))), "beyond"),
    "integer longer than it needs": (one(item(8, any_list(b"\x7d\x81\0"))), "than it needs"),
    "collected": (one(gap(0)), "a length of 0"),
    "left out": (one(gap(0, 10)), "a length of 0"),
    "deleted": (one(item(1, b"\0")), "a length of 0"),
    "text": (one(item(4, b"\0")), "a text of length 0"),
    "no values": (one(item(8, b"\0")), "no values"),
    "range": (update([], [(1, [(0, 0)])]), "a length of 0"),
    "kind 11": (one(item(11, b"\0")), "unknown kind"),
    "kind 16 and more": (one(item(0x14, b"\1a")), "unknown kind"),
    "collected, with flags": (one(gap(2, 0x80) + b"\0\0"), "unknown kind"),
    "left out, with flags": (one(gap(1, 0x2A) + b"\0\0"), "unknown kind"),
    "kind of a parent": (one(b"\x04\2\1a\1a"), "a parent of the unknown kind 2"),
    "JSON values": (one(item(2, b"\1" + text("1"))), "yjs and yrs read differently"),
    "XML hook": (one(item(7, b"\5" + text("a"))), "yjs and yrs read differently"),
    "weak link": (one(item(7, b"\7\0\0\0")), "a shared type of the unknown kind 7"),
    "shared type 9": (one(item(7, b"\x09")), "a shared type of the unknown kind 9"),
    "value of kind 115": (one(item(8, any_list(b"\x73"))), "a value of the unknown kind 115"),
    "value of kind 128": (one(item(8, any_list(b"\x80"))), "a value of the unknown kind 128"),
    "text of half a character": (one(item(4, b"\1\xff")), "not UTF-8"),
    "surrogate": (one(item(4, b"\3\xed\xa0\x80")), "not UTF-8"),
    "parent's name": (one(b"\x04\1\1\xff\1a"), "not UTF-8"),
    "key": (one(b"\x24\1\1a\1\xff\1a"), "not UTF-8"),
    "name of an element": (one(item(7, b"\3\1\xff")), "not UTF-8"),
    "key of a value": (one(item(8, any_list(b"\x76\1\1\xff\x7e"))), "not UTF-8"),
    "embed": (one(item(5, text("{"))), "not JSON"),
    "format": (one(item(6, text("bold") + text("undefined"))), "not JSON"),
    "not a number": (one(item(5, text("NaN"))), "not JSON"),
    "JSON too deep": (one(item(5, text("[" * 65 + "]" * 65))), "more than 64 levels"),
    "JSON far too deep": (one(item(5, text("[" * 50_000))), "more than 64 levels"),
    "client": (update([(1, 0, [gap()]), (1, 1, [gap()])]), "the client 1 twice"),
    "client alone": (update([(1, 0, [])]), "the client 1 without structs"),
    "client of deletions": (update([], [(1, [(0, 1)])] * 2), "the client 1 twice"),
    "more clients than may be": (
        update([(client, 0, [gap()]) for client in range(MANY_CLIENTS)]),
        f"{MANY_CLIENTS} clients",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_client_of_ours_writes_is_refused(name: str) -> None:
    """With a message that says what it is, and where."""
    data, message = REFUSED[name]
    assert message in refused(data)


def test_a_value_has_bounded_levels() -> None:
    """MAX_ANY_DEPTH of them pass, and not one more."""
    deep = b"\x75\1" * MAX_ANY_DEPTH + b"\x7e"
    assert check_update(one(item(8, any_list(deep)))).ends == {1: 1}
    assert "levels" in refused(one(item(8, any_list(b"\x75\1" + deep))))
    assert "levels" in refused(one(item(9, text("guid") + b"\x75\1" + deep)))


def test_brackets_within_a_text_are_no_levels() -> None:
    """JSON of 64 levels passes, with any text in it."""
    data = "[" * 64 + r'"\"[[[[{{{{"' + "]" * 64
    assert check_update(one(item(5, text(data)))).ends == {1: 1}
    assert check_update(one(item(5, text("[" + "[]," * 99 + "{}]"))))


def test_an_update_has_a_bounded_size() -> None:
    """Of MAX_UPDATE_BYTES, or as many as the caller allows."""
    few = update([(1, 0, [gap(), gap()]), (2, 0, [gap()])])
    assert check_update(few, max_structs=3)
    with pytest.raises(InvalidArgument, match="at most 2 structs: send it in several"):
        check_update(few, max_structs=2)
    large = one(item(3, uint(MAX_UPDATE_BYTES) + bytes(MAX_UPDATE_BYTES)))
    assert refused(large) == f"a Yjs update is at most 1048576 bytes, not {len(large)}"
    assert check_update(large, 2 * MAX_UPDATE_BYTES).ends == {1: 1}


def test_everything_that_yjs_writes_passes() -> None:
    """Big integers, undefined, bytes, keys twice, empty names, documents, negative zero."""
    values = (
        *(b"\x7f", b"\x7e", b"\x79", b"\x78", b"\x7d\x40", b"\x7d\xbf\x7f", b"\x7c" + bytes(4)),
        *(b"\x7b" + bytes(8), b"\x7a" + bytes(8), b"\x77\0", b"\x74\2\0\xff"),
        *(b"\x76\2\1a\x7e\1a\x7f", b"\x75\0", b"\x7d\xbf" + uint(2**47 - 1)),
    )
    data = update(
        [
            (MAX_YJS_ID, 0, [item(8, any_list(*values)), item(9, text("guid") + b"\x76\0")]),
            (0, 7, [item(7, b"\3\0", origin=(5, 1), right=(5, 2)), gap(3), item(7, b"\4")]),
            (3, MAX_YJS_CLOCK - 1, [item(6, b"\0" + text("null"), key="")]),
        ],
        [(9, []), (8, [(5, 2), (1, 3)])],
    )
    shape = check_update(data)
    assert shape.ends == {MAX_YJS_ID: len(values) + 1, 0: 12, 3: MAX_YJS_CLOCK}
    assert shape.starts == {MAX_YJS_ID: 0, 0: 7, 3: MAX_YJS_CLOCK - 1}
    assert shape.deletes == [(8, 7)]
    assert shape.nests


def test_texts_are_counted_as_javascript_counts_them() -> None:
    """In units of UTF-16, which the clock follows."""
    assert check_update(one(item(4, text("a😀é")))).ends == {1: 4}


@pytest.mark.parametrize(
    ("struct", "nests"),
    [
        (item(7, b"\0", parent="root"), False),
        (item(7, b"\0", parent="root", key="k"), False),
        (item(7, b"\0", parent=(2, 0)), True),
        (item(7, b"\0", origin=(2, 0)), True),
        (item(7, b"\0", right=(2, 0)), True),
        (item(4, b"\1a", parent=(2, 0)), False),
    ],
)
def test_what_may_make_a_document_deeper_is_told(struct: bytes, nests: bool) -> None:
    """A shared type anywhere but directly in a root."""
    assert check_update(one(struct)).nests is nests


def test_a_gap_is_told() -> None:
    """Whatever is behind one does not follow; a gap at the end is nothing."""
    behind = check_update(update([(1, 2, [gap(1), gap(4, 10), gap(1), gap(9, 10)])]))
    assert (behind.starts, behind.ends) == ({1: 7}, {1: 8})
    assert not behind.follows({1: 6})
    assert behind.follows({1: 7})

    nothing = check_update(one(gap(5, 10)))
    assert nothing.empty
    assert nothing.follows({})


def test_what_it_refers_to_must_be_there() -> None:
    """In the document, or in the update: neighbours, parents, and what is deleted."""
    shape = check_update(
        update([(1, 0, [item(4, b"\1a", origin=(2, 6), right=(3, 0))])], [(4, [(0, 2)])])
    )
    assert shape.needs == {2: 7, 3: 1}
    assert shape.follows({2: 7, 3: 1, 4: 2})
    assert not shape.follows({2: 6, 3: 1, 4: 2})
    assert not shape.follows({2: 7, 3: 1, 4: 1})

    within = update([(1, 0, [item(4, b"\1a", parent=(2, 0))]), (2, 0, [gap()])], [(2, [(0, 1)])])
    assert check_update(within).follows({})


def test_what_a_document_has_is_covered() -> None:
    """All structs and all deleted ranges, or it is not."""
    shape = Shape(ends={1: 5}, deletes=[(2, 3)])
    assert shape.covered_by({1: 5, 2: 3})
    assert not shape.covered_by({1: 4, 2: 3})
    assert not shape.covered_by({1: 5, 2: 2})
    assert not shape.covered_by({1: 5})
    assert Shape().covered_by({})


@pytest.mark.parametrize("seed", range(25))
def test_what_two_peers_write_passes(seed: int) -> None:
    """Each update, each difference and each merged one; the shape of a whole document is what
    pycrdt says, and the document covers all that it was told."""
    written, first, second = written_by_two(Random(seed), 40)
    for data in written:
        shape = check_update(data)
        assert not shape.empty or data == EMPTY

    vector = check_state_vector(first.doc.get_state())
    assert vector == check_state_vector(second.doc.get_state())
    assert check_update(first.doc.get_update()).ends == vector
    for data in written:
        assert check_update(data).covered_by(vector)


def test_what_yjs_writes_passes() -> None:
    """Updates of yjs 13.6.33: texts with formats and embeds, arrays, maps, XML, documents within the
    document, big integers, differences, merged ones, whole ones with gaps. pycrdt reads each."""
    lines = WRITTEN_BY_YJS.read_text().split()
    assert len(lines) == 150
    for line in lines:
        data = bytes.fromhex(line)
        check_update(data)
        get_state(data)


@pytest.mark.parametrize("seed", range(25))
def test_what_is_not_covered_does_something(seed: int) -> None:
    """An update that the state vector of a document does not cover has something that the document
    lacks, and the other way round: told in order, each moves the vector to its ends."""
    _, first, _ = written_by_two(Random(seed), 30)
    heard: Doc[Any] = Doc()
    for data in first.updates:
        shape = check_update(data)
        vector = check_state_vector(heard.get_state())
        new = any(vector.get(client, 0) < end for client, end in shape.ends.items())
        assert shape.covered_by(vector) is (not new)
        if shape.follows(vector):
            heard.apply_update(data)
            assert shape.covered_by(check_state_vector(heard.get_state())) or not shape.ends


def test_a_gap_of_merged_updates_is_found() -> None:
    """What lacks a part in the middle does not follow until that part is there."""
    doc: Doc[Text] = Doc(client_id=1)
    written: list[bytes] = []
    doc.observe(lambda event: written.append(event.update))
    words = doc.get("text", type=Text)
    for mark in "abc":
        words += mark

    merged = check_update(merge_updates(written[0], written[2]))
    assert (merged.starts, merged.ends) == ({1: 2}, {1: 3})
    assert not merged.follows({1: 1})
    assert merged.follows({1: 2})


def test_nested_types_of_pycrdt_nest() -> None:
    """A map within a map, as pycrdt writes it."""
    doc: Doc[Any] = Doc()
    root = doc.get("map", type=Map)
    root["flat"] = Array([1])
    assert check_update(doc.get_update()).nests is False
    root["deep"] = Map({"inner": Array([1])})
    assert check_update(doc.get_update()).nests
    assert check_update(nested(2)).nests


def test_a_state_vector_is_read() -> None:
    """By client, the clock that comes next."""
    assert check_state_vector(b"\0") == {}
    assert check_state_vector(b"\2\1\5" + uint(MAX_YJS_ID) + uint(MAX_YJS_CLOCK)) == {
        1: 5,
        MAX_YJS_ID: MAX_YJS_CLOCK,
    }


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "it ends after"),
        (b"\2\1\5", "2 entries declared"),
        (b"\1\x81\x01", "it ends after"),
        (b"\1\1\5\0", "1 bytes after its end"),
        (b"\2\1\5\1\6", "a client twice"),
        (b"\1" + uint(MAX_YJS_ID + 1) + b"\0", "a client id over"),
        (b"\1\1" + uint(MAX_YJS_CLOCK + 1), "a clock over"),
        (uint(MANY_CLIENTS) + b"\1\1" * MANY_CLIENTS, f"{MANY_CLIENTS} clients"),
        (bytes(MAX_STATE_VECTOR_BYTES + 1), f"at most {MAX_STATE_VECTOR_BYTES} bytes"),
    ],
)
def test_what_is_no_state_vector_is_refused(data: bytes, message: str) -> None:
    """With a message that says what is wrong."""
    with pytest.raises(InvalidArgument, match=message) as caught:
        check_state_vector(data)

    assert caught.value.code == "invalid_update"
