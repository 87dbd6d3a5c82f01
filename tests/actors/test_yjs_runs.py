"""Values by clock, kept as runs: the same as a dictionary of every clock."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from roomhost.actors.yjs_runs import Runs

STEPS = st.lists(
    st.tuples(st.integers(1, 2), st.integers(-3, 0), st.integers(1, 5), st.integers(0, 2))
)


@given(STEPS)
def test_a_clock_has_the_value_that_it_got_first(steps: list[tuple[int, int, int, int]]) -> None:
    """Whatever is said of it again; those that nobody has spoken of have none."""
    runs: Runs[int] = Runs()
    model: dict[tuple[int, int], int] = {}
    ends = {1: 0, 2: 0}
    for client, back, length, value in steps:
        start = max(0, ends[client] + back)
        runs.fill(client, start, start + length, value)
        for clock in range(start, start + length):
            model.setdefault((client, clock), value)
        ends[client] = max(ends[client], start + length)
    for client in (1, 2, 3):
        for clock in range(ends.get(client, 0) + 2):
            assert runs.at(client, clock) == model.get((client, clock))
