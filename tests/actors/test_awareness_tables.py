"""Tables of awareness: one a room, for as long as somebody is aware there."""

from __future__ import annotations

import pytest

from roomhost.actors import awareness_tables
from roomhost.actors.awareness_tables import AwarenessTables


def test_a_table_lasts_while_somebody_is_aware() -> None:
    """It is made when it is opened, kept while it has anybody, and then dropped."""
    tables = AwarenessTables()
    assert tables.find("lobby") is None
    table = tables.open("lobby")
    table.set_json("phone", b"{}", None, 0)
    tables.tidy("lobby")
    assert tables.find("lobby") is table
    assert tables.open("lobby") is table
    table.set_json("phone", None, None, 0)
    tables.tidy("lobby")
    assert tables.find("lobby") is None
    tables.tidy("lobby")


def test_a_destroyed_room() -> None:
    """Nobody is aware in a room that was destroyed."""
    tables = AwarenessTables()
    tables.open("lobby").set_json("phone", b"{}", None, 0)
    tables.forget("lobby")
    tables.forget("lobby")
    assert tables.find("lobby") is None


def test_too_many_rooms(monkeypatch: pytest.MonkeyPatch) -> None:
    """Past the limit the room that was opened longest ago is forgotten."""
    monkeypatch.setattr(awareness_tables, "MAX_AWARE_ROOMS", 2)
    tables = AwarenessTables()
    for room in ("a", "b", "a", "c"):
        tables.open(room).set_json("phone", b"{}", None, 0)
    assert len(tables) == 2
    assert tables.find("b") is None
