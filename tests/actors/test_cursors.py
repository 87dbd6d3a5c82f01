"""Cursors: read back where they are from, and nowhere else."""

from __future__ import annotations

import hmac
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomhost.actors.cursors import Cursors
from roomhost.actors.errors import InvalidArgument
from roomhost.actors.limits import MAX_CURSOR_BYTES
from roomhost.actors.tokens import Keyring

OLD = ("old", "o" * 32)
NEW = ("new", "n" * 32)
KEYRING = Keyring([NEW, OLD])
CURSORS = Cursors(KEYRING, "live")
CURSOR = CURSORS.encode("room", "lobby", 3, 77)


def refused(text: str, *place: Any, cursors: Cursors = CURSORS) -> None:
    """A cursor is refused, as a client sees it."""
    with pytest.raises(InvalidArgument) as error:
        kind, room, generation = place or ("room", "lobby", 3)
        cursors.decode(text, kind, room, generation)
    assert (error.value.code, error.value.status) == ("invalid_cursor", 400)
    assert error.value.field == "cursor"


@pytest.mark.parametrize(
    "place",
    [
        ("channel", "lobby", 3),
        ("room", "Lobby", 3),
        ("room", "lobby", 2),
        ("room", "lobby3", 3),
        ("room", "\ud800", 3),
        ("rooml", "obby", 3),
    ],
)
def test_a_cursor_of_another_place_is_refused(place: tuple[str, str, int]) -> None:
    """Another kind, room or generation, and one that reads alike when run together."""
    refused(CURSOR, *place)


@pytest.mark.parametrize(
    "text",
    ["", "A", "AA", "!", "é", "\ud800", CURSOR + "=", CURSOR + "\n", CURSOR[:-1], CURSOR + "A",
     "_" * MAX_CURSOR_BYTES, "A" * (MAX_CURSOR_BYTES + 1), "A" * 10_000_000],
)  # fmt: skip
def test_a_damaged_cursor_is_refused(text: str) -> None:
    """Cut, prolonged, of another alphabet, or too long to be looked at."""
    refused(text)


def test_a_cursor_of_another_host_instance_or_purpose_is_refused() -> None:
    """Each has its own."""
    other = Keyring([("new", "x" * 32)])
    for cursors in (
        Cursors(other, "live"),
        Cursors(Keyring([OLD]), "live"),
        Cursors(KEYRING, "other"),
        Cursors(KEYRING, "live", "document"),
    ):
        refused(CURSOR, cursors=cursors)


def test_a_cursor_is_read_where_it_was_written() -> None:
    """From the first sequence number to the last, in any room, within its bound."""
    for room in ("lobby", "ä" * 127, "a/b?c"):
        for seq in (0, 1, 2**63 - 1):
            cursor = CURSORS.encode("room", room, 3, seq)
            assert CURSORS.decode(cursor, "room", room, 3) == seq
            assert len(cursor) <= MAX_CURSOR_BYTES
    for seq in (-1, 2**63):
        with pytest.raises(ValueError, match="63 bits"):
            CURSORS.encode("room", "lobby", 3, seq)


def test_a_cursor_of_the_old_key_is_read_after_a_rotation() -> None:
    """The first key signs."""
    before = Cursors(Keyring([OLD]), "live").encode("room", "lobby", 3, 5)
    assert CURSORS.decode(before, "room", "lobby", 3) == 5
    refused(CURSORS.encode("room", "lobby", 3, 5), cursors=Cursors(Keyring([OLD]), "live"))


def test_its_key_is_not_the_one_of_tokens() -> None:
    """What is signed for one purpose is nothing for another."""
    secrets: dict[str, Any] = dict([NEW, OLD])
    keys: list[dict[str, Any]] = [KEYRING.derived("cursor"), KEYRING.derived("other"), secrets]
    assert len({str(key["new"]) for key in keys}) == 3


def test_the_mac_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """By `hmac.compare_digest`, 16 bytes of it."""
    sizes: list[int] = []
    compare = hmac.compare_digest

    def spy(left: bytes, right: bytes) -> bool:
        sizes.append(len(left))
        return compare(left, right)

    monkeypatch.setattr(hmac, "compare_digest", spy)
    CURSORS.decode(CURSOR, "room", "lobby", 3)
    assert sizes == [16]


@given(st.text(max_size=60))
def test_arbitrary_text_never_passes(text: str) -> None:
    """And raises nothing but an InvalidArgument."""
    refused(text)


@given(st.integers(0, len(CURSOR) - 1), st.characters(), st.sampled_from("set insert cut".split()))
def test_a_changed_cursor_never_passes(place: int, mark: str, how: str) -> None:
    """One character of it is another, is added, or is missing, wherever."""
    rest = CURSOR[place:] if how == "insert" else CURSOR[place + 1 :]
    changed = CURSOR[:place] + ("" if how == "cut" else mark) + rest
    if changed != CURSOR:
        refused(changed)
