"""A room that cannot be loaded is left alone, longer each time (realtime.md 3.8)."""

from __future__ import annotations

import logging

import pytest

from roomhost.actors.errors import Unavailable
from roomhost.actors.head import decode_head
from roomhost.actors.quarantine import Quarantines

from ..helpers.dict_store import DictStore
from ..helpers.room_machine import Machine


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Its log is an error's, as it should be."""
    caplog.set_level(logging.CRITICAL)


def test_it_is_tried_again_later_and_later() -> None:
    """After 2, 4, ... 64 seconds; until then every call fails, and says how long that is."""
    quarantines, now_ms, waits = Quarantines(), 0, []
    for _ in range(7):
        quarantines.check("room", "lobby", now_ms)
        error = quarantines.failed("room", "lobby", ValueError("damaged"), now_ms)
        assert (error.code, error.retryable) == ("unavailable", True)
        assert error.retry_after_ms is not None
        waits.append(error.retry_after_ms)
        with pytest.raises(Unavailable) as caught:
            quarantines.check("room", "lobby", now_ms + error.retry_after_ms - 1)
        assert caught.value.retry_after_ms == 1
        now_ms += error.retry_after_ms
    assert waits == [2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 64_000]


def test_what_works_again_begins_again() -> None:
    """With the shortest wait."""
    quarantines = Quarantines()
    for _ in range(3):
        quarantines.failed("room", "lobby", ValueError(), 0)
    quarantines.loaded("room", "lobby")
    quarantines.check("room", "lobby", 0)
    assert quarantines.failed("room", "lobby", ValueError(), 0).retry_after_ms == 2_000


@pytest.mark.parametrize("head", [b"", b"{", b'{"seq":"x"}', b"\xff", "text", None, 1])
def test_a_head_that_cannot_be_read(head: object) -> None:
    """Is an error that says what to do, and nothing is written over it."""
    with pytest.raises(Unavailable) as caught:
        decode_head(head)
    assert caught.value.code == "unavailable"


def test_a_damaged_room_is_not_written() -> None:
    """Loading fails, and leaves every row."""
    store = DictStore({"room": b"damaged"})
    with pytest.raises(Unavailable):
        Machine(store=store)
    assert store.rows == {"room": b"damaged"}


def test_so_many_rooms_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that failed first is forgotten."""
    monkeypatch.setattr("roomhost.actors.quarantine.MAX_QUARANTINED", 2)
    quarantines = Quarantines()
    for name in ("a", "b", "c"):
        quarantines.failed("room", name, ValueError(), 0)
    assert len(quarantines) == 2
    quarantines.check("room", "a", 0)
    quarantines.check("channel", "b", 0)
    with pytest.raises(Unavailable):
        quarantines.check("room", "b", 0)
    quarantines.loaded("room", "b")
    quarantines.check("room", "b", 0)
