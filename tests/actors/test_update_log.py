"""The log of a document: rows of two kinds in one order, and what is before its first place."""

from __future__ import annotations

from typing import Any

import pytest

from roomhost.actors.errors import Unavailable
from roomhost.actors.types import RealtimePrincipal
from roomhost.actors.update_log import JsonRecord, UpdateLog, YjsRecord, digest_of, newest_ms

from ..helpers.dict_store import DictStore

ANN = RealtimePrincipal(kind="user", id="ann", user_id="ann")


def yjs(number: int) -> YjsRecord:
    """A Yjs update."""
    return YjsRecord(f"y{number}", bytes([number]), number, "pen", number, ANN)


def json(number: int, client_id: str | None = "c") -> JsonRecord:
    """A JSON update."""
    return JsonRecord(f"j{number}", b'{"n":%d}' % number, number, client_id, number)


def filled(store: DictStore) -> UpdateLog:
    """j1 y2 j3 y4 y5."""
    log = UpdateLog(store, 1)
    for number in range(1, 6):
        if number in (1, 3):
            log.append_json(json(number))
        else:
            log.append_yjs(yjs(number))
    return log


def ids(log: UpdateLog, *place: int) -> list[str]:
    """What is behind a place."""
    return [record.update_id for _, record in log.after(*place)]


def test_a_row_that_cannot_be_read_is_an_error() -> None:
    """And not skipped; only what asks when it was active goes on without it."""
    store = DictStore()
    log = filled(store)
    for damaged in (b"", b"\x91\x01", "text", None):
        for key in list(store.rows):
            if key.startswith("u") and key[1] != "x":
                store.put(key, damaged)
        reads: tuple[Any, ...] = (
            lambda: log.after(0, 9),
            lambda: log.newest_yjs(1),
            lambda: list(log.all_yjs()),
            lambda: log.json(1),
            lambda: log.yjs(2),
        )
        for read in reads:
            with pytest.raises(Unavailable) as refused:
                read()
            assert refused.value.code == "unavailable"
        assert newest_ms(store) == 0


def test_both_kinds_are_read_in_one_order() -> None:
    """From any place, so many; by the next instance too."""
    store = DictStore()
    for log in (filled(store), UpdateLog(store, 1)):
        assert ids(log, 0, 9) == ["j1", "y2", "j3", "y4", "y5"]
        assert ids(log, 0, 2) == ["j1", "y2"]
        assert ids(log, 2, 2) == ["j3", "y4"]
        assert ids(log, 5, 1) == []
        assert [record.update_id for record in log.newest_yjs(2)] == ["y4", "y5"]
        assert log.newest_yjs(0) == []
        assert (log.seq, newest_ms(store)) == (5, 5)
        assert (log.yjs(2), log.json(3)) == (yjs(2), json(3))


def test_what_is_folded_is_gone() -> None:
    """And its place is not given again."""
    store = DictStore()
    log = filled(store)
    log.forget([2, 4])
    assert ids(log, 0, 9) == ["j1", "j3", "y5"]
    assert log.append_yjs(yjs(6)) == 6


def test_a_json_update_is_found_by_what_it_is() -> None:
    """The newest of them; not one that says no client or no clock, or that is of before."""
    store = DictStore()
    log = filled(store)
    digest = digest_of("c", 3, {"n": 3})
    assert digest == json(3).digest
    assert digest is not None
    assert log.find_json(digest) == json(3)
    again = JsonRecord("again", b'{ "n": 3 }', 9, "c", 3)
    assert again.digest == digest
    log.append_json(again)
    assert log.find_json(digest) == again
    assert UpdateLog(store, 7).find_json(digest) is None
    assert json(1, None).digest is digest_of("c", None, 1) is None


def test_leftovers_are_what_is_before_the_first_place() -> None:
    """A part of them at a time; an index goes before its update, and stays where it is another's."""
    store = DictStore()
    filled(store)
    log = UpdateLog(store, 6)
    log.append_json(JsonRecord("new", b'{"n":3}', 9, "c", 3))
    kept = {key for key in store.rows if key.endswith("6")} | {
        key for key, value in store.rows.items() if value == 6
    }
    assert len(kept) == 2
    assert log.leftovers(1) == ["uy:0000000000000002"]
    while found := log.leftovers(2):
        assert len(found) <= 2
        for key in found:
            store.delete(key)
    assert set(store.rows) == kept
