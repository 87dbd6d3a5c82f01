"""The rows of a shard: which figures count, which row is dirty, and sums that are always right."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomhost.actors.directory import Figures
from roomhost.actors.directory_rows import RoomKey, Rows

from ..helpers.dict_store import DictStore

LOBBY = RoomKey("room", "lobby")


def figures(version: int, rooms: int = 1, members: int = 2, messages: int = 3) -> Figures:
    """What a room says."""
    return {"version": version, "rooms": rooms, "members": members, "messages": messages}


@pytest.fixture
def memory() -> DictStore:
    """What the rows are stored in."""
    return DictStore()


@pytest.fixture
def rows(memory: DictStore) -> Rows:
    """No rows yet."""
    return Rows(memory)


def messages(rows: Rows) -> int:
    """The sum that these tests look at."""
    return rows.totals()["messages"]


def test_older_figures_are_ignored(rows: Rows) -> None:
    """Whatever way they took: what is newer stays."""
    rows.mark(LOBBY, 7, asked=False)
    rows.record(LOBBY, figures(7, messages=7))
    rows.record(LOBBY, figures(6, messages=6))
    assert messages(rows) == 7
    assert rows.dirty() == []


def test_figures_before_the_change_count_and_leave_the_row_dirty(rows: Rows) -> None:
    """They are the best there is, until those that contain the change come."""
    rows.mark(LOBBY, 5, asked=False)
    rows.record(LOBBY, figures(4, messages=4))
    assert messages(rows) == 4
    assert rows.dirty() == [LOBBY]
    rows.record(LOBBY, figures(5, messages=5))
    assert messages(rows) == 5
    assert rows.dirty() == []


def test_a_mark_again_is_of_the_same_version_and_writes_nothing(
    rows: Rows, memory: DictStore
) -> None:
    """A room that has come back to memory marks itself again."""
    assert rows.mark(LOBBY, 1, asked=False) == 1
    before = dict(memory.rows)
    assert rows.mark(LOBBY, 1, asked=False) == 1
    assert memory.rows == before


def test_a_mark_while_the_room_is_asked_outlives_the_answer(rows: Rows) -> None:
    """The answer may be from before the room lost its memory, and with it its version."""
    asked_for = rows.mark(LOBBY, 1, asked=False)
    assert rows.mark(LOBBY, 1, asked=True) == 2
    rows.record(LOBBY, figures(asked_for))
    assert rows.dirty_version(LOBBY) == 2


def test_a_mark_of_a_clean_row_is_always_a_new_version(rows: Rows) -> None:
    """Also when the room does not remember the version it had."""
    rows.mark(LOBBY, 9, asked=False)
    rows.record(LOBBY, figures(9))
    assert rows.mark(LOBBY, 1, asked=False) == 10


def test_a_row_that_says_nothing_is_not_kept(rows: Rows, memory: DictStore) -> None:
    """Of a room that was marked and never written nothing is left but how new it was."""
    rows.mark(LOBBY, 3, asked=False)
    rows.record(LOBBY, figures(3, 0, 0, 0))
    assert memory.rows == {"sums": [0, 0, 0, 3]}


def test_figures_from_before_a_row_was_forgotten_are_ignored(rows: Rows) -> None:
    """A late report does not bring back what is gone; a new change is known as one."""
    rows.mark(LOBBY, 3, asked=False)
    rows.record(LOBBY, figures(3, 0, 0, 0))
    rows.record(LOBBY, figures(2))
    rows.record(LOBBY, figures(3))
    assert messages(rows) == 0
    assert rows.mark(LOBBY, 1, asked=False) == 4
    rows.record(LOBBY, figures(4))
    assert messages(rows) == 3


def test_a_dirty_row_without_figures_is_kept(rows: Rows) -> None:
    """Whatever it says now, it is to be asked."""
    rows.mark(LOBBY, 3, asked=False)
    rows.record(LOBBY, figures(2, 0, 0, 0))
    assert rows.dirty() == [LOBBY]


def test_messages_of_a_destroyed_room_count_and_its_name_does_not(rows: Rows) -> None:
    """What is retained can be read."""
    rows.mark(LOBBY, 1, asked=False)
    rows.record(LOBBY, figures(1))
    assert rows.names("room", None, 10) == ["lobby"]
    rows.mark(LOBBY, 2, asked=False)
    rows.record(LOBBY, figures(2, rooms=0, members=0))
    assert rows.totals() == {"rooms": 0, "members": 0, "messages": 3}
    assert rows.names("room", None, 10) == []


def test_a_room_and_a_channel_of_one_name_are_two(rows: Rows) -> None:
    """Whatever characters the name has."""
    for key in (RoomKey("room", "a:b::\U0001f600"), RoomKey("channel", "a:b::\U0001f600")):
        rows.mark(key, 1, asked=False)
        assert key in rows.dirty()
        rows.record(key, figures(1))
        assert rows.names(key.kind, None, 10) == [key.name]
    assert rows.totals() == {"rooms": 2, "members": 4, "messages": 6}


KEYS = st.builds(RoomKey, st.sampled_from(["room", "channel"]), st.sampled_from("abc"))
FIGURES = st.builds(
    figures, st.integers(1, 9), st.integers(0, 1), st.integers(0, 2), st.integers(0, 2)
)
MARKS = st.tuples(KEYS, st.integers(1, 9), st.booleans())


@given(st.lists(st.one_of(MARKS, st.tuples(KEYS, FIGURES)), max_size=30))
def test_the_sums_are_those_of_the_rows(steps: list[Any]) -> None:
    """In whatever order marks and figures come, and every index is of the rows too."""
    memory = DictStore()
    rows = Rows(memory)
    for key, *rest in steps:
        if len(rest) == 2:
            rows.mark(key, rest[0], asked=rest[1])
        else:
            rows.record(key, rest[0])
        stored = memory.list(prefix="r:")
        sums = [sum(row[column] for row in stored.values()) for column in (1, 2, 3)]
        assert list(rows.totals().values()) == sums
        dirty = {name[2:]: row[4] for name, row in stored.items() if row[4] > row[0]}
        assert {name[2:]: at for name, at in memory.list(prefix="q:").items()} == dirty
        named = {name[2:] for name, row in stored.items() if row[1]}
        assert {name[2:] for name in memory.list(prefix="n:")} == named
