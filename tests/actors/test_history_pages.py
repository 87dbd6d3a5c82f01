"""History: pages from the newest to the oldest; and resume (realtime.md 5.4, 2.13)."""

from __future__ import annotations

from typing import Any

import pytest

from roomhost.actors.messages import after

from ..helpers.room_machine import Machine


def filled(count: int, **options: Any) -> Machine:
    """A room with messages whose data are 1 to `count`."""
    machine = Machine(**options)
    for number in range(1, count + 1):
        machine.do("publish", type="t", data=number)
    return machine


def data(page: Any) -> list[int]:
    """What the messages of a page hold."""
    return [item["data"] for item in page["items"]]


@pytest.mark.parametrize("limit", [0, -1, 1.5, "1", True])
def test_a_limit_is_a_positive_integer(limit: object) -> None:
    """Anything else is refused by name."""
    error = Machine().refused("history", limit=limit)
    assert (error.code, error.field) == ("invalid_argument", "limit")


@pytest.mark.parametrize("cursor", ["", "x", "AAAA", "=" * 40, "é", "x" * 513])
def test_a_damaged_cursor_is_refused(cursor: str) -> None:
    """With a code of its own."""
    error = filled(3).refused("history", cursor=cursor)
    assert (error.code, error.status, error.field) == ("invalid_cursor", 400, "cursor")


def test_a_foreign_cursor_is_refused() -> None:
    """Of another room, or of the channel of the same name."""
    cursor = filled(3).do("history", limit=1)["cursor"]
    assert filled(3, name="other").refused("history", cursor=cursor).code == "invalid_cursor"
    assert filled(3, kind="channel").refused("history", cursor=cursor).code == "invalid_cursor"


def test_a_cursor_of_an_earlier_life_is_refused() -> None:
    """After destroy it still leads on; after a new beginning it is void (5.8)."""
    machine = filled(3, lifecycle={"allowRecreate": True})
    cursor = machine.do("history", limit=1)["cursor"]
    machine.do("destroy")
    assert data(machine.do("history", cursor=cursor)) == [2, 1]
    machine.do("publish", type="t", data=4)
    assert machine.refused("history", cursor=cursor).code == "invalid_cursor"
    assert data(machine.do("history")) == [4, 3, 2, 1]


def test_reading_creates_nothing() -> None:
    """An unknown room has an empty page without a cursor, and no row in its storage."""
    machine = Machine()
    assert machine.do("history") == {"room": "lobby", "kind": "room", "items": []}
    assert machine.do("members") == []
    machine.do("metadata")
    machine.do("lifecycle")
    assert machine.store.rows == {}


def test_pages_go_from_the_newest_to_the_oldest() -> None:
    """And so does each of them; the last has no cursor, even if it is full."""
    machine = filled(6)
    first = machine.do("history", limit=2)
    second = machine.do("history", limit=2, cursor=first["cursor"])
    third = machine.do("history", limit=2, cursor=second["cursor"])
    assert [data(page) for page in (first, second, third)] == [[6, 5], [4, 3], [2, 1]]
    assert "cursor" not in third


def test_new_messages_do_not_shift_a_cursor() -> None:
    """Nor does an eviction."""
    machine = filled(4)
    cursor = machine.do("history", limit=2)["cursor"]
    machine.do("publish", type="t", data=5)
    machine.reload()
    assert data(machine.do("history", cursor=cursor)) == [2, 1]


def test_a_page_has_the_history_limit() -> None:
    """100 unless the module says otherwise; more than 1,000 is clamped, and the cursor goes on."""
    machine = filled(1_002, historyLimit=7)
    assert len(machine.do("history")["items"]) == 7
    page = machine.do("history", limit=5_000)
    assert len(page["items"]) == 1_000
    assert data(machine.do("history", cursor=page["cursor"])) == [2, 1]


def test_a_cursor_whose_messages_were_trimmed_gives_what_is_left() -> None:
    """Perhaps nothing; not an error."""
    machine = filled(5, retention={"maxMessages": 3})
    before = machine.do("history", limit=2)["cursor"]
    older = machine.do("history", limit=3, cursor=None)["cursor"]
    machine.now = 1
    assert machine.alarm() == ["retention"]
    assert data(machine.do("history", cursor=before)) == [3]
    assert machine.do("history", cursor=older)["items"] == []


def test_a_destroyed_room_can_be_read() -> None:
    """While there are records; and not after their deletion was asked for, whatever is left to do."""
    machine = filled(3)
    machine.do("destroy")
    assert data(machine.do("history")) == [3, 2, 1]
    machine.do("destroy", deleteHistory=True)
    assert data(machine.do("history")) == []
    assert machine.store.list(prefix="m:")  # the rows go later


def frames(machine: Machine, seq: int, epoch: str | None = None) -> list[int] | str:
    """The places of the messages that a resume replays, or why it cannot."""
    import json

    found = after(machine.state, epoch or machine.state.head.epoch, seq)
    return found if isinstance(found, str) else [json.loads(frame)["seq"] for frame in found]


def test_resume_replays_what_came_after() -> None:
    """In order; nothing, if nothing came."""
    machine = filled(4)
    assert frames(machine, 2) == [3, 4]
    assert frames(machine, 0) == [1, 2, 3, 4]
    assert frames(machine, 4) == []


def test_resume_of_too_many_is_refused() -> None:
    """300 messages are replayed, 301 are not."""
    machine = filled(301)
    assert frames(machine, 0) == "insufficient_state"
    assert frames(machine, 1) == list(range(2, 302))


def test_resume_from_what_is_still_to_come_is_refused() -> None:
    """Whoever has heard of more than there is was somewhere else."""
    assert frames(filled(3), 4) == "insufficient_state"


def test_resume_over_trimmed_messages_is_refused() -> None:
    """Never a silent gap; the first that is left can follow the last that was trimmed."""
    machine = filled(5, retention={"maxMessages": 2})
    machine.now = 1
    machine.alarm()
    assert frames(machine, 2) == "insufficient_state"
    assert frames(machine, 3) == [4, 5]


def test_resume_in_another_life_is_refused() -> None:
    """Of a destroyed room, of a new life, of an epoch nobody knows."""
    machine = filled(3, lifecycle={"allowRecreate": True})
    epoch = machine.state.head.epoch
    assert frames(machine, 1, "1-00000000") == "epoch_changed"
    machine.do("destroy")
    assert frames(machine, 1, epoch) == "epoch_changed"
    machine.do("publish", type="t")
    assert frames(machine, 1, epoch) == "epoch_changed"
