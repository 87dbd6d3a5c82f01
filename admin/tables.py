"""What commands print: tables on a terminal, aligned columns where the output goes elsewhere."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

NONE = "-"  # in a column that has nothing to say
GAP = "  "
UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


def show_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows of text under their columns. A column whose name begins with `#` holds numbers.

    Nothing in a cell is taken for markup or for a control sequence, whoever wrote it.
    """
    names = [column.removeprefix("#") for column in columns]
    right = [column.startswith("#") for column in columns]
    cells = [[printable(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        table = Table(box=None, header_style="bold", pad_edge=False)
        for name, number in zip(names, right, strict=True):
            table.add_column(name, justify="right" if number else "left", overflow="fold")
        for row in cells:
            table.add_row(*map(Text, row))
        Console().print(table)
        return

    # Nothing is cut or wrapped, so that grep and awk see whole lines.
    widths = [max(map(len, column)) for column in zip(names, *cells, strict=True)]
    for row in (names, *cells):
        padded = [
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(row, widths, right, strict=True)
        ]
        click.echo(GAP.join(padded).rstrip())


def show_fields(fields: Sequence[tuple[str, str]]) -> None:
    """Print what is said of one thing, a line each."""
    width = max(len(name) for name, _ in fields)
    for name, value in fields:
        click.echo(f"{name.ljust(width)}{GAP}{printable(value)}")


def show_json(value: Any) -> None:
    """Print a result for programs."""
    click.echo(msgspec.json.format(msgspec.json.encode(value)))


def printable(text: str) -> str:
    """Text without what a terminal would act on: such characters are shown as Python escapes."""
    if text.isprintable():
        return text

    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )


def shown_name(name: str | None, object_id: str) -> str:
    """How an object is called: by its name, quoted where it could be misread; else by its id."""
    if name is None:
        return object_id

    plain = name.isprintable() and name == name.strip() and name not in ("", NONE)
    return name if plain and not name.startswith(("'", '"')) else repr(name)


def shown_time(ms: int | None) -> str:
    """A time in UTC, to the second."""
    if ms is None:
        return NONE

    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def shown_bytes(size: int) -> str:
    """A size, in the largest unit of which it is at least one."""
    value, unit = float(size), 0
    while value >= 1024 and unit < len(UNITS) - 1:
        value, unit = value / 1024, unit + 1
    return f"{size} B" if unit == 0 else f"{value:.1f} {UNITS[unit]}"


def shown_count(count: int, more: bool) -> str:
    """A number that was counted up to a limit."""
    return f"over {count}" if more else str(count)


def note(message: str) -> None:
    """Say something beside the output."""
    click.echo(printable(message), err=True)
