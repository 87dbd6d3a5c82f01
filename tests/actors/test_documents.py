"""Reading a document's updates: both kinds in one order, a page at a time (realtime.md 5.7)."""

from __future__ import annotations

from typing import Any

import pytest

from roomhost.actors import limits
from roomhost.actors.caller import Caller

from ..helpers.pens import Pen
from ..helpers.room_machine import Machine


def filled(count: int, **options: Any) -> Machine:
    """A room with so many JSON updates, 0, 1, ..."""
    machine = Machine(**options)
    for number in range(count):
        machine.do("apply_update", update=number, clientId="a", clock=number)
    return machine


def payloads(page: Any) -> list[Any]:
    """What is in a page."""
    return [one["update"] for one in page["updates"]]


def walk(machine: Machine, **fields: Any) -> list[list[Any]]:
    """The payloads of every page, going by the cursors."""
    page = machine.do("document", **fields)
    pages = [payloads(page)]
    while "cursor" in page:
        page = machine.do("document", cursor=page["cursor"], **fields)
        pages.append(payloads(page))
    return pages


def test_reading_creates_nothing() -> None:
    """A room that was never written has no updates, and is not there for having been read."""
    machine = Machine()
    assert machine.do("document") == {
        "room": "lobby",
        "kind": "room",
        "updates": [],
        "awareness": [],
    }
    assert machine.store.rows == {}
    assert machine.pushed == []


@pytest.mark.parametrize(
    "cursor", ["x", "", "c" * 512, "c" * 513, "A" * 40], ids=["x", "", "512", "513", "A"]
)
def test_a_damaged_cursor_is_refused(cursor: str) -> None:
    """With a code of its own."""
    error = filled(1).refused("document", cursor=cursor)
    assert (error.code, error.field) == ("invalid_cursor", "cursor")


def test_a_cursor_is_of_one_room_one_life_and_one_purpose() -> None:
    """Another room's, that of messages, or one of before the room began anew are refused; and a
    history has no use for this one."""
    machine = filled(3, lifecycle={"allowRecreate": True})
    cursor = machine.do("document", limit=1)["cursor"]
    assert filled(3, name="other").refused("document", cursor=cursor).code == "invalid_cursor"
    assert machine.refused("history", cursor=cursor).code == "invalid_cursor"
    for _ in range(2):
        machine.do("publish", type="note")
    older = machine.do("history", limit=1)["cursor"]
    assert machine.refused("document", cursor=older).code == "invalid_cursor"
    machine.do("destroy")
    assert payloads(machine.do("document", cursor=cursor)) == [1, 2]
    machine.do("apply_update", update=9)
    assert machine.refused("document", cursor=cursor).code == "invalid_cursor"


def test_pages_go_forward() -> None:
    """From the oldest; the last page has no cursor, also where it is full."""
    machine = filled(6)
    assert walk(machine, limit=2) == [[0, 1], [2, 3], [4, 5]]
    assert walk(machine, limit=4) == [[0, 1, 2, 3], [4, 5]]
    assert walk(machine, limit=6) == walk(machine) == [[0, 1, 2, 3, 4, 5]]


def test_a_cursor_is_not_moved_by_what_comes_after() -> None:
    """New updates are read behind it, in their place, and a next instance knows it."""
    machine = filled(2)
    cursor = machine.do("document", limit=1)["cursor"]
    machine.do("apply_update", update="new")
    machine.reload()
    assert payloads(machine.do("document", cursor=cursor)) == [1, "new"]
    assert payloads(machine.do("document", cursor=cursor)) == [1, "new"]


def test_a_limit_is_the_modules_unless_one_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """`historyLimit`; more than 1,000 is 1,000."""
    machine = filled(5, historyLimit=3)
    assert [len(page) for page in walk(machine)] == [3, 2]
    monkeypatch.setattr(limits, "MAX_PAGE", 4)
    assert [len(page) for page in walk(machine, limit=2_000_000)] == [4, 1]
    for limit in (0, -1):
        assert machine.refused("document", limit=limit).field == "limit"


