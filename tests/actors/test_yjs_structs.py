"""The structs of an update: read as they were written, and in an order in which they can be taken."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roomhost.actors.errors import InvalidArgument
from roomhost.actors.limits import MAX_YJS_CLOCK
from roomhost.actors.yjs_structs import (
    Struct,
    causal,
    merged,
    read_deletes,
    read_sections,
    structs_of,
)
from tests.helpers.yjs_updates import gap, item, update, written_by_two

ANY = b"\x01\x7d\x01"
FIRST = item(8, ANY)


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"\x01",
        b"\x01\x01\x05",
        b"\x01\x01\x05\x00\x04",
        b"\x7f\x01\x05\x00\x04",
        update([(5, 0, [FIRST]), (5, 1, [FIRST])]),
        update([(5, 0, [gap(0)])]),
        update([(5, MAX_YJS_CLOCK, [FIRST])]),
        update([(5, 0, [b"\x08\x02"])]),
        update([(5, 0, [b"\x0b\x01\x01r"])]),
        update([(2**53, 0, [FIRST])]),
    ],
)
def test_what_is_malformed_is_refused(bad: bytes) -> None:
    """Too short, a client twice, no length, too late a clock, an unknown parent or kind, no id."""
    with pytest.raises(InvalidArgument):
        read_sections(bad)


@pytest.mark.parametrize(
    "bad", [b"", b"\x01", b"\x01\x05\x01\x00", b"\x01\x05\x01\x00\x00", b"\x00\x00"]
)
def test_a_malformed_delete_set_is_refused(bad: bytes) -> None:
    """Too short, no length, too long."""
    with pytest.raises(InvalidArgument):
        read_deletes(bad, 0)


def test_structs_are_read_as_they_were_written() -> None:
    """Clocks, lengths, kinds, ids, and where the bytes of each part are."""
    structs = [
        item(4, b"\x03abc", parent="root", key="key"),
        item(7, b"\x01", origin=(5, 2), right=(9, 300)),
        item(8, ANY, parent=(5, 3)),
        gap(4),
        gap(2, 10),
    ]
    data = update([(5, 7, structs)], [(5, [(1, 2)])])
    (section,), at = read_sections(data)
    assert (section.client, section.clock, section.end, section.structs) == (5, 7, 18, 5)
    found = list(structs_of(data, section))
    assert [data[s.start : s.end] for s in found] == structs
    assert [(s.clock, s.length, s.kind) for s in found] == [
        *((7, 3, 4), (10, 1, 7), (11, 1, 8), (12, 4, 0), (16, 2, 10)),
    ]
    assert [s.root for s in found] == ["root", None, None, None, None]
    assert [s.references() for s in found[:3]] == [
        (None, None, None),
        ((5, 2), (9, 300), None),
        (None, None, (5, 3)),
    ]
    assert [data[s.content : s.end] for s in found[:3]] == [b"\x03abc", b"\x01", ANY]
    assert data[found[0].body : found[0].end] == structs[0][1:]
    assert read_deletes(data, at) == {5: [(1, 3)]}


def test_ranges_that_touch_are_one() -> None:
    """In any order, overlapping, one within another."""
    assert merged([(5, 6), (0, 2), (2, 3), (10, 20), (12, 13), (19, 21)]) == [
        (0, 3),
        (5, 6),
        (10, 21),
    ]
    assert read_deletes(update((), [(5, [(3, 1), (0, 2), (1, 2)])]), 0 + 1) == {5: [(0, 4)]}


def clocks(data: bytes) -> list[tuple[int, int]]:
    """Client and clock in causal order."""
    return [(client, struct.clock) for client, struct in causal(data)]


def test_what_waits_for_each_other_is_refused() -> None:
    """After what does not wait."""
    data = update(
        [
            (1, 0, [FIRST, item(8, ANY, origin=(2, 0))]),
            (2, 0, [item(8, ANY, parent=(1, 1))]),
            (3, 0, [FIRST]),
        ]
    )
    found: list[tuple[int, Struct]] = []
    with pytest.raises(InvalidArgument, match="wait for each other"):
        found.extend(causal(data))
    with pytest.raises(InvalidArgument):
        clocks(update([(1, 0, [item(8, ANY, origin=(1, 0))]), (3, 0, [FIRST])]))


def test_what_is_not_in_the_update_is_not_waited_for() -> None:
    """Before its section, behind it, or of another client."""
    places = [(1, 4), (1, 7), (9, 0)]
    for place in places:
        data = update([(1, 5, [FIRST, FIRST]), (2, 0, [item(8, ANY, origin=place)])])
        assert sorted(clocks(data)) == [(1, 5), (1, 6), (2, 0)]


def test_many_who_wait_for_one() -> None:
    """Two thousand clients, each of whom waits for another clock of the first, which waits for the
    last of them in its turn: in order, without asking each of them each time."""
    count = 2_000
    first = [FIRST, *(item(8, ANY, origin=(n, 0)) for n in range(2, count))]
    others = [(n, 0, [item(8, ANY, origin=(1, n - 2))]) for n in range(2, count)]
    expected = [(1, 0)]
    for n in range(2, count):
        expected += [(n, 0), (1, n - 1)]
    assert clocks(update([(1, 0, first), *others])) == expected
    assert clocks(update([*others, (1, 0, first)])) == expected


@given(seed=st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_each_struct_comes_after_what_it_refers_to(seed: int) -> None:
    """All structs, once, of whatever was written."""
    written, _, _ = written_by_two(Random(seed), 12)
    for data in written:
        sections, _ = read_sections(data)
        done = {section.client: section.clock for section in sections}
        ends = {section.client: section.end for section in sections}
        for client, struct in causal(data):
            assert struct.clock == done[client]
            for reference in struct.references():
                if reference is not None and reference[0] in ends:
                    assert not done[reference[0]] <= reference[1] < ends[reference[0]]
            done[client] += struct.length
        assert done == ends
