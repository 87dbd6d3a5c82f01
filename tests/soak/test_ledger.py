"""The ledger of a room: a message that is lost, there twice, or in another place is complained about."""

from __future__ import annotations

from . import limits
from .ledger import Ledger, count_complaint, document_complaints, ticker_complaints


def filled(count: int) -> Ledger:
    """So many messages of two senders, acknowledged and heard."""
    ledger = Ledger("lobby")
    for seq in range(1, count + 1):
        ledger.acknowledge((seq % 2, seq))
        ledger.hear(seq, (seq % 2, seq))
    return ledger


def newest(ledger: Ledger) -> list[tuple[int, int]]:
    """As the host's history has them."""
    return list(ledger.newest)[::-1]


def test_what_was_heard_once_and_is_in_the_history_is_good() -> None:
    """Also when the host has more of it than is remembered."""
    ledger = filled(limits.KEPT_MESSAGES + 50)
    assert len(ledger.newest) == limits.KEPT_MESSAGES
    assert ledger.complaints == []
    assert list(ledger.lost()) == []
    assert list(ledger.differs(newest(ledger))) == []
    assert list(ledger.differs([*newest(ledger), (1, 1)])) == []


def test_an_acknowledged_message_that_nobody_heard_is_lost() -> None:
    """One whose outcome nobody knows may be heard or not."""
    ledger = filled(3)
    ledger.hear(4, (7, 1))
    assert list(ledger.lost()) == []
    ledger.acknowledge((1, 9))
    assert list(ledger.lost()) == ["lobby: 1 acknowledged messages of 1 never came"]


def test_a_message_that_is_there_twice_is_seen() -> None:
    """It has another place in the order, and the same number."""
    ledger = filled(3)
    ledger.hear(4, (1, 3))
    assert ledger.complaints == ["lobby: message 3 of 1 is there twice, again at 4"]


def test_a_gap_is_seen() -> None:
    """The first of all is message 1."""
    ledger = filled(3)
    ledger.hear(5, (1, 5))
    assert ledger.complaints == ["lobby: message 5 came after 3"]


def test_a_history_in_another_order_is_seen() -> None:
    """And one that lacks the newest."""
    ledger = filled(5)
    good = newest(ledger)
    for bad in ([good[1], good[0], *good[2:]], good[1:], good[:-1]):
        assert list(ledger.differs(bad))


def test_complaints_are_bounded() -> None:
    """A room that is all wrong is not told of message by message."""
    ledger = Ledger("lobby")
    for seq in range(2, 100, 2):
        ledger.hear(seq, (1, seq))
    assert len(ledger.complaints) == 10


def test_a_counter_is_what_was_acknowledged_and_perhaps_more() -> None:
    """By what nobody knows of; not less, not more."""
    assert [number for number in range(10) if not list(count_complaint("c", number, 5, 2))] == [
        5,
        6,
        7,
    ]


def test_a_copy_that_differs_is_seen() -> None:
    """Whoever has it."""
    assert not list(document_complaints("d", {"host": ["a", "b"], "m1": ["a", "b"]}))
    assert list(document_complaints("d", {"host": ["a", "b"], "m1": ["a", ""]}))


def test_a_ticker_that_is_early_stopped_or_slow_is_seen() -> None:
    """Of ten alarms that could have been, eight are enough."""
    good = {"fired": 8, "early": 0, "late_ms": 5, "alarm": 1}
    assert not list(ticker_complaints("t", good, 100, 10_000))
    for wrong in ({"fired": 7}, {"early": 1}, {"alarm": None}):
        assert list(ticker_complaints("t", {**good, **wrong}, 100, 10_000))
