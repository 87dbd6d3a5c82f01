"""`RESULTS.md`: the rows as a page, letter by letter, with what is to be said of each."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from .measure import Figure, Results, Row
from .report import by_letter, rounded

HERE = Path(__file__).parent
RESULTS = HERE / "RESULTS.md"
EXPLANATIONS = HERE / "EXPLANATIONS.md"
TITLES = {
    "a": "Calls to an object in memory",
    "b": "Calls with a durable put",
    "c": "HTTP requests through an actor's fetch",
    "d": "WebSocket echo through a handler",
    "e": "Fan-out in a room",
    "f": "Activation of a cold object with one read",
    "g": "Memory",
    "h": "Alarms",
    "i": "Realtime messages",
    "j": "Documents",
    "k": "Growth",
}
HEADING = re.compile(r"^## \((\w)\).*$", re.MULTILINE)


def page(results: Results, about: Iterable[str], plots: Sequence[str] = ()) -> str:
    """All of it. `about`: lines on where and how this was measured. `plots`: letters that have a
    picture."""
    bars = [row for row in results if row.met is not None]
    met = sum(row.met is True for row in bars)
    parts = [
        "# Results",
        "Written by `make bench`; [README.md](README.md) says what each figure is.",
        "\n".join(f"* {line}" for line in about),
        f"{met} of {len(bars)} bars are met.",
        *([bars_table(bars)] if bars else []),
    ]
    explanations = explained(EXPLANATIONS.read_text())
    for letter, rows in by_letter(results).items():
        parts.append(f"## ({letter}) {TITLES[letter]}")
        if letter in explanations:
            parts.append(explanations[letter])
        parts.append(figures_table(rows))
        if letter in plots:
            parts.append(f"![{TITLES[letter]}](plots/{letter}.png)")
    return "\n\n".join(parts) + "\n"


def explained(text: str) -> dict[str, str]:
    """What stands below the headings of a text, by their letters."""
    _, *pieces = HEADING.split(text)
    return {
        letter: body.strip()
        for letter, body in zip(pieces[::2], pieces[1::2], strict=True)
        if body.strip()
    }


def bars_table(rows: Iterable[Row]) -> str:
    """Every bar, and whether it is met."""
    lines = ["| | figure | beside | ratio | bar | |", "| --- | --- | --- | ---: | ---: | --- |"]
    for row in rows:
        assert row.beside is not None
        assert row.ratio is not None
        assert row.bar is not None
        sign = "≤" if row.less_is_better else "≥"
        cells = (
            row.letter,
            row.figure.name,
            short_name(row.beside, row.figure),
            number(row.ratio),
            f"{sign} {number(row.bar)}",
            "met" if row.met else "**missed**",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def figures_table(rows: Sequence[Row]) -> str:
    """Every figure once, with all that it stands beside."""
    lines = [
        "| figure | unit | median | slowest - fastest | beside | note |",
        "| --- | --- | ---: | ---: | --- | --- |",
    ]
    figures = {id(row.figure): row.figure for row in rows}
    for key, figure in figures.items():
        note = figure.notes[-1] if figure.notes else ""
        if not figure.rates:
            lines.append(f"| {figure.name} | {figure.unit} | | | | {note} |")
            continue

        low, high = figure.spread
        beside = "; ".join(
            said for row in rows if id(row.figure) == key and (said := comparison(row))
        )
        cells = (number(figure.median), f"{number(low)} - {number(high)}", beside, note)
        lines.append(f"| {figure.name} | {figure.unit} | {' | '.join(cells)} |")
    return "\n".join(lines)


def comparison(row: Row) -> str:
    """What a row says of a figure, or nothing."""
    if row.ratio is None or row.beside is None:
        return ""

    said = f"{number(row.ratio)} of {short_name(row.beside, row.figure)}"
    if row.bar is None:
        return said

    bound = "at most" if row.less_is_better else "at least"
    return f"{said} ({bound} {number(row.bar)}: {'met' if row.met else '**missed**'})"


def short_name(beside: Figure, figure: Figure) -> str:
    """The name of a peer without the case, where that is the figure's too."""
    who, _, case = beside.name.partition(", ")
    return who if case and figure.name.endswith(case) else beside.name


def number(value: float) -> str:
    """For people."""
    return f"{rounded(value):,}"
