"""What commands print, on a terminal and on a pipe."""

from __future__ import annotations

import sys

import pytest

from roomhost.admin.tables import (
    printable,
    show_fields,
    show_table,
    shown_bytes,
    shown_count,
    shown_name,
    shown_time,
)

ROWS = [("a", "1"), ("[bold]x\x1b[2J", "1000")]


def test_a_pipe_gets_aligned_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing of them is cut, and what a terminal would act on is shown as text."""
    show_table(("NAME", "#N"), [*ROWS, ("x" * 500, "2")])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines] == [
        ["NAME", "N"],
        ["a", "1"],
        ["[bold]x\\x1b[2J", "1000"],
        ["x" * 500, "2"],
    ]
    assert len({len(line) for line in lines}) == 1


def test_a_terminal_gets_a_table(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In which no cell is markup."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    show_table(("NAME", "#N"), [*ROWS, ("x" * 100, "2")])
    shown = capsys.readouterr().out
    assert "[bold]x\\x1b[2J" in shown
    assert [len(line) for line in shown.splitlines()[1:]] == [60] * 4


def test_fields_are_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    """Their values below one another."""
    show_fields([("id", "1"), ("memory", "a\nb")])
    assert capsys.readouterr().out == "id      1\nmemory  a\\nb\n"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("lobby", "lobby"),
        ("two words", "two words"),
        ("héllo", "héllo"),
        ("", "''"),
        ("-", "'-'"),
        (" x", "' x'"),
        ("'x'", "\"'x'\""),
        ("a\nb", r"'a\nb'"),
        ("\u202ex", r"'\u202ex'"),
        (None, "id"),
    ],
)
def test_a_name_cannot_be_mistaken(name: str | None, shown: str) -> None:
    """It is quoted where it could be."""
    assert shown_name(name, "id") == shown


def test_figures_are_short() -> None:
    """With their units."""
    assert [shown_bytes(size) for size in (0, 1_023, 1_024, 1 << 20, 1 << 60)] == [
        "0 B",
        "1023 B",
        "1.0 KiB",
        "1.0 MiB",
        "1048576.0 TiB",
    ]
    assert (shown_count(5, False), shown_count(1_000, True)) == ("5", "over 1000")
    assert (shown_time(None), shown_time(1_700_000_000_000)) == ("-", "2023-11-14T22:13:20Z")
    assert printable("a\tb\x7f") == r"a\tb\x7f"
