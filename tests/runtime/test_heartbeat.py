"""When a loop counts as held, by event lists: what the looker finds at which time."""

from __future__ import annotations

from roomhost.runtime.heartbeat import Heartbeat, Held

LOOK = 0.25


def beating(asked: float = 0.0) -> Heartbeat:
    """A heartbeat of a second that was asked at a time, and looked at then."""
    beat = Heartbeat(1.0, LOOK)
    beat.look(asked, 0.0)
    beat.ask(asked)
    return beat


def looks(beat: Heartbeat, until: float, first: float = LOOK) -> list[Held | None]:
    """What it says, looked at in time, while the process works."""
    times = [first + LOOK * number for number in range(round((until - first) / LOOK) + 1)]
    return [beat.look(time, time) for time in times]


def test_a_loop_that_answers_is_not_held() -> None:
    """However often it is looked at."""
    beat = beating()
    for number in range(1, 9):
        beat.answer(number * LOOK - 0.2)
        assert beat.look(number * LOOK, number * LOOK) is None
        assert beat.answered
        beat.ask(number * LOOK)
        assert not beat.answered


def test_what_holds_it_is_told_once_and_again_when_it_is_over() -> None:
    """The second time with the whole of the time."""
    beat = beating()
    assert looks(beat, 3.0) == [None] * 3 + [Held(1.0, over=False)] + [None] * 8
    beat.answer(3.1)
    assert beat.look(3.25, 3.25) == Held(3.1, over=True)
    beat.ask(3.25)
    beat.answer(3.26)
    assert beat.look(3.5, 3.5) is None


def test_one_that_is_over_before_it_was_looked_at_is_told_of_too() -> None:
    """The answer came late, between two looks."""
    beat = beating()
    looks(beat, 0.75)
    beat.answer(1.1)
    assert beat.look(1.25, 1.25) == Held(1.1, over=True)


def test_a_process_that_was_stopped_is_no_loop_that_was_held() -> None:
    """SIGSTOP, or a laptop that slept: no CPU time went by."""
    beat = beating()
    assert looks(beat, 0.5) == [None, None]
    assert beat.look(60.0, 0.51) is None
    beat.answer(60.2)
    assert beat.look(60.25, 0.76) is None


def test_one_that_held_the_interpreter_counts_though_nobody_could_look() -> None:
    """The loop had answered before it, and nothing could ask."""
    beat = beating()
    beat.answer(0.1)
    assert beat.look(20.0, 12.0) == Held(20.0 - LOOK, over=True)


def test_one_that_held_the_interpreter_and_goes_on_is_not_over() -> None:
    """It is told when it is."""
    beat = beating()
    assert beat.look(20.0, 12.0) == Held(20.0, over=False)
    beat.answer(21.0)
    assert beat.look(20.25, 12.2) == Held(21.0, over=True)


def test_a_machine_that_is_busy_is_not_taken_for_the_loop() -> None:
    """The looker comes late each time, and the process had hardly any CPU."""
    beat = beating()
    for number in range(1, 20):
        beat.answer(number * 2.0 - 0.1)
        assert beat.look(number * 2.0, number * 0.01) is None
        beat.ask(number * 2.0)
