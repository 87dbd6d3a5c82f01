"""The page is what the suite says, and the suite leaves nothing out."""

from __future__ import annotations

from .mistakes import MISTAKES
from .page import PAGE, areas, page


def test_the_page_is_made_of_the_suite() -> None:
    """Made anew it is the same: `python -m tests.conformance`."""
    assert PAGE.read_text() == page()


def test_every_test_shows_something() -> None:
    """A feature, or that a mistake is not made."""
    assert [test for area in areas() for test in area.unmarked] == []


def test_every_feature_is_shown() -> None:
    """No row is empty."""
    assert [
        feature.name for area in areas() for feature, tests in area.shown.items() if not tests
    ] == []


def test_every_mistake_has_a_test_named_after_it() -> None:
    """All forty-five."""
    named = {
        number
        for area in areas()
        for number, tests in area.mistakes.items()
        if any(f"mistake_{number}_" in test for test in tests)
    }
    assert named == set(MISTAKES)
