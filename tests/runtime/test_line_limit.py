"""Lines of one kind are so many a second, and none is left out without a word."""

from __future__ import annotations

from roomhost.runtime.line_limit import LineLimit


def test_what_was_left_out_is_said_with_the_next_line() -> None:
    """Three a second; of five, two are counted."""
    seconds = 7.5
    limit = LineLimit(3, lambda: seconds)
    assert [limit.take() for _ in range(5)] == [0, 0, 0, None, None]
    seconds = 8.0
    assert [limit.take() for _ in range(2)] == [2, 0]
