"""Each check of rooms finds what is wrong with a history, and nothing in one that is right."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from .room_checks import (
    CHECKS,
    RESUMED_MESSAGES,
    acknowledged_once,
    nothing_refused,
    one_order,
    presence_converges,
    the_living_stay,
    without_gaps,
)
from .room_events import (
    Acknowledged,
    Final,
    Heard,
    Left,
    Lived,
    Read,
    Refused,
    Subscribed,
    View,
)

MESSAGES = (("id1", "a-1"), ("id2", "b-1"), ("id3", "a-2"))
MEMBERS = {"ann": {"state": 1}, "bob": {}}
FINAL = Final("lobby", MESSAGES, MEMBERS, MEMBERS, (1, 2, 3))
WELCOME = Subscribed("lobby", "ann", 1, 0, None, None)
RESUMED = Subscribed("lobby", "ann", 2, 3, 1, True)
Check = Callable[[Sequence[Any]], Iterator[str]]


def heard(seq: int, connection: int = 1) -> Heard:
    """A message, where it is."""
    return Heard("lobby", "ann", connection, seq, MESSAGES[seq - 1])


RIGHT: list[Any] = [
    WELCOME,
    heard(1),
    Acknowledged("lobby", "a-1", "id1"),
    Acknowledged("lobby", "a-1", "id1"),
    Read("lobby", MESSAGES[:2]),
    Lived("lobby", "ann", 100, 200),
    Left("lobby", "ann", 200, "disconnected"),
    Left("lobby", "bob", 150, "left"),
    RESUMED,
    heard(2, 2),
    heard(3, 2),
    FINAL,
    View("lobby", "ann", 3, MEMBERS),
]

WRONG: list[tuple[Check, list[Any]]] = [
    # Lost, under another id, twice.
    (acknowledged_once, [Acknowledged("lobby", "c-1", "id4"), FINAL]),
    (acknowledged_once, [Acknowledged("lobby", "a-1", "id2"), FINAL]),
    (
        acknowledged_once,
        [Final("lobby", (*MESSAGES, ("id4", "a-1")), MEMBERS, MEMBERS, (1, 2, 4))],
    ),
    # Heard and gone, at another place, read in another order.
    (one_order, [Heard("lobby", "ann", 1, 4, ("id4", "c-1")), FINAL]),
    (one_order, [Heard("lobby", "ann", 1, 1, MESSAGES[1]), FINAL]),
    (one_order, [Read("lobby", (MESSAGES[1], MESSAGES[0])), FINAL]),
    (one_order, [Read("lobby", (*MESSAGES, ("id4", "c-1"))), FINAL]),
    # One is missing, one comes twice, one before the greeting; nothing is resumed.
    (without_gaps, [WELCOME, heard(2)]),
    (without_gaps, [WELCOME, heard(1), heard(1)]),
    (without_gaps, [heard(1)]),
    (without_gaps, [WELCOME, heard(1), RESUMED, heard(3, 2)]),
    (without_gaps, [WELCOME, heard(1), RESUMED, heard(1, 2)]),
    (without_gaps, [Subscribed("lobby", "ann", 2, RESUMED_MESSAGES, 0, False)]),
    # Who is gone is seen, who is here is not; not everything was heard; the sums are wrong.
    (presence_converges, [Final("lobby", MESSAGES, MEMBERS, {"ann": {"state": 1}}, (1, 2, 3))]),
    (presence_converges, [FINAL, View("lobby", "ann", 3, {"ann": {"state": 1}})]),
    (presence_converges, [FINAL, View("lobby", "ann", 3, {**MEMBERS, "bob": {"state": 2}})]),
    (presence_converges, [FINAL, View("lobby", "ann", 2, MEMBERS)]),
    (presence_converges, [Final("lobby", MESSAGES, MEMBERS, MEMBERS, (1, 1, 3))]),
    (presence_converges, [Final("lobby", MESSAGES, MEMBERS, MEMBERS, (0, 2, 3))]),
    (the_living_stay, [Lived("lobby", "ann", 100, 200), Left("lobby", "ann", 150, "expired")]),
    (nothing_refused, [Refused("lobby", "ann", "presence", "not_a_member")]),
]


def test_a_history_that_is_right() -> None:
    """Nothing is found in it."""
    assert [list(check(RIGHT)) for check in CHECKS] == [[] for _ in CHECKS]


@pytest.mark.parametrize(("check", "history"), WRONG)
def test_a_history_that_is_wrong(check: Check, history: list[Any]) -> None:
    """The check finds it."""
    assert len(list(check(history))) >= 1


def test_a_resume_may_be_refused_to_who_missed_too_much() -> None:
    """It starts from where the room is."""
    far = Subscribed("lobby", "ann", 2, RESUMED_MESSAGES + 1, 0, False)
    assert list(without_gaps([far])) == []