def test_both_kinds_are_in_one_order() -> None:
    """A Yjs update is marked as one; a checkpoint takes it out, and leaves the others."""
    machine, pen = Machine(), Pen()
    machine.do("apply_update", update={"op": 1})
    update = pen.write("hello")
    applied = machine.do("apply_yjs_update", updateBase64=update, clientId="pen", clock=4)
    machine.do("apply_update", update={"op": 2})
    page = machine.do("document")
    yjs = {"type": "yjs", "updateBase64": update}
    assert payloads(page) == [{"op": 1}, yjs, {"op": 2}]
    assert page["updates"][1] == {
        "updateId": applied["updateId"],
        "update": yjs,
        "clientId": "pen",
        "clock": 4,
        "appliedAt": applied["appliedAt"],
    }
    assert walk(machine, limit=1) == [[{"op": 1}], [yjs], [{"op": 2}]]
    cursor = machine.do("document", limit=1)["cursor"]
    machine.do("compact")
    assert payloads(machine.do("document")) == [{"op": 1}, {"op": 2}]
    assert payloads(machine.do("document", cursor=cursor)) == [{"op": 2}]


def test_since_clock_leaves_out_older_clocks() -> None:
    """Those greater than it stay, whoever's they are, and those without any; it goes with cursors."""
    machine = Machine()
    for client_id, clock in (("a", 1), ("b", 5), ("a", 2), (None, None), ("a", 3)):
        machine.do("apply_update", update=f"{client_id}{clock}", clientId=client_id, clock=clock)
    assert walk(machine, sinceClock=2) == [["b5", "NoneNone", "a3"]]
    assert walk(machine, sinceClock=2, limit=2) == [["b5", "NoneNone"], ["a3"]]
    assert walk(machine, sinceClock=0) == [["a1", "b5", "a2", "NoneNone", "a3"]]
    assert walk(machine, sinceClock=5) == [["NoneNone"]]
    assert machine.refused("document", sinceClock=-1).field == "sinceClock"


def test_what_follows_a_page_must_be_wanted() -> None:
    """A full page behind which a clock leaves out everything has no cursor."""
    machine = Machine()
    for clock in (7, 1, 2, 3):
        machine.do("apply_update", update=clock, clientId="a", clock=clock)
    assert walk(machine, sinceClock=3, limit=1) == [[7]]


def test_a_page_has_a_bound_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends early, with a cursor; one update alone may be larger."""
    monkeypatch.setattr(limits, "MAX_UPDATES_BYTES", 10)
    machine = Machine()
    for update in ("aaa", "bbb", "ccc", "d" * 100, "e"):
        machine.do("apply_update", update=update)
    assert walk(machine) == [["aaa", "bbb"], ["ccc"], ["d" * 100], ["e"]]


@pytest.mark.parametrize("limit", ["MAX_UPDATES_READ", "MAX_UPDATES_READ_BYTES"])
def test_a_page_reads_only_so_many(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """When a clock leaves out nearly all of a long log, a page is short, or empty, and goes on."""
    monkeypatch.setattr(limits, limit, 4)
    monkeypatch.setattr(limits, "UPDATES_AT_ONCE", 2)
    machine = filled(11)
    pages = walk(machine, sinceClock=8, limit=5)
    assert [number for page in pages for number in page] == [9, 10]
    assert pages[0] == []


def test_a_large_log_is_read_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is left out or doubled where parts meet."""
    monkeypatch.setattr(limits, "UPDATES_AT_ONCE", 3)
    machine = filled(10)
    for limit in range(1, 12):
        pages = walk(machine, limit=limit)
        assert [number for page in pages for number in page] == list(range(10))


def test_reading_needs_the_capability() -> None:
    """`crdt:read`, and not `history`."""
    machine = filled(1)
    assert machine.refused("document", Caller(capabilities=("history",))).code == "forbidden"
    assert payloads(machine.do("document", Caller(capabilities=("crdt:read",)))) == [0]


def test_a_channel_has_no_document() -> None:
    """Nor any of the other calls."""
    machine = Machine(kind="channel")
    for name, fields in (
        ("document", {}),
        ("apply_update", {"update": 1}),
        ("apply_yjs_update", {"updateBase64": "AAA="}),
        ("sync_yjs", {}),
        ("awareness", {"clientId": "a"}),
        ("compact", {}),
    ):
        assert machine.refused(name, **fields).code == "unsupported_for_channel"
