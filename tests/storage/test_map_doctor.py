"""When a map should be compacted, and when the disk is too small for it."""

from __future__ import annotations

import pytest

from roomhost.storage.finding import Level
from roomhost.storage.limits import HEAD_ROOM_BYTES, MIN_COMPACT_BYTES
from roomhost.storage.map_check import MapContents
from roomhost.storage.map_doctor import (
    check_alarms,
    check_namespaces,
    check_room,
    check_rows,
)
from roomhost.storage.map_reader import MapFigures

MUCH = 1 << 40
BIG = 4 * MIN_COMPACT_BYTES


@pytest.mark.parametrize(
    ("used", "live", "free", "most", "level", "says"),
    [
        (BIG, BIG, MUCH, MUCH, Level.FINE, "in use; the disk has"),
        (BIG, BIG // 3, MUCH, MUCH, Level.NOTE, "66 % of the map"),
        (MIN_COMPACT_BYTES - 1, 1, MUCH, MUCH, Level.FINE, "in use"),
        (BIG, BIG, HEAD_ROOM_BYTES - 1, MUCH, Level.WARNING, "commits are slow below 268,435,456"),
        (MUCH, MUCH, MUCH - 1, 2 * MUCH, Level.NOTE, "a copy of the map needs"),
        (BIG, BIG, MUCH, BIG + 1, Level.WARNING, "and may have"),
    ],
)
def test_room(used: int, live: int, free: int, most: int, level: Level, says: str) -> None:
    """Each says its figures, and what to do where something is."""
    found = check_room(MapFigures(used, live, used, 0), free, most)[0]
    assert found.level is level
    assert says in found.what
    assert bool(found.cure) is (level is not Level.FINE)


def test_problems_that_are_not_told_are_counted() -> None:
    """One line for all of them."""
    contents = MapContents(problems=["one"], problem_count=4)
    assert [found.what for found in check_rows(contents)] == ["one", "and 3 more of that kind"]


def test_alarms_that_are_due_wait_for_a_host() -> None:
    """They are a matter of concern only where one runs."""
    contents = MapContents(alarms=5, overdue=2, first_due_ms=1_000)
    (found,) = check_alarms(contents, 61_000, served=False)
    assert found.level is Level.NOTE
    assert found.what == "2 alarms are due, the first since 60 s"
    assert check_alarms(contents, 61_000, served=True)[0].level is Level.WARNING
    assert check_alarms(MapContents(alarms=5, first_due_ms=9), 8, served=True) == []


def test_objects_without_a_class_are_told_with_what_became_of_it() -> None:
    """What a rollback keeps, and what a migration deletes, is recorded; the rest an application may
    not know. Where there are no objects, nothing is to be said."""
    contents = MapContents(
        objects_of={1: 5, 2: 1, 3: 7, 4: 2},
        namespaces={1: "A", 2: "B", 3: "C", 4: "D", 5: "E"},
        states={1: "parked", 2: "deleted", 3: "served", 5: "parked"},
    )
    told = [(f.level, f.what.partition(" of ")[0]) for f in check_namespaces(contents, ["C"])]
    assert told == [
        (Level.NOTE, "5 objects"),
        (Level.NOTE, "1 object"),
        (Level.WARNING, "2 objects"),
    ]
    assert len(check_namespaces(contents, None)) == 2
