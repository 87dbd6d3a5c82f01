"""The checker finds an order exactly where there is one."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import combinations, permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from . import linearizable
from .linearizable import UNKNOWN, Operation, SearchTooLongError, linearization_fault

INFINITE = float("inf")
EXAMPLES = int(os.environ.get("LINEARIZABLE_EXAMPLES", "200"))  # of small histories


def register(state: int, wanted: Any, output: Any) -> Iterator[int]:
    """A number: `None` reads it, an `int` is added and answered with the sum, a `str` is stored."""
    if isinstance(wanted, str):
        yield int(wanted)
    else:
        total = state + (wanted or 0)
        if output is UNKNOWN or output == total:
            yield total


def fault(*operations: Operation) -> str | None:
    """Of these, from zero."""
    return linearization_fault(operations, 0, register)


def test_an_empty_history_has_an_order() -> None:
    """Nothing happened."""
    assert fault() is None


def test_sequential_operations_keep_their_order() -> None:
    """Each sees what came before."""
    assert fault(Operation(0, 1, 1, 1), Operation(2, 3, 1, 2), Operation(4, 5, None, 2)) is None


def test_a_read_of_an_old_state_is_a_fault() -> None:
    """The increment had been answered when the read began."""
    found = fault(Operation(0, 1, 1, 1), Operation(2, 3, None, 0))
    assert found is not None
    assert "after 1 operations the state is 1" in found


def test_overlapping_operations_may_be_in_either_order() -> None:
    """The read began before the increment ended."""
    assert fault(Operation(0, 2, 1, 1), Operation(1, 3, None, 0)) is None
    assert fault(Operation(0, 2, 1, 1), Operation(1, 3, None, 1)) is None


def test_a_lost_update_is_a_fault() -> None:
    """Two increments cannot both make 1 of 0."""
    assert fault(Operation(0, 2, 1, 1), Operation(1, 3, 1, 1)) is not None


def test_two_readers_see_one_order() -> None:
    """The second of two reads, one after the other, cannot go back."""
    writes = (Operation(0, 9, 1, 1),)
    assert fault(*writes, Operation(1, 2, None, 1), Operation(3, 4, None, 0)) is not None
    assert fault(*writes, Operation(1, 2, None, 0), Operation(3, 4, None, 1)) is None


def test_a_cut_off_operation_may_have_happened_or_not() -> None:
    """Both states may be read afterwards."""
    cut_off = Operation(0, 5, 1)
    assert fault(cut_off, Operation(6, 7, None, 0)) is None
    assert fault(cut_off, Operation(6, 7, None, 1)) is None


def test_a_cut_off_operation_does_not_happen_after_its_end() -> None:
    """A crash ends it: a state without it, and later one with it, is a fault."""
    reads = (Operation(6, 7, None, 0), Operation(8, 9, None, 1))
    assert fault(Operation(0, 5, 1), *reads) is not None
    assert fault(Operation(0, INFINITE, 1), *reads) is None


def test_a_cut_off_operation_happens_once() -> None:
    """Not twice."""
    assert fault(Operation(0, 5, 1), Operation(6, 7, None, 2)) is not None


def test_a_cut_off_operation_in_the_middle_explains_others() -> None:
    """The answer of another one shows that it happened."""
    assert fault(Operation(0, 9, 1), Operation(1, 2, None, 0), Operation(3, 4, 1, 2)) is None


def test_a_model_may_leave_the_state_open() -> None:
    """A state is right if one of those that are possible is."""

    def coin(state: int, _wanted: Any, output: Any) -> Sequence[int]:
        sides = (state, state + 1)
        return sides if output is UNKNOWN else [side for side in sides if side == output]

    def thrown(*outputs: Any) -> str | None:
        operations = [Operation(2 * at, 2 * at + 1, "", each) for at, each in enumerate(outputs)]
        return linearization_fault(operations, 0, coin)

    assert thrown(0, 1, 1, 2) is None
    assert thrown(0, 2) is not None


def test_a_search_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes too long says so."""
    monkeypatch.setattr(linearizable, "MAX_NODES", 10)
    writes = [Operation(0, 9, str(number), None) for number in range(8)]
    with pytest.raises(SearchTooLongError):
        fault(*writes, Operation(10, 11, None, 9))


def test_many_operations_that_overlap_are_searched_fast() -> None:
    """Memory of what was tried keeps it from all the orders of 24 increments."""
    calls = [Operation(at, at + 4, 1, at + 1) for at in range(24)]
    assert fault(*calls) is None
    assert fault(*calls, Operation(30, 31, None, 23)) is not None


def by_brute_force(operations: Sequence[Operation]) -> bool:
    """Whether there is an order: all subsets that leave out unanswered ones, in all orders."""
    required = [operation for operation in operations if operation.required]
    cut_off = [operation for operation in operations if not operation.required]
    return any(
        explains(order)
        for count in range(len(cut_off) + 1)
        for kept in combinations(cut_off, count)
        for order in permutations((*required, *kept))
    )


def explains(order: Sequence[Operation]) -> bool:
    """Whether this order respects time, and the model allows it."""
    state = 0
    for at, operation in enumerate(order):
        if any(later.end < operation.begin for later in order[at + 1 :]):
            return False
        states = list(register(state, operation.input, operation.output))
        if not states:
            return False
        state = states[0]
    return True


@st.composite
def operations(draw: st.DrawFn) -> Operation:
    """One of a small history."""
    begin = draw(st.integers(0, 8))
    end = begin + draw(st.integers(0, 5))
    wanted = draw(st.sampled_from([None, None, 1, 1, "1", "2"]))
    answered = None if isinstance(wanted, str) else draw(st.integers(0, 3))
    output = draw(st.sampled_from([answered, answered, UNKNOWN]))
    return Operation(begin, end, wanted, output, reads=wanted is None and draw(st.booleans()))


@settings(max_examples=EXAMPLES)
@given(st.lists(operations(), max_size=5))
def test_it_agrees_with_trying_every_order(history: list[Operation]) -> None:
    """On any small history."""
    assert (fault(*history) is None) == by_brute_force(history)
