"""Who is aware: whose word counts, who has gone, and how much there may be."""

from __future__ import annotations

import pytest

from roomhost.actors import limits
from roomhost.actors.awareness import LIFE_MS, Awareness, Changes, Shown
from roomhost.actors.errors import Forbidden, PayloadTooLarge
from roomhost.actors.types import RealtimePrincipal
from roomhost.actors.yjs_protocol import AwarenessEntry, awareness_payload

ANN = RealtimePrincipal(kind="user", user_id="ann")
STATE = b'{"cursor":1}'


def said(client: int, clock: int, state: bytes | None = STATE) -> list[AwarenessEntry]:
    """One client's word."""
    return [AwarenessEntry(client, clock, state)]


def ids(table: Awareness, now_ms: int = 0) -> list[str]:
    """Who is shown."""
    return [one.client_id for one in table.shown(now_ms)]


@pytest.mark.parametrize(
    "state",
    [
        b"",
        b"{",
        b"NaN",
        b" null",
        b'"\xff"',
        b'{"name":"\\ud83d"}',
        b"100000000000000000000",
        b"[" * 65 + b"]" * 65,
        b"[" * 8_000 + b"]" * 8_000,
        b'"' + b"x" * (limits.MAX_AWARENESS_BYTES - 1) + b'"',
    ],
)
def test_a_state_not_everybody_can_read(state: bytes) -> None:
    """A state that is no JSON, or too deep or large, is left out; what else was said is heard."""
    table = Awareness()
    entries = [*said(1, 1, state), *said(2, 1)]
    changes = table.announce("a", None, entries, 0)
    assert changes.yjs == said(2, 1)
    assert ids(table) == ["2"]


@pytest.mark.parametrize("state", [b"{}", b"7", b'"away"', b"[1,2]", b"false"])
def test_any_json_is_a_state(state: bytes) -> None:
    """A stock client sets what it likes, not objects alone."""
    table = Awareness()
    table.announce("a", None, said(1, 0, state), 0)
    assert [one.state for one in table.shown(0)] == [state]


@pytest.mark.parametrize(("mine", "other"), [("ann", "bob"), ("ann", None), (None, "bob")])
def test_another_member_does_not_speak_for_it(mine: str | None, other: str | None) -> None:
    """An id that is here is changed and removed by its own member alone, whatever the clock."""
    table = Awareness()
    table.announce("a", mine, said(1, 1), 0)
    assert not table.announce("b", other, said(1, 9), 1)
    assert not table.announce("b", other, said(1, 9, None), 1)
    assert table.shown(1) == [Shown("1", STATE, None, 0)]


@pytest.mark.parametrize("member_id", ["ann", None])
def test_another_connection_of_the_member(member_id: str | None) -> None:
    """It counts if its clock is greater, and the id then goes with the newer connection."""
    table = Awareness()
    table.announce("a", member_id, said(1, 1), 0)
    assert not table.announce("b", member_id, said(1, 1, b"2"), 1)
    assert not table.announce("b", member_id, said(1, 1, None), 1)
    assert table.announce("b", member_id, said(1, 2, b"2"), 2).yjs == said(1, 2, b"2")
    assert not table.gone("a", 3)
    assert table.gone("b", 4).yjs == said(1, 2, None)


def test_an_old_word() -> None:
    """A clock that is not greater is no news; but to leave, the clock it has is enough."""
    table = Awareness()
    table.announce("a", None, said(1, 5), 0)
    assert not table.announce("a", None, said(1, 5, b"2"), 0)
    assert not table.announce("a", None, said(1, 4, None), 0)
    assert table.announce("a", None, said(1, 5, None), 0).yjs == said(1, 5, None)
    assert not table.announce("a", None, said(1, 6, None), 0)


def test_too_many_ids_of_a_connection() -> None:
    """One id over the limit is not heard until another leaves."""
    table = Awareness()
    most = limits.MAX_AWARENESS_IDS_OF_CONNECTION
    entries = [AwarenessEntry(number, 1, STATE) for number in range(most + 1)]
    assert len(table.announce("a", None, entries, 0).yjs) == most
    assert table.announce("b", None, said(most, 1), 0)
    table.announce("a", None, said(0, 2, None), 0)
    assert table.announce("a", None, said(most + 1, 1), 0)

    with pytest.raises(PayloadTooLarge) as caught:
        table.set_json("phone", STATE, None, 0, connection_id="a")
    assert caught.value.field == "state"


def test_too_many_ids_of_a_room() -> None:
    """A room has a limit of ids, for JSON clients as well; those that are there go on."""
    table = Awareness()
    most = limits.MAX_AWARENESS_IDS
    for number in range(most):
        table.announce(f"c{number // 30}", None, said(number, 1), 0)
    assert not table.announce("z", None, said(most, 1), 0)
    with pytest.raises(PayloadTooLarge):
        table.set_json("phone", STATE, None, 0)
    assert table.announce("c0", None, said(0, 2), 0)
    assert len(table) == most


