"""The containers of structs: kept as runs, whatever comes first."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from roomhost.actors.yjs_containers import NOWHERE, UNKNOWN, Containers
from roomhost.actors.yjs_structs import causal
from tests.helpers.yjs_updates import gap, item, update

ANY = b"\x01\x7d\x01"
ROOTS = "abc"
Piece = tuple[int, int, str]  # first clock, length, root


def containers() -> Containers:
    """Roots by their place in ROOTS, types by ten times the number of where they are, plus ten."""
    return Containers(ROOTS.index, lambda number: 10 * number + 10)


def values(length: int, root: str) -> bytes:
    """A struct of so many clocks in a root."""
    return item(8, bytes([length]) + b"\x7e" * length, parent=root)


def placed(of: Containers, data: bytes) -> list[int]:
    """The numbers of the structs of an update."""
    return [of.place(client, struct) for client, struct in causal(data)]


def test_where_nothing_is_known() -> None:
    """Neither beside nor within it, nor is a gap anywhere; what is there then is in its own place."""
    of = containers()
    beside, within = item(8, ANY, origin=(1, 0)), item(8, ANY, parent=(1, 0))
    assert placed(of, update([(2, 0, [beside, within, gap(1, 10)])])) == [UNKNOWN] * 3
    assert placed(of, update([(1, 0, [item(7, b"\x00", parent="b")])])) == [1]
    assert placed(of, update([(2, 0, [beside, within])])) == [1, 20]
    assert (of.type_at(1, 0), of.type_at(2, 0), of.type_at(2, 2)) == (20, NOWHERE, UNKNOWN)


def test_the_greater_of_two_neighbours_counts() -> None:
    """A collected one does not, unless it is the only one."""
    of = containers()
    assert placed(of, update([(1, 0, [values(1, "a"), values(1, "c"), gap()])])) == [0, 2, NOWHERE]
    for left, right, number in ((0, 1, 2), (1, 0, 2), (2, 1, 2), (0, 2, 0), (2, 2, NOWHERE)):
        beside = item(8, ANY, origin=(1, left), right=(1, right))
        assert placed(of, update([(9, 0, [beside])])) == [number]


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(1, 9), st.sampled_from(ROOTS)), max_size=20)
)
def test_the_first_that_is_told_of_a_clock_counts(pieces: list[Piece]) -> None:
    """In whatever order, with whatever overlap; the model has a number for each clock."""
    of, model = containers(), dict[int, int]()
    for clock, length, root in pieces:
        placed(of, update([(1, clock, [values(length, root)])]))
        for at in range(clock, clock + length):
            model.setdefault(at, ROOTS.index(root))

    for at in range(45):
        beside = item(8, ANY, origin=(1, at))
        assert placed(of, update([(2, at, [beside])])) == [model.get(at, UNKNOWN)]
