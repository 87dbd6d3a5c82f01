"""The input gate by itself: locks and critical sections."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from roomhost.runtime.input_gate import CriticalSection, InputGate, Lock

from .feature import Feature, shows

BASICS = Feature("InputGate: locks, first in first out", "4.1, 9.1")
SECTION = Feature("InputGate: critical section", "4.1, 9.1")
TREE = Feature("InputGate: sections as a tree", "4.1, 9.1")
BROKEN = Feature("InputGate: a failed section breaks the whole gate", "4.1, 9.1")
DEEP = Feature("InputGate: depth without recursion", "4.1, 9.1")
DEPTH = Feature("InputGate: nesting depth is counted", "3.2, 9.1")


class Visit:
    """One wait at a gate: it stands there, is let in with a lock, or is refused."""

    def __init__(self, gate: InputGate, on_entry: Callable[[], object] = lambda: None) -> None:
        self.lock: Lock | None = None
        self.error: BaseException | None = None
        self._on_entry = on_entry
        gate.wait(self._admit, self._refuse)

    def _admit(self, lock: Lock) -> None:
        assert not self.over
        self.lock = lock
        self._on_entry()

    def _refuse(self, error: BaseException) -> None:
        assert not self.over
        self.error = error

    @property
    def over(self) -> bool:
        """Whether it waits no more."""
        return self.lock is not None or self.error is not None

    @property
    def inside(self) -> bool:
        """Whether it was let in."""
        return self.lock is not None

    def leave(self) -> None:
        """Give the lock back."""
        assert self.lock is not None
        self.lock.release()


def begun(gate: InputGate) -> tuple[CriticalSection, Visit]:
    """A section in `gate` and its first visitor, the code that it is for."""
    section = gate.start_section()
    return section, Visit(section)


def chain(gate: InputGate, length: int) -> list[CriticalSection]:
    """So many running sections, each in the one before, none with a lock of its own."""
    sections: list[CriticalSection] = []
    for _ in range(length):
        section, first = begun(gate)
        first.leave()
        sections.append(section)
        gate = section
    return sections


@shows(BASICS)
def test_a_wait_is_immediate_when_nothing_is_held_and_else_in_turn() -> None:
    """Each release lets exactly one in, in the order they came."""
    gate = InputGate()
    order: list[int] = []
    first = Visit(gate)
    later = [Visit(gate, lambda number=number: order.append(number)) for number in range(3)]  # type: ignore[misc]
    assert first.inside
    assert order == []
    first.leave()
    for number, visit in enumerate(later):
        assert order == list(range(number + 1))
        visit.leave()
    assert Visit(gate).inside


@shows(BASICS)
def test_a_gate_with_several_holds_opens_with_the_last() -> None:
    """A lock is counted: releasing one of two lets nobody in."""
    gate = InputGate()
    first = Visit(gate)
    second = gate.hold()
    waits = Visit(gate)
    first.leave()
    assert not waits.over
    second.release()
    assert waits.inside


@shows(SECTION)
def test_outer_waits_stand_until_a_section_succeeds_and_inner_ones_pass() -> None:
    """The one who asked for the section goes on under its lock, before all that waits."""
    gate = InputGate()
    section, first = begun(gate)
    outer = Visit(gate)
    first.leave()
    inner = Visit(section)
    assert (inner.inside, outer.over) == (True, False)
    inner.leave()
    continuation = section.succeeded()
    assert not outer.over
    continuation.release()
    assert outer.inside


@shows(SECTION)
def test_of_sections_that_start_together_the_second_waits_for_the_first() -> None:
    """And both go before an ordinary wait that stood there earlier."""
    gate = InputGate()
    held = Visit(gate)
    ordinary = Visit(gate)
    first, in_first = begun(gate)
    second, in_second = begun(gate)
    held.leave()
    assert (in_first.inside, in_second.over, ordinary.over) == (True, False, False)
    in_first.leave()
    first.succeeded().release()
    assert (in_second.inside, ordinary.over) == (True, False)
    in_second.leave()
    second.succeeded().release()
    assert ordinary.inside


@shows(TREE)
def test_an_inner_section_holds_back_the_outer_ones_own_waits() -> None:
    """When it succeeds they go on, and the root still waits."""
    gate = InputGate()
    outer, first = begun(gate)
    first.leave()
    inner, in_inner = begun(outer)
    in_outer, in_root = Visit(outer), Visit(gate)
    assert (in_inner.inside, in_outer.over) == (True, False)
    in_inner.leave()
    inner.succeeded().release()
    assert (in_outer.inside, in_root.over) == (True, False)
    in_outer.leave()
    outer.succeeded().release()
    assert in_root.inside


@shows(TREE)
def test_a_section_that_ends_before_its_child_leaves_the_root_closed() -> None:
    """The child then stands in the root, which opens when the child succeeds."""
    gate = InputGate()
    outer, first = begun(gate)
    first.leave()
    inner, in_inner = begun(outer)
    in_root = Visit(gate)
    outer.succeeded().release()
    assert not in_root.over
    in_inner.leave()
    assert not in_root.over
    inner.succeeded().release()
    assert in_root.inside


@shows(TREE)
def test_four_levels_open_one_after_the_other() -> None:
    """A wait at each level passes when everything inside it has ended, not earlier."""
    gate = InputGate()
    sections = chain(gate, 4)
    levels: list[InputGate] = [gate, *sections[:-1]]
    waits = [Visit(level) for level in levels]
    for level in reversed(range(4)):
        assert [visit.inside for visit in waits] == [each > level for each in range(4)]
        sections[level].succeeded().release()
        waits[level].leave()
    assert Visit(gate).inside


@shows(SECTION)
def test_a_lock_taken_inside_outlives_the_section_and_holds_its_parent() -> None:
    """Success moves it up: the parent opens when it is released."""
    gate = InputGate()
    section, first = begun(gate)
    outer = Visit(gate)
    section.succeeded().release()
    assert not outer.over
    first.leave()
    assert outer.inside


@shows(BROKEN)
def test_a_failed_section_refuses_present_and_future_waits() -> None:
    """All over the tree, with the first cause; `on_broken` hears of it once."""
    gate = InputGate()
    heard: list[BaseException] = []
    gate.on_broken = heard.append
    outer, first = begun(gate)
    first.leave()
    inner, in_inner = begun(outer)
    waits = [Visit(gate), Visit(outer), Visit(inner)]
    cause = ValueError("first")
    inner.failed(cause)
    outer.failed(ValueError("second"))
    late = [Visit(gate), Visit(outer), Visit(inner), Visit(gate.start_section())]
    assert [visit.error for visit in (*waits, *late)] == [cause] * 7
    assert (heard, gate.broken) == ([cause], cause)
    in_inner.leave()
    assert Visit(gate).error is cause


@shows(DEEP)
def test_a_deep_chain_of_sections_ends_without_deep_recursion() -> None:
    """Ten thousand levels, ended from the inside, and dropped."""
    gate = InputGate()
    sections = chain(gate, 10_000)
    waits = Visit(gate)
    while sections:
        sections.pop().succeeded().release()
    assert waits.inside


@shows(DEEP)
def test_a_wait_at_a_section_that_ended_goes_to_the_nearest_living_one() -> None:
    """Through ten thousand ended ones, which ended from the outside."""
    gate = InputGate()
    sections = chain(gate, 10_000)
    for section in sections[1:-1]:
        section.succeeded().release()
    innermost = Visit(sections[-2])
    assert not innermost.over
    sections[-1].succeeded().release()
    assert innermost.inside
    in_root = Visit(gate)
    innermost.leave()
    assert not in_root.over
    sections[0].succeeded().release()
    assert in_root.inside


@shows(TREE)
@pytest.mark.parametrize("fails", [False, True])
def test_a_section_that_outlives_its_child_is_unharmed_by_it(fails: bool) -> None:
    """Its own locks and queue are as before; of a failure it hears like the rest of the tree."""
    gate = InputGate()
    outer, first = begun(gate)
    first.leave()
    inner, in_inner = begun(outer)
    in_inner.leave()
    waits = Visit(outer)
    cause = ValueError("child")
    if fails:
        inner.failed(cause)
        assert (waits.error, Visit(outer).error) == (cause, cause)
    else:
        inner.succeeded().release()
        del inner, in_inner
        assert waits.inside
        second = Visit(outer)
        waits.leave()
        assert second.inside


@shows(DEPTH)
def test_a_section_knows_how_deep_it_is() -> None:
    """The root is at 0. A section made in one that has ended counts from the living parent."""
    gate = InputGate()
    sections = chain(gate, 3)
    assert [gate.depth, *(section.depth for section in sections)] == [0, 1, 2, 3]
    sections[2].succeeded().release()
    assert sections[2].start_section().depth == 3