def test_too_many_bytes_in_a_room() -> None:
    """A room has a limit of bytes, and what leaves makes room."""
    table = Awareness()
    large = b'"' + b"x" * (limits.MAX_AWARENESS_BYTES - 2) + b'"'
    most = limits.MAX_AWARENESS_TOTAL_BYTES // limits.MAX_AWARENESS_BYTES
    for number in range(most):
        assert table.announce(f"c{number}", None, said(number, 1, large), 0)
    assert not table.announce("z", None, said(most, 1), 0)
    assert table.announce("c0", None, said(0, 2, large), 0)
    table.gone("c1", 0)
    assert table.announce("z", None, said(most, 1), 0)


def test_a_state_too_large_for_json() -> None:
    """A JSON client is told, and what it had stays."""
    table = Awareness()
    table.set_json("phone", STATE, None, 0)
    with pytest.raises(PayloadTooLarge, match="at most 16384 bytes"):
        table.set_json("phone", b'"' + b"x" * limits.MAX_AWARENESS_BYTES + b'"', None, 0)
    assert table.shown(0) == [Shown("phone", STATE, None, 0)]


def test_a_json_client_of_another_member() -> None:
    """Only its own member, or a trusted caller, says what a JSON client does."""
    table = Awareness()
    table.set_json("phone", STATE, ANN, 0, connection_id="a", member_id="ann")
    with pytest.raises(Forbidden) as caught:
        table.set_json("phone", None, None, 0, connection_id="b", member_id="bob")
    assert caught.value.field == "clientId"
    with pytest.raises(Forbidden):
        table.set_json("phone", b"{}", None, 0)

    table.set_json("phone", b"{}", None, 1, connection_id="key", trusted=True)
    assert not table.gone("key", 2), "it is still Ann's"
    assert table.gone("a", 3).json == [Shown("phone", None, None, 3)]


def test_what_a_json_client_says() -> None:
    """The first state and each other one are news for JSON; the same one again is not, and renews."""
    table = Awareness()
    assert table.set_json("phone", STATE, ANN, 10) == Changes([], [Shown("phone", STATE, ANN, 10)])
    assert not table.set_json("phone", STATE, ANN, 20)
    assert table.shown(20) == [Shown("phone", STATE, ANN, 10)]
    assert table.next_expiry_ms() == 20 + LIFE_MS
    assert table.set_json("phone", None, ANN, 30).json == [Shown("phone", None, ANN, 30)]
    assert not table.set_json("phone", None, ANN, 30)
    assert table.next_expiry_ms() is None


def test_what_a_yjs_client_says() -> None:
    """Every word goes to those who speak y-protocols; JSON hears of another state alone."""
    table = Awareness()
    first = table.announce("a", "ann", said(1, 1), 0, ANN)
    assert first == Changes(said(1, 1), [Shown("1", STATE, ANN, 0)])
    assert table.announce("a", "ann", said(1, 2), 5, ANN) == Changes(said(1, 2), [])
    other = table.announce("a", "ann", said(1, 3, b"{}"), 6, ANN)
    assert other == Changes(said(1, 3, b"{}"), [Shown("1", b"{}", ANN, 6)])
    left = table.announce("a", "ann", said(1, 4, None), 7, ANN)
    assert left == Changes(said(1, 4, None), [Shown("1", None, ANN, 7)])


def test_who_is_not_heard_of_has_gone() -> None:
    """After thirty seconds an id is neither shown nor sent, and the next who looks tells the others."""
    table = Awareness()
    table.announce("a", None, said(1, 1), 0)
    table.announce("a", None, said(2, 1), 1)
    assert ids(table, LIFE_MS - 1) == ["1", "2"]
    assert ids(table, LIFE_MS) == ["2"]
    assert table.yjs_payload(LIFE_MS) == awareness_payload(said(2, 1))
    assert table.yjs_payload(LIFE_MS + 1) is None
    assert not table.prune(LIFE_MS - 1)
    assert table.announce("b", None, said(3, 1), LIFE_MS).yjs == said(1, 1, None) + said(3, 1)
    assert table.prune(LIFE_MS + 1).yjs == said(2, 1, None)


def test_who_renews_stays() -> None:
    """A word of y-protocols renews its id, any frame of a socket the JSON clients of it."""
    table = Awareness()
    table.announce("a", None, said(1, 1), 0)
    table.set_json("phone", STATE, None, 0, connection_id="a")
    table.renew("a", 20_000)
    assert table.prune(LIFE_MS).json == [Shown("1", None, None, LIFE_MS)]
    table.renew("a", 20_000 + LIFE_MS)
    assert table.prune(20_000 + LIFE_MS).json == [Shown("phone", None, None, 20_000 + LIFE_MS)]


