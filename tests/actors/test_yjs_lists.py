"""In which list each struct lies, and which updates would mix two of them."""

from __future__ import annotations

from random import Random

import pytest

from roomhost.actors.errors import InvalidArgument
from roomhost.actors.yjs_lists import Lists

from ..helpers.yjs_updates import gap, item, text, update, written_by_two


@pytest.mark.parametrize("seed", range(25))
def test_what_peers_write_mixes_nothing(seed: int) -> None:
    """Update by update, and as a whole; text, formats, maps, arrays, XML, deletions."""
    written, first, _ = written_by_two(Random(seed), 40)
    lists = Lists()
    assert not any(lists.mixes(data) for data in written)
    assert not Lists().mixes(first.doc.get_update())


def test_neighbours_in_two_lists_are_seen() -> None:
    """Of two roots, within one update or not."""
    two = [(1, 0, [item(4, text("a"), parent="one")]), (2, 0, [item(4, text("b"), parent="two")])]
    between = (3, 0, [item(4, text("x"), origin=(1, 0), right=(2, 0))])
    lists = Lists()
    assert not lists.mixes(update(two))
    assert lists.mixes(update([between]))
    assert Lists().mixes(update([between, *two]))


def test_what_is_collected_lies_in_no_list() -> None:
    """So it mixes nothing, as yrs looks at the other neighbour."""
    lists = Lists()
    assert not lists.mixes(
        update([(1, 0, [bytes((0, 1))]), (2, 0, [item(4, text("b"), parent="two")])])
    )
    assert not lists.mixes(update([(3, 0, [item(4, text("x"), origin=(1, 0), right=(2, 0))])]))
    # It lies beside what was not collected.
    assert not lists.mixes(update([(4, 0, [item(4, text("y"), origin=(3, 0), right=(2, 0))])]))


def test_gaps_are_passed_over_and_cycles_are_none() -> None:
    """Structs that wait for each other lie nowhere."""
    assert not Lists().mixes(update([(1, 0, [item(4, text("a")), gap(3)])]))
    with pytest.raises(InvalidArgument, match="wait for each other"):
        Lists().mixes(
            update(
                [
                    (1, 0, [item(4, text("a"), origin=(2, 0))]),
                    (2, 0, [item(4, text("b"), origin=(1, 0))]),
                ]
            )
        )
