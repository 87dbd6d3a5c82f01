"""Names of instances, namespaces, rooms and channels: 1 to 255 bytes, no control characters."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from roomhost.actors import InvalidArgument
from roomhost.actors.names import check_name

CONTROLS = [*range(0x20), *range(0x7F, 0xA0)]


@pytest.mark.parametrize("value", [None, 5, True, b"lobby", ["lobby"], {"name": "lobby"}])
def test_what_is_no_text_is_refused(value: object) -> None:
    """A name is text, and the error names the field and the type."""
    with pytest.raises(InvalidArgument, match=f"room must be text, not {type(value).__name__}"):
        check_name(value, "room")


@pytest.mark.parametrize("value", ["", "a" * 256, "é" * 128, "🎈" * 64, "a" * 1_000_000])
def test_the_length_is_in_bytes(value: str) -> None:
    """Empty, or over 255 bytes of UTF-8: refused, with the limit and what it has."""
    size = len(value.encode())
    expected = f"at most 255 bytes of UTF-8, not {size}$" if size else "that is not empty$"
    with pytest.raises(InvalidArgument, match=expected) as caught:
        check_name(value, "namespace")

    assert caught.value.field == "namespace"
    assert caught.value.code == "invalid_argument"


@pytest.mark.parametrize("point", CONTROLS)
def test_control_characters_are_refused(point: int) -> None:
    """Each of C0, DEL and C1, wherever it is in the name."""
    for value in (chr(point), f"a{chr(point)}", f"{chr(point)}b", f"a{chr(point)}b"):
        with pytest.raises(InvalidArgument, match="name: a text without control characters"):
            check_name(value, "name")


@pytest.mark.parametrize("value", ["\ud800", "a\udfff", "\udc00\ud800", "\ud83d"])
def test_half_a_character_is_refused(value: str) -> None:
    """A lone surrogate has no UTF-8."""
    with pytest.raises(InvalidArgument, match="name: a text is valid Unicode"):
        check_name(value, "name")


@pytest.mark.parametrize(
    "value",
    [
        "a",
        " ",
        "a" * 255,
        "é" * 127 + "a",
        "🎈" * 63 + "abc",
        "../../etc/passwd",
        "a/b?c=d#e%2F",
        "rooms",
        "__proto__",
        "'; DROP TABLE rooms; --",
        "\u202ereversed",
        "\u2028",
        "zero\u200bwidth",
    ],
)
def test_anything_else_is_a_name(value: str) -> None:
    """What is awkward in a URL, a path or on a screen is a name all the same, and stays itself."""
    assert check_name(value, "name") is value


def test_names_are_not_normalised() -> None:
    """Two spellings of one character are two names."""
    composed, decomposed = "caf\u00e9", unicodedata.normalize("NFD", "caf\u00e9")
    assert check_name(composed, "name") != check_name(decomposed, "name")


@given(st.text())
def test_a_name_is_exactly_what_the_rule_says(value: str) -> None:
    """For any text the outcome is the rule's."""
    good = 1 <= len(value.encode()) <= 255 and not any(ord(mark) in CONTROLS for mark in value)
    try:
        assert check_name(value, "name") == value
    except InvalidArgument:
        assert not good
    else:
        assert good
