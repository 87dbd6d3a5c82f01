"""The checks, on histories made by hand: good ones pass, each bad one is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from . import named
from .activations import begin_in_order, one_at_a_time
from .alarms import (
    MAX_RETRIES,
    all_ran,
    never_after_deletion,
    never_early,
    one_run_at_a_time,
    retries_wait,
    whole_alarms,
)
from .events import Answered, Began, Called, Constructed, Fired, Looked, Ran, Resumed, Seen, Told
from .money import books_balance, everything_arrived, sum_is_invariant
from .outputs import outputs_are_durable, turns_are_whole

Check = Callable[[Sequence[Seen]], Iterator[str]]


@dataclass(frozen=True)
class At:
    """An event, at a time, under a host."""

    event: Any
    at_ms: float = 0.0
    generation: int = 1


def complaints(check: Check, *events: Any) -> list[str]:
    """Of a history."""
    return list(check([each if isinstance(each, At) else At(each) for each in events]))


def start(instance: int, stamp: int = 0, **found: Any) -> Constructed:
    """Of an object `a`, which finds this."""
    return Constructed("a", instance, stamp, found)


def fired(
    token: int, *, now_ms: int = 0, due_ms: int = 0, retry: int = 0, instance: int = 1
) -> Any:
    """A run of an alarm begins."""
    return Fired("a", instance, token, due_ms, now_ms, retry)


def ran(token: int, failed: bool = False) -> Ran:
    """And ends."""
    return Ran("a", 1, token, failed)


due = partial(never_early, due={1: 10, 2: 20})
whole = partial(turns_are_whole, pad="pad")
sums = partial(sum_is_invariant, names=["a"], accounts=["x", "y"], start=10)
books = partial(books_balance, names=["a", "b"], wallet="wallet", start=10)
arrived = partial(everything_arrived, names=["a", "b"], wallet="wallet", start=10)
PAID: dict[str, Any] = {"wallet": 8, "sent:a-1": 2}
RECEIVED: dict[str, Any] = {"wallet": 12, "in:a-1": 2}
ARMED: dict[str, Any] = {"armed": 1, "due": 5, "alarm": 5}
UNARMED: dict[str, Any] = {**ARMED, "alarm": None}
GIVEN_UP = (fired(1, retry=MAX_RETRIES), ran(1, failed=True))

GOOD: list[tuple[Check, tuple[Any, ...]]] = [
    (outputs_are_durable, (start(1), Told("a", 3, "an answer"), start(2, 3), start(3, 4))),
    (whole, (start(1), start(2, 3, pad=(3, b"\3\3")))),
    (one_at_a_time, (start(1), Began("a", 1, 1), start(2), Resumed("a", 2))),
    (begin_in_order, (Called(1, "a", 0, 1), Called(2, "a", 0, 1), Began("a", 1, 2))),
    (
        begin_in_order,
        (Called(1, "a", 0, 1), Called(2, "a", 0, 2), Began("a", 1, 2), Began("a", 1, 1)),
    ),
    (due, (fired(1, due_ms=10, now_ms=10), fired(2, due_ms=20, now_ms=25))),
    (never_after_deletion, (Called(1, "a", 0), fired(1), Answered(1, 2), fired(2))),
    (one_run_at_a_time, (fired(1), ran(1), fired(2), fired(3, instance=2))),
    (retries_wait, (fired(1), At(ran(1, failed=True)), At(fired(1, retry=1), 2_000))),
    (retries_wait, (fired(1), At(ran(1, failed=True)), At(fired(1), 5, generation=2))),
    (whole_alarms, (start(1), start(2, **ARMED), start(3, armed=None, alarm=None))),
    (whole_alarms, (*GIVEN_UP, start(2, **UNARMED))),
    (all_ran, (Looked("a", ARMED), Looked("a", {"alarm": None}))),
    (sums, (start(1), start(2, x=4, y=16), Constructed("b", 3, 0, {"x": 1}))),
    (books, (start(1, **PAID), Constructed("b", 2, 0, RECEIVED), start(3, **PAID))),
    (arrived, (Looked("a", PAID), Looked("b", RECEIVED))),
]
BAD: list[tuple[Check, tuple[Any, ...], str]] = [
    (outputs_are_durable, (Told("a", 3, "an answer"), start(2, 2)), "an answer told of write 3"),
    (whole, (start(1, 3, pad=(2, b"")),), "finds write 3 and part of 2"),
    (whole, (start(1, 3, pad=(3, b"\3\0\3")),), "finds write 3 and part of 3"),
    (one_at_a_time, (start(1), start(2), Began("a", 1, 1)), "instance 1 of a runs, though 2"),
    (one_at_a_time, (start(1), start(2), Resumed("a", 1)), "instance 1 of a runs, though 2"),
    (
        begin_in_order,
        (Called(1, "a", 0, 1), Called(2, "a", 0, 1), Began("a", 1, 2), Began("a", 1, 1)),
        "call 1 of a begins after call 2",
    ),
    (begin_in_order, (Called(1, "a", 0), Began("a", 1, 1), Began("a", 1, 1)), "begins after"),
    (due, (fired(1, due_ms=10, now_ms=9),), "1 ms early"),
    (due, (fired(1, due_ms=11, now_ms=12),), "was set for 10"),
    (never_after_deletion, (Called(1, "a", 0), Answered(1, 2), fired(1)), "after change 2"),
    (one_run_at_a_time, (fired(1), fired(2)), "beside alarm 1"),
    (retries_wait, (fired(1), At(ran(1, failed=True)), At(fired(1, retry=1), 9)), "too soon"),
    (retries_wait, (*GIVEN_UP, At(fired(1, retry=MAX_RETRIES + 1), 9e9)), "as number 7"),
    (whole_alarms, (start(1, armed=None, alarm=5),), "has run, or was deleted"),
    (whole_alarms, (start(1, **UNARMED),), "not run, and an alarm at None"),
    (all_ran, (Looked("a", ARMED),), "never ran to its end"),
    (sums, (start(1, x=4),), "come to 14"),
    (books, (start(1, wallet=8),), "its books say 10"),
    (books, (Constructed("b", 2, 0, RECEIVED), start(3)), "a has not sent it"),
    (books, (start(1, **{"out:a-1": 2}),), "on its way, and a has not sent it"),
    (arrived, (Looked("a", PAID | {"out:a-1": ("b", 2)}), Looked("b", {})), "at the end"),
]


@pytest.mark.parametrize(("check", "events"), GOOD)
def test_a_good_history_passes(check: Check, events: tuple[Any, ...]) -> None:
    """There is nothing to complain of."""
    assert complaints(check, *events) == []


@pytest.mark.parametrize(("check", "events", "told"), BAD)
def test_a_bad_history_is_told(check: Check, events: tuple[Any, ...], told: str) -> None:
    """In words that say what."""
    found = complaints(check, *events)
    assert found
    assert told in found[0]


def test_a_complaint_has_the_name_of_its_check() -> None:
    """So that it is known which one it was."""
    events = [At(start(1, 3, pad=(2, b"")))]
    assert list(named(turns_are_whole(events, "pad"))) == [
        "turns_are_whole: instance 1 of a finds write 3 and part of 2"
    ]
