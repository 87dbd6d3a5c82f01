"""What the supervisor of `roomhost dev` does next."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomhost.admin.dev_states import STEPS, Action, Event, State, step

ENDING = {State.DRAINING, State.STOPPING}


def run(*events: Event) -> tuple[State, list[Action]]:
    """The state after events that come one after the other, and what is done about them."""
    state, actions = State.STARTING, []
    for event in events:
        state, action = step(state, event)
        actions.append(action)
    return state, actions


def test_a_change_while_the_old_child_ends_needs_nothing() -> None:
    """The next child starts later, and reads what has changed by then."""
    state, actions = run(Event.READY, Event.CHANGED, Event.CHANGED, Event.EXITED, Event.READY)
    assert state is State.SERVING
    assert actions == [
        Action.ANNOUNCE,
        Action.DRAIN,
        Action.NOTHING,
        Action.START,
        Action.ANNOUNCE,
    ]


def test_a_change_while_a_child_starts_starts_another() -> None:
    """It may have read the file before."""
    state, actions = run(Event.CHANGED, Event.READY, Event.EXITED)
    assert (state, actions) == (
        State.STARTING,
        [Action.DRAIN, Action.NOTHING, Action.START],
    )


def test_a_child_that_dies_is_explained_and_its_explainer_is_not() -> None:
    """There is no loop of processes that die."""
    state, actions = run(Event.READY, Event.EXITED, Event.FAILURE, Event.EXITED, Event.EXITED)
    assert state is State.STOPPED
    assert actions[1:] == [Action.EXPLAIN, Action.SHOW, Action.EXPLAIN, Action.GIVE_UP]


def test_a_child_that_is_late_is_killed() -> None:
    """After a change as after a signal; a second signal does not wait."""
    assert run(Event.CHANGED, Event.LATE, Event.EXITED) == (
        State.STARTING,
        [Action.DRAIN, Action.KILL, Action.START],
    )
    assert run(Event.CHANGED, Event.STOP, Event.STOP, Event.EXITED) == (
        State.STOPPED,
        [Action.DRAIN, Action.NOTHING, Action.KILL, Action.NOTHING],
    )


def test_what_cannot_happen_is_an_error_that_says_what_can() -> None:
    """Here a child that is late without having been told to end."""
    with pytest.raises(RuntimeError, match="late while serving: expected is changed, exited, stop"):
        step(State.SERVING, Event.LATE)


@given(st.lists(st.sampled_from(Event), max_size=30))
def test_whatever_happens_there_is_one_child_until_the_end(events: list[Event]) -> None:
    """One is started only when the last has ended; a stop is never forgotten."""
    state, running, told = State.STARTING, True, False
    stopping = False
    for event in events:
        if event not in STEPS[state] or (event is Event.EXITED and not running):
            continue

        stopping = stopping or event is Event.STOP
        running = running and event is not Event.EXITED
        told = told and running
        state, action = step(state, event)
        if action in (Action.START, Action.EXPLAIN):
            assert not running
            assert not stopping
            running = True
        if action in (Action.DRAIN, Action.KILL):
            assert running
            told = True
        assert running == (state is not State.STOPPED)
        assert (state in ENDING) == told
        assert not stopping or state in (State.STOPPING, State.STOPPED)
