"""What is found in a map that is not of a piece."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from roomhost.storage.data_directory import PARTITION
from roomhost.storage.environment import object_key
from roomhost.storage.keyspace import number_bytes
from roomhost.storage.limits import MAX_PROBLEMS
from roomhost.storage.map_check import MapContents, check_contents, verify_pages
from roomhost.storage.map_reader import DATA_FILE, MapReader
from roomhost.storage.messagepack import pack

from .states import Delete, Put, damage, make_state

ONE, TWO, NINE = number_bytes(1), number_bytes(2), number_bytes(9)


def contents_of(state: Path, due_before_ms: int = 0) -> MapContents:
    """What the check of a directory's map says."""
    with MapReader(state / PARTITION, shared=False) as reader:
        return check_contents(reader, due_before_ms=due_before_ms)


def test_a_sound_map_has_no_problem_and_is_counted(tmp_path: Path) -> None:
    """Objects of each namespace, entries, alarms, and which of those are due."""
    state = make_state(tmp_path / "state", range(1, 8))
    assert verify_pages(state / PARTITION) == []
    contents = contents_of(state, due_before_ms=1_005)
    assert contents.problems == []
    assert (contents.objects, contents.entries, contents.alarms) == (7, 21, 3)
    assert contents.namespaces == {1: "ROOM"}
    assert contents.objects_of == {1: 7}
    assert contents.states == {1: "served"}
    assert (contents.overdue, contents.first_due_ms) == (2, 1_002)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param(
            lambda put, _: put("alarms", number_bytes(5) + ONE, b""),
            "2 alarms are in order, 1 objects have one",
            id="an alarm of nobody",
        ),
        pytest.param(
            lambda put, _: put("alarm_of", ONE, number_bytes(5)),
            "the alarm of object 1 is not among those in order",
            id="an alarm out of order",
        ),
        pytest.param(
            lambda _, delete: delete("alarm_of", TWO),
            "1 alarms are in order, 0 objects have one",
            id="an alarm of no object",
        ),
        pytest.param(
            lambda put, _: put("entries", NINE + b"key", b"value"),
            "object 9 has entries and no record",
            id="an entry of nobody",
        ),
        pytest.param(
            lambda put, _: put("entries", ONE + b"\xff", b"value"),
            "has a key that cannot be read",
            id="a key that is no text",
        ),
        pytest.param(
            lambda put, _: put("entries", ONE + b"p" * 496, b"\0\1p"),
            "has a key that cannot be read",
            id="a long key that is another",
        ),
        pytest.param(
            lambda put, _: put("entries", b"short", b""),
            "has a key that cannot be read",
            id="half a number",
        ),
        pytest.param(
            lambda put, _: put("records", ONE, b"\xc1"),
            "the record 0000000000000001 cannot be read",
            id="a record that is no MessagePack",
        ),
        pytest.param(
            lambda put, _: put("records", ONE, pack((1, b"short", None))),
            "the record 0000000000000001 cannot be read",
            id="a record without an id",
        ),
        pytest.param(
            lambda put, _: put("records", ONE, pack((7, b"%032d" % 1, None))),
            "1 object is in namespace 7, which has no name",
            id="a namespace without a name",
        ),
        pytest.param(
            lambda put, _: put("objects", object_key(1, b"%032d" % 1), TWO),
            "object 1 is not found by its id",
            id="an id that leads elsewhere",
        ),
        pytest.param(
            lambda _, delete: delete("objects", object_key(1, b"%032d" % 1)),
            "2 ids are listed, 3 objects have a record",
            id="an id that is not listed",
        ),
        pytest.param(
            lambda put, _: put("namespaces", b"OTHER", pack((1, "key"))),
            "has no number of its own",
            id="two namespaces of one number",
        ),
    ],
)
def test_what_does_not_agree_is_named(
    tmp_path: Path, change: Callable[[Put, Delete], Any], says: str
) -> None:
    """Each kind of row, by the number of its object; the rest is still counted."""
    state = make_state(tmp_path / "state")
    damage(state, change)
    contents = contents_of(state)
    assert any(says in problem for problem in contents.problems), contents.problems
    assert contents.entries >= 9


def test_only_the_first_problems_are_told(tmp_path: Path) -> None:
    """All are counted."""
    state = make_state(tmp_path / "state", [1])

    def change(put: Put, _: Delete) -> None:
        for number in range(100, 100 + MAX_PROBLEMS + 5):
            put("entries", number_bytes(number), b"")

    damage(state, change)
    contents = contents_of(state)
    assert len(contents.problems) == MAX_PROBLEMS
    assert contents.problem_count == MAX_PROBLEMS + 5


@pytest.mark.parametrize("what", ["the beginning", "a page of entries", "the end"])
def test_damaged_pages_are_found_without_opening_the_map(tmp_path: Path, what: str) -> None:
    """A page of zeros in place of another, or a file that was cut."""
    state = make_state(tmp_path / "state")
    with MapReader(state / PARTITION, shared=False) as reader:
        reader.copy(tmp_path / DATA_FILE, lambda _: None)
    assert verify_pages(tmp_path) == []
    data = bytearray((tmp_path / DATA_FILE).read_bytes())
    page = 0 if what == "the beginning" else data.rfind(b"mark") // 4_096
    if what == "the end":
        del data[-4_096:]
    else:
        data[page * 4_096 : (page + 1) * 4_096] = bytes(4_096)
    (tmp_path / DATA_FILE).write_bytes(data)
    assert verify_pages(tmp_path)