def test_an_alarm_is_for_those_without_a_socket() -> None:
    """Only whom no close would remove has an expiry, the first of them."""
    table = Awareness()
    table.announce("a", None, said(1, 1), 0)
    table.set_json("phone", STATE, None, 0, connection_id="a")
    assert table.next_expiry_ms() is None
    table.set_json("tablet", STATE, None, 50)
    table.set_json("desk", STATE, None, 60)
    assert table.next_expiry_ms() == 50 + LIFE_MS
    table.set_json("tablet", b"{}", None, 70, connection_id="a")
    assert table.next_expiry_ms() == 60 + LIFE_MS


def test_a_socket_takes_its_ids_with_it() -> None:
    """Those of both kinds; a state that was set from elsewhere leaves the id with its socket."""
    table = Awareness()
    table.announce("a", None, [*said(1, 1), *said(2, 3)], 0)
    table.set_json("phone", STATE, ANN, 0, connection_id="a")
    table.set_json("phone", b"{}", ANN, 0)
    table.announce("b", None, said(5, 1), 0)
    changes = table.gone("a", 9)
    assert changes.yjs == said(1, 1, None) + said(2, 3, None)
    assert [one.client_id for one in changes.json] == ["1", "2", "phone"]
    assert all(one.state is None for one in changes.json)
    assert ids(table) == ["5"]
    assert not table.gone("a", 9)


def test_a_client_comes_back_with_the_clock_it_had() -> None:
    """A stock client that connects again announces the same clock, and is there."""
    table = Awareness()
    table.announce("a", "ann", said(1, 7), 0)
    table.gone("a", 1)
    assert table.announce("b", "ann", said(1, 7), 2).yjs == said(1, 7)


def test_the_last_word_of_one_who_left_is_not_heard_twice() -> None:
    """Stock clients repeat what they hear: that brings nobody back, neither now nor in the table that
    the one who left announces itself to again."""
    table = Awareness()
    table.announce("b", "bob", said(2, 1), 0)
    table.announce("a", "ann", said(1, 7), 0)
    table.gone("a", 1)
    assert not table.announce("b", "bob", said(1, 7), 2)
    assert not table.announce("b", "bob", said(1, 6), 2)
    assert table.announce("c", "ann", said(1, 7), 3)
    assert not table.announce("b", "bob", said(1, 7), 4)
    assert table.gone("b", 5).yjs == said(2, 1, None)
    assert ids(table, 5) == ["1"]


def test_a_client_that_was_asleep() -> None:
    """An id that timed out on a socket that is still open is there again with its next word."""
    table = Awareness()
    table.announce("a", None, said(1, 7), 0)
    table.prune(LIFE_MS)
    assert not table.announce("a", None, said(1, 7), LIFE_MS)
    assert table.announce("a", None, said(1, 8), LIFE_MS)


def test_those_who_left_are_not_remembered_for_long() -> None:
    """Neither longer than an echo could take, nor more than a room has ids."""
    table = Awareness()
    for number in range(3 * limits.MAX_AWARENESS_IDS):
        table.announce("a", None, said(number, 1), 0)
        table.announce("a", None, said(number, 2, None), 0)
    table.prune(0)
    assert len(table._left) == limits.MAX_AWARENESS_IDS
    table.prune(LIFE_MS)
    assert not table._left
    assert len(table) == 0


def test_both_kinds_of_ids_side_by_side() -> None:
    """A JSON client whose id is a number is another than the Yjs client of that number."""
    table = Awareness()
    table.announce("a", None, said(1, 1), 0)
    table.set_json("1", b"{}", None, 0)
    assert ids(table) == ["1", "1"]
    table.set_json("1", None, None, 0)
    assert table.shown(0) == [Shown("1", STATE, None, 0)]
    assert table.yjs_payload(0) == awareness_payload(said(1, 1))


def test_nobody_goes_because_the_clock_was_set() -> None:
    """An hour ahead or back: who is silent goes after the same time, by the clock as it is then."""
    ahead_ms = 0
    table = Awareness(lambda: ahead_ms)
    table.announce("a", None, said(1, 1), 0)
    table.set_json("phone", STATE, None, 0)
    for ahead_ms in (3_600_000, -3_600_000):
        assert not table.prune(ahead_ms + LIFE_MS - 1)
        assert ids(table, ahead_ms + LIFE_MS - 1) == ["1", "phone"]
        assert table.next_expiry_ms() == ahead_ms + LIFE_MS
    assert len(table.prune(ahead_ms + LIFE_MS).json) == 2
