"""Histories of objects that behave, or do not, as if their calls came one after the other."""

from __future__ import annotations

from typing import Any

from ..workloads.counter_model import EMPTY, Op, counters, entries_of
from .events import Answered, Began, Called, Constructed
from .linear import linearizable
from .test_checks import At

ADD, SOFT, GET = Op("add", "x", 1), Op("add", "x", 1, confirmed=False), Op("get", "x")


def fault(*events: Any) -> list[str]:
    """Of an object `a` with counters."""
    return list(linearizable([At(event) for event in events], EMPTY, counters, entries_of))


def start(instance: int, **found: int) -> Constructed:
    """It finds this."""
    return Constructed("a", instance, 0, found)


def call(number: int, op: Op, instance: int = 1) -> list[Any]:
    """One begins."""
    return [Called(number, "a", op), Began("a", instance, number)]


def test_what_was_answered_is_found() -> None:
    """After a crash too; if it is not, that is told."""
    answered = [start(1), *call(1, ADD), Answered(1, 1)]
    assert fault(*answered, start(2, x=1)) == []
    assert fault(*answered, start(2)) != []


def test_what_was_cut_off_is_found_or_not() -> None:
    """But it does not show later, if it did not at once."""
    cut_off = [start(1), *call(1, ADD)]
    assert fault(*cut_off, start(2)) == []
    assert fault(*cut_off, start(2, x=1)) == []
    assert fault(*cut_off, start(2), start(3, x=1)) != []


def test_what_never_began_is_not_found() -> None:
    """Nobody has done it."""
    assert fault(start(1), Called(1, "a", ADD), start(2, x=1)) != []


def test_unconfirmed_writes_are_lost_from_the_last() -> None:
    """A crash takes some of them, but none of which a later one is there."""
    soft = [start(1), *call(1, SOFT), Answered(1, 1), *call(2, SOFT), Answered(2, 2)]
    assert [fault(*soft, start(2, x=left)) for left in (1, 2)] == [[], []]
    assert fault(*soft, start(2)) == []
    assert fault(*soft, *call(3, ADD), Answered(3, 3), start(2, x=2)) != []


def test_a_reader_sees_what_was_answered_before() -> None:
    """In the same object; another one has its own."""
    answered = [start(1), *call(1, ADD), Answered(1, 1), *call(2, GET)]
    assert fault(*answered, Answered(2, 1)) == []
    assert fault(*answered, Answered(2, 0)) != []
    assert fault(*answered, Called(3, "b", GET), Answered(3, 0)) == []


def test_deletions_answer_what_they_found() -> None:
    """Each at its place."""
    entry = [start(1, x=1)]
    begin = [start(1), *call(1, ADD), Answered(1, 1)]
    deleted = [*call(2, Op("delete", "x")), Answered(2, True)]
    cleared = [*call(3, Op("clear")), Answered(3, None), *call(4, Op("list")), Answered(4, ())]
    assert fault(*begin, *deleted, *cleared, start(2)) == []
    assert fault(*begin, *deleted, *call(5, Op("delete", "x")), Answered(5, True)) != []
    assert fault(*entry) != []
