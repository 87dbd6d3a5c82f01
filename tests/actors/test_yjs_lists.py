"""In which list each struct lies, and which updates would mix two of them, or overfill one."""

from __future__ import annotations

from random import Random

import pytest

from roomhost.actors.errors import InvalidArgument
from roomhost.actors.yjs_lists import MIXED, SEVERAL, Lists

from ..helpers.yjs_updates import gap, item, text, update, written_by_two


@pytest.mark.parametrize("seed", range(25))
def test_what_peers_write_mixes_nothing(seed: int) -> None:
    """Update by update, and as a whole; text, formats, maps, arrays, XML, deletions."""
    written, first, _ = written_by_two(Random(seed), 40)
    lists = Lists()
    assert not any(map(lists.fault, written))
    assert Lists().fault(first.doc.get_update()) is None


def test_neighbours_in_two_lists_are_seen() -> None:
    """Of two roots, within one update or not."""
    two = [(1, 0, [item(4, text("a"), parent="one")]), (2, 0, [item(4, text("b"), parent="two")])]
    between = (3, 0, [item(4, text("x"), origin=(1, 0), right=(2, 0))])
    lists = Lists()
    assert lists.fault(update(two)) is None
    assert lists.fault(update([between])) == MIXED
    assert Lists().fault(update([between, *two])) == MIXED


def test_what_is_collected_lies_in_no_list() -> None:
    """So it mixes nothing, as yrs looks at the other neighbour."""
    lists = Lists()
    for one in (
        update([(1, 0, [bytes((0, 1))]), (2, 0, [item(4, text("b"), parent="two")])]),
        update([(3, 0, [item(4, text("x"), origin=(1, 0), right=(2, 0))])]),
        # It lies beside what was not collected.
        update([(4, 0, [item(4, text("y"), origin=(3, 0), right=(2, 0))])]),
    ):
        assert lists.fault(one) is None


THREE = b"\3\x7d\1\x7d\2\x7d\3"  # values


@pytest.mark.parametrize(
    ("struct", "deleted", "fault"),
    [
        (item(8, THREE, parent=(1, 0), key="k"), [], SEVERAL),
        (item(8, THREE, parent=(1, 0), key="k"), [(4, 1)], SEVERAL),
        (item(4, text("abc"), parent="map", key="k"), [(2, 2)], SEVERAL),
        # The key is that of the neighbour.
        (item(8, THREE, origin=(1, 1)), [(3, 2)], SEVERAL),
        # All of it is deleted, as Yjs has it where nothing is collected; or it never was more.
        (item(8, THREE, parent=(1, 0), key="k"), [(2, 1), (3, 2)], None),
        (item(8, THREE, origin=(1, 1)), [(0, 9)], None),
        (item(1, b"\3", origin=(1, 1)), [], None),
        (gap(3), [], None),
        # One value; or several without a key.
        (item(8, b"\1\x7d\1", parent=(1, 0), key="k"), [], None),
        (item(8, THREE, parent="array"), [], None),
    ],
)
def test_a_key_has_one_value_that_is_not_deleted(
    struct: bytes, deleted: list[tuple[int, int]], fault: str | None
) -> None:
    """However many had it before."""
    lists = Lists()
    first = item(7, b"\1", parent="array"), item(8, b"\1\x7d\1", parent=(1, 0), key="k")
    assert lists.fault(update([(1, 0, [*first])])) is None
    deletes = [(1, deleted)] if deleted else []
    assert lists.fault(update([(1, 2, [struct])], deletes)) == fault


def test_gaps_are_passed_over_and_cycles_are_none() -> None:
    """Structs that wait for each other lie nowhere."""
    assert Lists().fault(update([(1, 0, [item(4, text("a")), gap(3)])])) is None
    with pytest.raises(InvalidArgument, match="wait for each other"):
        Lists().fault(
            update(
                [
                    (1, 0, [item(4, text("a"), origin=(2, 0))]),
                    (2, 0, [item(4, text("b"), origin=(1, 0))]),
                ]
            )
        )
