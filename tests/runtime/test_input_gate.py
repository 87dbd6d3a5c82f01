"""The input gate: the twelve cases of semantics.md 9.1, and a model."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomhost.runtime.input_gate import CriticalSection, InputGate, Lock, SectionState


class Wait:
    """One wait at a gate, and what came of it."""

    def __init__(self, gate: InputGate) -> None:
        self.lock: Lock | None = None
        self.error: BaseException | None = None
        gate.wait(self._admit, self._refuse)

    def _admit(self, lock: Lock) -> None:
        self.lock = lock

    def _refuse(self, error: BaseException) -> None:
        self.error = error

    @property
    def admitted(self) -> bool:
        """Whether it was let in."""
        return self.lock is not None

    def release(self) -> None:
        """Give the lock back."""
        assert self.lock is not None
        self.lock.release()


def running(gate: InputGate) -> tuple[CriticalSection, Wait]:
    """A critical section that has begun, and the lock of its first code."""
    section = gate.start_section()
    first = Wait(section)
    assert first.admitted
    return section, first


def test_a_lock_keeps_others_out_and_lets_them_in_one_by_one() -> None:
    """A wait is immediate while nothing is held; then first in, first out."""
    gate = InputGate()
    first = Wait(gate)
    assert first.admitted
    second, third = Wait(gate), Wait(gate)
    assert not second.admitted
    first.release()
    assert second.admitted
    assert not third.admitted
    second.release()
    assert third.admitted


def test_a_lock_is_released_once() -> None:
    """A second release is a bug, and says so."""
    wait = Wait(InputGate())
    wait.release()
    with pytest.raises(RuntimeError, match="released already"):
        wait.release()


def test_a_critical_section_keeps_the_outside_out_and_its_inside_in() -> None:
    """Outer waits until it succeeded; waits made inside pass."""
    gate = InputGate()
    section, first = running(gate)
    outer, inner = Wait(gate), Wait(section)
    first.release()
    assert inner.admitted
    assert not outer.admitted
    inner.release()
    assert not outer.admitted
    section.succeeded().release()
    assert outer.admitted


def test_the_continuation_of_a_section_runs_before_what_queued() -> None:
    """The lock that success hands back is the parent's: nothing comes between."""
    gate = InputGate()
    section, first = running(gate)
    outer = Wait(gate)
    first.release()
    lock = section.succeeded()
    assert not outer.admitted
    lock.release()
    assert outer.admitted


def test_sections_that_start_together_run_one_after_the_other() -> None:
    """The second begins only after the first succeeded, and before ordinary events."""
    gate = InputGate()
    one, first = running(gate)
    event = Wait(gate)
    two = gate.start_section()
    second = Wait(two)
    assert two.state is SectionState.INITIAL_WAIT
    first.release()
    assert not second.admitted
    one.succeeded().release()
    assert second.admitted
    assert not event.admitted
    second.release()
    two.succeeded().release()
    assert event.admitted


def test_a_nested_section_blocks_the_one_around_it() -> None:
    """The outer section's own waiters stand still until the inner one has ended."""
    gate = InputGate()
    outer, first = running(gate)
    first.release()
    inner, deep = running(outer)
    waiting = Wait(outer)
    deep.release()
    assert not waiting.admitted
    inner.succeeded().release()
    assert waiting.admitted
    waiting.release()
    outer.succeeded().release()
    assert Wait(gate).admitted


def test_a_nested_section_may_outlive_its_parent() -> None:
    """The parent's success lets nobody in while the child runs."""
    gate = InputGate()
    outer, first = running(gate)
    first.release()
    inner, deep = running(outer)
    event = Wait(gate)
    outer.succeeded().release()
    assert not event.admitted
    deep.release()
    inner.succeeded().release()
    assert event.admitted


def test_sections_nest_deeply() -> None:
    """Each level holds the one above it, down and up again."""
    gate = InputGate()
    sections: list[CriticalSection] = []
    around: InputGate = gate
    for _ in range(5):
        section, first = running(around)
        first.release()
        sections.append(section)
        around = section
    event = Wait(gate)
    for section in reversed(sections):
        assert not event.admitted
        section.succeeded().release()
    assert event.admitted


def test_a_lock_taken_inside_outlives_the_section() -> None:
    """The parent stays locked until it is given back."""
    gate = InputGate()
    section, first = running(gate)
    event = Wait(gate)
    section.succeeded().release()
    assert not event.admitted
    first.release()
    assert event.admitted


def test_a_failed_section_breaks_the_whole_gate() -> None:
    """Present and future waits are refused with the first cause, which is told once."""
    gate = InputGate()
    broken: list[BaseException] = []
    gate.on_broken = broken.append
    section, first = running(gate)
    outer, inner = Wait(gate), Wait(section)
    cause = ValueError("first")
    section.failed(cause)
    section.failed(ValueError("second"))
    assert outer.error is inner.error is cause
    assert Wait(gate).error is Wait(section).error is cause
    assert gate.broken is cause
    assert broken == [cause]
    first.release()  # code that unwinds gives its lock back, to nobody's harm


def test_a_long_chain_of_ended_sections_overflows_no_stack() -> None:
    """A wait on one of thousands goes to the gate that is left; so does a late release."""
    gate = InputGate()
    sections: list[CriticalSection] = []
    around: InputGate = gate
    for _ in range(5_000):
        section, first = running(around)
        first.release()
        sections.append(section)
        around = section
    for section in sections:
        section.succeeded().release()
    wait = Wait(sections[-1])
    assert wait.admitted
    assert gate.closed
    wait.release()
    assert not gate.closed


def test_breaking_a_deep_tree_overflows_no_stack() -> None:
    """Every level is refused, in a loop."""
    gate = InputGate()
    around: InputGate = gate
    waits: list[Wait] = []
    for _ in range(5_000):
        section, _ = running(around) if around is gate else (around.start_section(), None)
        waits.append(Wait(section))
        around = section
    gate.break_with(ValueError("broken"))
    assert all(wait.error is not None or wait.admitted for wait in waits)


def test_the_depth_is_counted() -> None:
    """For the limit of 64."""
    gate = InputGate()
    outer = gate.start_section()
    assert (gate.depth, outer.depth, outer.start_section().depth) == (0, 1, 2)


def test_a_section_ends_while_it_runs() -> None:
    """Not before, not twice."""
    section = InputGate().start_section()
    with pytest.raises(RuntimeError, match="not started"):
        section.succeeded()
    Wait(section)
    section.succeeded()
    with pytest.raises(RuntimeError, match="reparented"):
        section.succeeded()


@given(st.lists(st.booleans(), max_size=60))
def test_without_sections_it_is_a_fair_lock(steps: list[bool]) -> None:
    """Any order of waits and releases, against a queue."""
    gate = InputGate()
    waiting: deque[Wait] = deque()
    holder: Wait | None = None
    for wants in steps:
        if wants:
            wait = Wait(gate)
            if holder is None:
                holder = wait
            else:
                waiting.append(wait)
        elif holder is not None:
            holder.release()
            holder = waiting.popleft() if waiting else None
        assert holder is None or holder.admitted
        assert not any(wait.admitted for wait in waiting)
        assert gate.closed == (holder is not None)
